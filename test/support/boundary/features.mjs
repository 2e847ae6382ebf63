// The library's own table of features, and the native side of it.
export { binding } from '../../../dist/internal/binding.js';
export { ORIGIN } from '../../../dist/internal/features.js';
