// 'memmap/shm': memory that processes share. Re-exports only.
export { PeerError } from '../errors.js';
export type { CreateOptions, FromFdOptions, OpenOptions, SharedMapOptions } from './options.js';
export type { Seal } from './seals.js';
export type { Segment } from './segments.js';
export { type SharedAccess, SharedMapping } from './shared-mapping.js';
export { SharedMemory } from './shared-memory.js';
