// 'memmap/store': a key-value store in a mapped file. Re-exports only.
export { FaultError, PeerError, StateError, SystemError, UnsupportedError } from '../errors.js';
export type { CheckReport } from './check.js';
export type { CompactOptions, CompactProgress, Compacted } from './compaction.js';
export type { StoreKey } from './log/key.js';
export type { Durability, StoreOptions } from './open.js';
export { Store } from './store.js';
export type { EntriesOptions, StoreStats } from './store.js';
export type { Damage } from './parts.js';
