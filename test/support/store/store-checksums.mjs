// The store's hash as it is inside, in JavaScript and in C++.
export { binding } from '../../../dist/internal/binding.js';
export { recordSum, xxh32, xxh32Copying } from '../../../dist/store/file/checksum.js';
