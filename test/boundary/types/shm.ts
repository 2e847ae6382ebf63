// What TypeScript must accept and refuse of 'memmap/shm', memory and descriptors. Compiled, never run.
import type { Mapping } from 'memmap';
import {
  type Connection, type Message, type Peer, type Seal, type Segment, SharedMapping, SharedMemory, connect, listen,
  receiveFds, sendFds,
} from 'memmap/shm';

const memory: SharedMemory = SharedMemory.create({ length: 4096, hugePages: 'transparent', secret: false });
const opened: SharedMemory = SharedMemory.open('name', { create: true, length: 1, access: 'read' });
const taken: SharedMemory = SharedMemory.fromFd(3, { require: ['shrink', 'future-write'] as const, length: 1 });
const segments: readonly Segment[] = SharedMemory.list();
const mapping: SharedMapping = memory.map({ access: 'copy-on-write', buffer: 'array' });
const general: Mapping = mapping;
const seals: readonly Seal[] = memory.seals;
memory.seal('write', 'grow', 'shrink', 'seal', 'future-write');
const fd: number = memory.readOnlyFd();
const followed: boolean = mapping.refresh();
using server = listen('path', (connection: Connection) => connection.close(), { allow: ({ uid }: Peer) => uid === 0, mode: 0o666 });
using connection: Connection = await connect('path', { signal: AbortSignal.timeout(1) });
await sendFds(connection, [memory, fd, { fd: 1 }], new Uint8Array(1), { signal: AbortSignal.timeout(1) });
const message: Message | undefined = await receiveFds(connection);
for await (const { fds, payload } of connection) {
  const first: number | undefined = fds[0];
  const text: string = payload.toString();
  void [first, text];
}

// @ts-expect-error: a length is needed
SharedMemory.create({ name: 'x' });
// @ts-expect-error: no such option
SharedMemory.create({ length: 1, exec: true });
// @ts-expect-error: no such seal
memory.seal('exec');
// @ts-expect-error: no such access
memory.map({ access: 'none' });
// @ts-expect-error: only functions make one
void new SharedMemory({ fd: 3 });
// @ts-expect-error: only SharedMemory makes one
void new SharedMapping();
// @ts-expect-error: it may be the end
void message.fds;
// @ts-expect-error: they are the sender's numbers
message?.fds.push(1);
// @ts-expect-error: a promise is no answer
void connect('path', { allow: async () => true });
// @ts-expect-error: descriptors are numbers, or have one
void sendFds(connection, ['1']);
// @ts-expect-error: the descriptor is for reading
memory.fd = 3;

void [opened, taken, segments, general, seals, followed, server];

import { Barrier, Event, type LockResult, Mutex, RwLock, Semaphore } from 'memmap/shm';
import { mapAnonymous as lockMemory } from 'memmap';

const words = lockMemory({ length: 4096, sharing: 'shared' });
const mutex = new Mutex(words, 0);
const result: LockResult = mutex.lock({ timeout: 1 });
const tried: LockResult | false = mutex.tryLock();
const later: Promise<LockResult> = new RwLock(words, 256).lockSharedAsync({ signal: AbortSignal.timeout(1) });
const last: boolean = new Barrier(words, 512, 2).wait();
void [result, tried, later, last, new Semaphore(words, 520).value, new Event(words, 528).isSet, Mutex.byteLength];
// @ts-expect-error: what blocks cannot be aborted
mutex.lock({ signal: AbortSignal.abort() });
// @ts-expect-error: how many parties
new Barrier(words, 512);
// @ts-expect-error: a buffer that is not shared
new Mutex(new Uint8Array(8), 0);
