// How lists and tables of the kernel are read, which the package does not export.
export { kilobytesIn, parseList } from '../../../.unbundled/internal/kernel-files.js';
