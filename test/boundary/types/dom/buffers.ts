// The types of buffers, with lib dom: what needs memory that nobody else can change does not take a view.
import { type FileMapping, type Mapping, mapAnonymous, mapFile, reserve } from 'memmap';
import { SharedMemory } from 'memmap/shm';

const file = mapFile('x');
const words: Float64Array<SharedArrayBuffer> = file.view(Float64Array, { count: 8 });
const bytes: Buffer<SharedArrayBuffer> = file.bytes;
const buffer: SharedArrayBuffer = file.buffer;
const view: DataView<SharedArrayBuffer> = file.dataView();
for (const window of file.windows()) void (window satisfies Uint8Array<SharedArrayBuffer>).offset;
// @ts-expect-error: a SharedArrayBuffer
const wrong: Uint8Array<ArrayBuffer> = file.view(Uint8Array);

const owned = mapFile('x', { buffer: 'array' });
const array: ArrayBuffer = owned.buffer;
const mine: Uint8Array<ArrayBuffer> = owned.view(Uint8Array);
const counters: BigInt64Array<ArrayBuffer> = mapAnonymous({ length: 1, buffer: 'array', address: 4096n }).view(BigInt64Array);
void crypto.subtle.digest('SHA-256', mine);

const memory: SharedArrayBuffer = mapAnonymous({ length: 1 }).buffer;
const asked: SharedArrayBuffer = mapAnonymous({ length: 1, address: 4096n, buffer: 'shared' }).buffer;
const shared: SharedArrayBuffer = SharedMemory.create({ length: 1 }).map({ access: 'read' }).buffer;
const arrays: ArrayBuffer = SharedMemory.create({ length: 1 }).map({ buffer: 'array' }).buffer;

// Where they must stay, some runtimes have the one, some the other.
for (const either of [mapAnonymous({ length: 1, address: 4096n }), mapAnonymous({ length: 1, hugePages: '2MB' }), reserve(1).place(0, { length: 1 })]) {
  const buffers: ArrayBufferLike = either.buffer;
  // @ts-expect-error: an ArrayBuffer, or a SharedArrayBuffer
  const one: SharedArrayBuffer = either.buffer;
  // @ts-expect-error: an ArrayBuffer, or a SharedArrayBuffer
  const other: ArrayBuffer = either.buffer;
  void [buffers, one, other];
}

declare const kind: 'array' | 'shared' | undefined;
const unknown: FileMapping = mapFile('x', { buffer: kind });
const any: Mapping = owned;
const subclass: Mapping[] = [file, owned, unknown, any];
void [words, bytes, buffer, view, wrong, array, mine, counters, memory, asked, shared, arrays, subclass];
