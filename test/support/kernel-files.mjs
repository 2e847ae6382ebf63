// How lists and tables of the kernel are read, which the package does not export.
export { bytesOf, parseList } from '../../dist/internal/kernel-files.js';
