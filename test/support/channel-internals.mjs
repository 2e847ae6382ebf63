// The algorithms of channels, for tests that run them over simulated memory.
export { RingReader, RingWriter } from '../../dist/shm/ring.js';
export { Signal } from '../../dist/shm/signal.js';
export { WORD } from '../../dist/shm/channel-header.js';
