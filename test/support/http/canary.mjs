// A part of memmap/http that the package does not export.
export { Canary } from '../../../.unbundled/http/canary.js';
