// The store of the very modules that a test changes: see failing-disk.mjs.
export { Store } from '../../../.unbundled/store/index.js';
