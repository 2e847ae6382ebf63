// The library's own table of features, and the native side of it.
export { binding } from '../../../.unbundled/internal/binding.js';
export { ORIGIN } from '../../../.unbundled/internal/features.js';
