// The algorithms of channels, for tests that run them over simulated memory.
export { RingReader, RingWriter } from '../../../dist/shm/channel/ring.js';
export { EventCount } from '../../../dist/shm/channel/event-count.js';
export { WORD } from '../../../dist/shm/channel/header.js';
