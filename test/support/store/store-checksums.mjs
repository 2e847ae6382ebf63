// The store's hash as it is inside, in JavaScript and in C++.
export { binding } from '../../../.unbundled/internal/binding.js';
export { recordSum, xxh32, xxh32Copying } from '../../../.unbundled/store/file/checksum.js';
