// 'memmap/shm': memory that processes share. Re-exports only.
export { PeerError } from '../errors.js';
export { Channel, type ChannelOptions } from './channel.js';
export type { ChannelKind } from './channel-header.js';
export { Connection, type Message, type Peer } from './connection.js';
export { Consumer, type DrainOptions } from './consumer.js';
export { type ListenOptions, Listener, listen } from './listener.js';
export { Mutex } from './mutex.js';
export type { CreateOptions, FromFdOptions, OpenOptions, SharedMapOptions } from './options.js';
export { Producer } from './producer.js';
export { type ConnectOptions, type HasFd, type WaitOptions, connect, receiveFds, sendFds } from './send-fds.js';
export type { Seal } from './seals.js';
export type { Segment } from './segments.js';
export { type SharedAccess, SharedMapping } from './shared-mapping.js';
export { SharedMemory } from './shared-memory.js';
export type { LockMemory } from './place.js';
export type { AsyncTimeoutOptions, LockResult, TimeoutOptions } from './waiting.js';
