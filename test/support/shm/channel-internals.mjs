// The algorithms of channels, for tests that run them over simulated memory.
export { RingReader, RingWriter } from '../../../.unbundled/shm/channel/ring.js';
export { EventCount } from '../../../.unbundled/shm/channel/event-count.js';
export { WORD } from '../../../.unbundled/shm/channel/header.js';
