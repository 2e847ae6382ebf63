// What TypeScript must accept and refuse of 'memmap'. Compiled, never run.
import {
  type AnonymousMapping,
  type BindPolicy,
  type CacheDump,
  type FileMapping,
  type Footprint,
  type HugePagePool,
  type MapEntry,
  Mapping,
  type MemoryPolicy,
  type Migration,
  type NumaNode,
  type Residency,
  Reservation,
  type RestoreOptions,
  type Restored,
  StateError,
  SystemError,
  type TouchTotals,
  type Touched,
  dump,
  hugePagePools,
  mapAnonymous,
  mapFile,
  memoryPolicy,
  maps,
  numaNodes,
  reserve,
  restore,
  setMemoryPolicy,
  touch,
} from 'memmap';
import { open } from 'node:fs/promises';

const file: FileMapping = mapFile('x');
const memory: AnonymousMapping = mapAnonymous({ length: 4096 });
const space: Reservation = reserve(2 ** 40);
const mapping: Mapping = space.place(0, { length: 4096 });

mapFile(new URL('file:///x'), { access: 'read-write', create: true, size: 1, sync: true });
mapFile(3, { offset: 1, length: 2, buffer: 'array', populate: true, lock: 'on-fault', advice: 'random' });
mapFile(await open('x'), { access: 'copy-on-write', hugePages: 'transparent', noReserve: true });
mapAnonymous({ length: 1, sharing: 'shared', access: 'read-write-execute', allowWriteExec: true });
mapAnonymous({ length: 1, address: 4096n, placement: 'fixed-noreplace', hugePages: '1GB', droppable: true });
space.place(0, { file: 'x', length: 4096, access: 'read' });

const onFile = ({ path, present, identity, error }: Touched, index: number): [string, number, number | undefined, string | undefined, string | undefined] => [path, index, present, identity, error?.code];
const totals: TouchTotals = await touch(new Set(['x']), { offset: 1, length: 2, rate: 3, signal: AbortSignal.timeout(4), onFile });
void touch(['x'] as const, { onProgress: ({ path, done, total }) => [path, done / total] });
// @ts-expect-error: an iterable of paths
void touch([1]);
// @ts-expect-error: known only where the kernel tells
void touch(['x'], { onFile: ({ present }) => present.toFixed() });
void totals;

const cached: CacheDump = dump('x');
const gently: RestoreOptions = { rate: 1, signal: AbortSignal.timeout(2), onProgress: ({ done, total }) => [done / total] };
const restored: Restored = await restore(cached, gently);
// @ts-expect-error: a number, bytes
void restore(cached, { rate: '50M' });
void restored;

// @ts-expect-error: no such word
mapFile('x', { access: 'write' });
// @ts-expect-error: a misspelt option
mapFile('x', { acess: 'read' });
// @ts-expect-error: an option of anonymous memory only
mapFile('x', { sharing: 'shared' });
// @ts-expect-error: a pool's huge pages are not for files
mapFile('x', { hugePages: '2MB' });
// @ts-expect-error: a path is needed
mapFile();
// @ts-expect-error: not a path
mapFile(null);
// @ts-expect-error: bytes are a number
mapFile('x', { length: '4096' });
// @ts-expect-error: bytes are not a BigInt
mapFile('x', { offset: 1n });
mapFile('x', { length: undefined });
// @ts-expect-error: a length is needed
mapAnonymous({});
// @ts-expect-error: an address is a BigInt
mapAnonymous({ length: 1, address: 4096 });
// @ts-expect-error: no such placement
mapAnonymous({ length: 1, placement: 'anywhere' });
space.place(0, { file: 'x' });
// @ts-expect-error: neither a file nor a length
space.place(0, {});
// @ts-expect-error: count, not length
mapping.view(Float64Array, { length: 8 });
// @ts-expect-error: a length is needed
reserve();

// Only functions make them.
// @ts-expect-error: abstract
new Mapping();
// @ts-expect-error: private
new Reservation();

const address: bigint = mapping.address;
const length: number = mapping.length;
const closed: boolean = mapping.closed;
const buffer: ArrayBuffer | SharedArrayBuffer = mapping.buffer;
const bytes: Buffer = mapping.bytes;
const fd: number | undefined = memory.fd;
const path: string | Buffer = file.path;

// @ts-expect-error: read-only
mapping.length = 1;
// @ts-expect-error: anonymous memory has no path
void memory.path;
// @ts-expect-error: a file mapping has no descriptor
void file.fd;
// @ts-expect-error: internal
void mapping.pages;
// @ts-expect-error: internal
void file.part;

const words: Float64Array = mapping.view(Float64Array, { offset: 64, count: 8 });
const counters: BigInt64Array = mapping.view(BigInt64Array);
// @ts-expect-error: the type of the view is that of the class
const wrong: Float64Array = mapping.view(Uint8Array);
// @ts-expect-error: not a typed array class
mapping.view(DataView);
const view: DataView = mapping.dataView({ length: 8 });

mapping.advise('sequential', { offset: 0 });
// @ts-expect-error: what destroys bytes is no hint
mapping.advise('dontneed');
mapping.protect('read', {}, { allowWriteExec: false });
// @ts-expect-error: a way to map a file, not a protection
mapping.protect('copy-on-write');
mapping.discard({ offset: 0 });
// @ts-expect-error: what is destroyed is named
mapping.discard();
// @ts-expect-error: what is destroyed is named
mapping.punchHole();
mapping.lock({ onFault: true, offset: 0 });
const residency: Residency = mapping.residency();
// @ts-expect-error: read-only
residency.resident = 1;
// @ts-expect-error: a misspelt range
mapping.flush({ ofset: 0 });

const bound: BindPolicy = { mode: 'bind', nodes: [0, 1], move: 'all', strict: true };
mapping.bind(bound, { offset: 0 });
const placed: Int32Array = mapping.nodes({ length: 1 });
const { moved, absent, failed }: Migration = mapping.migrate(1);
mapping.homeNode(0, { offset: 0 });
const { mode, nodes }: Required<MemoryPolicy> = mapping.policy(4096);
setMemoryPolicy(memoryPolicy());
// @ts-expect-error: no such mode
mapping.bind({ mode: 'prefered', nodes: [0] });
// @ts-expect-error: a mode is needed
mapping.bind({ nodes: [0] });
// @ts-expect-error: a thread's policy moves nothing
setMemoryPolicy({ mode: 'bind', nodes: [0], move: true });
// @ts-expect-error: a node is a number
mapping.migrate([0]);

const flushed: Promise<void> = mapping.flushAsync({
  signal: new AbortController().signal,
  onProgress: ({ done, total }) => void (done / total),
});
const position: number = file.indexOf(Buffer.from('x'), 1) + file.indexOf('x') + file.indexOf(10) + file.count(10);
for (const window of file.windows({ size: 1, overlap: 0 })) void (window.offset + window.length);
for (const window of file) void window.offset;
for (const line of file.lines()) void line.toString();
for (const line of file.lines({ offset: 1, length: 2, reverse: true, stripBom: true, breaks: 'any' })) {
  const at: number = line.offset;
  const terminator: '' | '\n' | '\r\n' | '\r' = line.terminator;
  void [at, terminator, line.includes('x')];
}
for (const window of file.windows({ offset: 1, length: 2, size: 3, overlap: 1 })) void window.offset;
void (file.lastIndexOf('x') + memory.lastIndexOf(10, -1) + memory.indexOf('x'));
void (memory.toString().length + file.toString({ offset: 1, length: 2, encoding: 'hex' }).length);
// @ts-expect-error: neither 'lf' nor 'any'
file.lines({ breaks: 'crlf' });
// @ts-expect-error: not an encoding
file.toString({ encoding: 'utf9' });
// @ts-expect-error: not bytes
file.indexOf(true);
// @ts-expect-error: anonymous memory has no lines
memory.lines();

const { mappings, count, limit }: { mappings: readonly MapEntry[]; count: number; limit: number } = maps({ pid: 1, usage: true });
const [entry]: readonly MapEntry[] = maps({ at: 4096n }).mappings;
const total: Footprint | undefined = maps({ at: address, usage: true }).total;
void [count + limit, mappings.length, total?.hugePool.private, entry?.usage?.flags, entry?.path?.length];
// @ts-expect-error: one mapping is not counted
void maps({ at: 4096n }).count;
// @ts-expect-error: an address is a BigInt
maps({ at: 4096 });
// @ts-expect-error: there may be no path
void entry?.path.length;
// @ts-expect-error: read-only
mappings[0] = entry;
const [node]: readonly NumaNode[] = numaNodes();
const distance: number | undefined = node?.distances.get(1);
const pools: readonly HugePagePool[] = hugePagePools();
void [distance, node?.access?.readLatency, pools[0]?.nodes[0]?.free];

try {
  file.close();
} catch (error) {
  if (error instanceof SystemError) {
    const errno: number = error.errno;
    const where: string | undefined = error.path;
    void [errno, where, error.code, error.syscall];
  } else if (error instanceof StateError) void error.code;
}

void [placed, moved, absent, failed, mode, nodes, address, length, closed, buffer, bytes, fd, path, words, counters, wrong, view, flushed, position];
