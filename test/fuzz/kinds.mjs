// Values for the arguments of the addon's functions, by kind: of the type that lib/ guarantees,
// but often hostile; or of any type.
//
// What would end the process, or harm the machine, by itself is not among them: foreign memory
// where a call is meant to replace memory (overlay), advice that poisons pages, lengths that are
// neither small nor absurd where pages are populated, descriptors and processes of others.
import { MADV, MAP, MPOL, MREMAP, PROT } from 'memmap/sys';
import { native } from './addon.mjs';
import { LENGTH } from './scene.mjs';

const PAGE = LENGTH / 4;
const MOST = 1023;

/** Numbers that no check may take for granted. */
const STRANGE = [
  -1, -0, 0, 1, PAGE - 1, PAGE + 1, LENGTH + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + PAGE,
  2 ** 47, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 31), -(2 ** 53), NaN, Infinity, -Infinity, 0.5, 1e308,
];
/** For lengths that the kernel may have to find memory for. */
const LENGTHS = STRANGE.filter((number) => !(number > 2 ** 24 && number < 2 ** 47));
const ADDRESSES = [0n, 1n, 4096n, 2n ** 47n - 4096n, 2n ** 63n, 2n ** 64n - 4096n, 2n ** 64n - 1n, -1n, 2n ** 70n];
/** Of any type: for the kinds that follow. */
export const ANYTHING = [
  undefined, null, true, false, '', 'x', 0, 1, NaN, 0n, 1n, {}, [], Symbol('zoo'), () => 1, new Date(0), /x/,
  new Uint8Array(8), new Int32Array(2), new Float64Array(1), new BigUint64Array(1), new ArrayBuffer(8), new SharedArrayBuffer(8),
  new DataView(new ArrayBuffer(8)), new Proxy({}, {}), Promise.resolve(),
];

/** What a class throws that was given as a callback. */
export const isOfClass = (error) => error instanceof TypeError && / requires 'new'$| without 'new'$/.test(error.message);

function detached(TypedArray) {
  const array = new TypedArray(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Memory that is memmap's, of every kind; a scene has most of its calls act on one. */
const MEMORIES = [
  (scene) => scene.memory, (scene) => scene.sharedMemory, (scene) => scene.private.buffer, (scene) => scene.file.buffer,
  (scene) => scene.placed.buffer, (scene) => scene.sharedMapping.buffer,
];

function mapped(scene) {
  const which = scene.next(8) === 0 ? scene.next(MEMORIES.length) : scene.number % MEMORIES.length;
  const buffer = MEMORIES[which](scene);
  return buffer.byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer, 0, buffer.byteLength);
}

const filled = (values, fill) => (fill === undefined ? values : values.map(fill));
/** Of `length` or more elements if it is a right one. */
const array = (TypedArray, length, fill) => (scene) =>
  scene.one([
    () => new TypedArray(length + scene.next(4)),
    () => filled(new TypedArray(length + scene.next(4)), fill === undefined ? undefined : () => fill(scene)),
    () => over(TypedArray, mapped(scene), length),
    () => new TypedArray(scene.next(length + 1)),
    () => new TypedArray(0),
    () => detached(TypedArray),
  ])();

/** A view of at most so many of its elements. */
function over(TypedArray, { buffer }, length) {
  const { BYTES_PER_ELEMENT: size } = TypedArray;
  return new TypedArray(buffer, 0, Math.min(length, Math.floor(buffer.byteLength / size)));
}

const numbers = (right, strange = STRANGE) => (scene) => scene.one(scene.next(4) > 0 ? right : strange);
/** Any bits, often one of the names. */
const flags = (table, allowed = () => true) => {
  const names = Object.values(table);
  return (scene) => {
    const value = scene.one([
      () => scene.one(names), () => scene.one(names) | scene.one(names), () => 0, () => 1 << scene.next(31), () => scene.next(2 ** 32 - 1),
      () => scene.one(STRANGE),
    ])();
    return allowed(value) ? value : 0;
  };
};

const address = (scene) => scene.one([
  () => 0n, () => scene.one(ADDRESSES), () => scene.space.address, () => scene.space.address + BigInt(PAGE), () => native.addressOf(mapped(scene)),
])();
/** Poisoning takes pages from the machine. */
const advice = flags(MADV, (value) => (value | 0) !== MADV.HWPOISON && (value | 0) !== MADV.SOFT_OFFLINE);
const node = (scene) => (scene.next(4) > 0 ? 0 : scene.one([1, -1, MOST, MOST + 1, 2 ** 31 - 1, -(2 ** 31)]));
const NO_NAMES = ['', '.', '..', 'a/b', 'x'.repeat(300)];
const WORDS = [...NO_NAMES, 'a\0b', 'ä'];

/** kind: (scene) => value */
export const KINDS = {
  handle: (scene) => scene.one([() => scene.handle, () => scene.handle, () => scene.one(scene.handles) ?? 0, () => scene.one(STRANGE), () => 2 ** 24])(),
  target: (scene) => scene.one([
    () => scene.handle, () => mapped(scene), () => mapped(scene), () => native.addressOf(mapped(scene)), () => scene.space.address,
    () => KINDS.handle(scene), () => scene.one(ADDRESSES), () => new Uint8Array(LENGTH), () => new Uint8Array(0), () => detached(Uint8Array),
  ])(),
  offset: numbers([0, 0, 0, PAGE, 2 * PAGE, 1]),
  length: numbers([LENGTH, LENGTH, PAGE, 2 * PAGE, 0, 1]),
  newLength: numbers([LENGTH, PAGE, 2 * LENGTH, 0, 1], LENGTHS),
  /** Of files: `ulimit -f` bounds what can become of them. */
  fileLength: numbers([LENGTH, PAGE, 0, 1, -1, 2 * LENGTH], LENGTHS),
  address,
  prot: flags(PROT),
  mapFlags: flags(MAP, (value) => ((value | 0) & MAP.HUGETLB) === 0 || ((value | 0) & MAP.POPULATE) === 0),
  remapFlags: flags(MREMAP),
  advice,
  /** What is sealed can neither be fixed up nor unmapped, as documented. */
  sealFlags: (scene) => 1 + scene.next(2 ** 31 - 2),
  /** All invalid: V8 ends the process when it discards pages that are locked. */
  lockAllFlags: (scene) => scene.one([4, 0, -1, 8, 2 ** 31]),
  flags: (scene) => scene.one([0, 0, 1, 2, 4, -1, 2 ** 31, 1 << scene.next(31)]),
  openFlags: (scene) => scene.one([0, 2, 0o102, 0o202, 0o1000000, 0o200000, 0o10000000, 0o40000]),
  mode: numbers([0o600, 0]),
  fd: (scene) => scene.one([
    () => scene.fd, () => scene.fd, () => scene.heldFd, () => scene.nativeSocket, () => scene.one(scene.rawFds) ?? -1,
    () => scene.one([-1, 0, 4096, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, NaN, Infinity]),
  ])(),
  /** Not one that the scene has closed: the number may belong to a lock by now, which would lose it. */
  ownFd: (scene) => scene.one([...scene.heldFds, -1, 4096, NaN, 2 ** 53]),
  heldFd: (scene) => scene.one([() => scene.heldFd, () => scene.one(scene.heldFds) ?? -1, () => scene.one([-1, 4096, NaN, 2 ** 53, 2 ** 31])])(),
  file: (scene) => scene.one([() => scene.path, () => scene.path, () => scene.fd, () => scene.folder, () => scene.one(WORDS), () => scene.one([-1, 4096, NaN])])(),
  path: (scene) => scene.one([() => scene.path, () => scene.folder, () => scene.one(WORDS)])(),
  /** Of shared memory: none that could be another's. */
  name: (scene) => scene.one([() => scene.name, () => `/${scene.name}`, () => `${scene.name}\0b`, () => scene.one(NO_NAMES)])(),
  nameOrNull: (scene) => scene.one([() => scene.name, () => null, () => scene.one(WORDS)])(),
  // Never that of the scene's own listener, which would find it taken.
  socketAddress: (scene) => scene.one([() => Buffer.from(`${scene.socket}-native`), () => Buffer.from('x'), () => KINDS.bytes(scene), () => new Uint8Array(108), () => new Uint8Array(200)])(),
  paths: (scene) => scene.one([() => Buffer.from(`${scene.path}\0`), () => Buffer.from(`${scene.path}\0x\0`), () => Buffer.from(scene.path), () => KINDS.bytes(scene)])(),
  boolean: (scene) => scene.next(2) === 0,
  pid: (scene) => scene.one([0, process.pid, process.pid, -1, 2 ** 31 - 1, 2 ** 22 + 1, NaN]),
  ms: (scene) => scene.one([0, 0, 0.001, 0.5, 1, -1, -Infinity, NaN]),
  number: numbers([0, 1, 2]),
  unit: numbers([PAGE, PAGE, 2 * PAGE]),
  byte: numbers([10, 0, 255], [-1, 256, NaN, 2 ** 32]),
  text: (scene) => scene.one(['cachestat', 'memfd_secret', 'mseal', '', 'nonsense', '__proto__']),
  feature: (scene) => scene.one(['cachestat', 'memfd_secret', 'mseal', '', 'nonsense', '__proto__']),
  bytes: array(Uint8Array, 8, (scene) => scene.next(256)),
  vec: array(Uint8Array, 4),
  words: (scene) => scene.one([
    () => new Int32Array(scene.lockMemory.buffer, 2048, 8), () => new Int32Array(scene.lockMemory.buffer, 3072, 8),
    () => over(Int32Array, mapped(scene), 1), () => new Int32Array(8), () => new Int32Array(0), () => detached(Int32Array),
  ])(),
  index: numbers([0, 1, 7], [8, -1, 2 ** 30, 2 ** 31, 2 ** 32, NaN]),
  word: numbers([0, 0, 1]),
  node,
  nodes: array(Int32Array, 1, node),
  nodesOrNull: (scene) => (scene.next(3) === 0 ? null : KINDS.nodes(scene)),
  status: array(Int32Array, 4),
  addresses: array(BigUint64Array, 2, (scene) => BigInt.asUintN(64, address(scene))),
  /** Pairs of what is ours: any other memory may be advised away, too. */
  ranges: (scene) => scene.one([
    () => BigUint64Array.of(native.addressOf(mapped(scene)), BigInt(PAGE)), () => BigUint64Array.of(0n, 4096n, 2n ** 63n, 4096n), () => new BigUint64Array(1),
    () => new BigUint64Array(0), () => detached(BigUint64Array),
  ])(),
  policy: flags(MPOL),
  facts: array(Float64Array, 7),
  counts: array(Float64Array, 5),
  faults: array(Float64Array, 24),
  map: array(BigUint64Array, 7),
  positions: array(Uint32Array, 4),
  descriptors: array(Int32Array, 253, (scene) => scene.one([-1, 0, 1, 4096])),
  sentDescriptors: array(Int32Array, 1, (scene) => scene.one([0, 0, 4096])),
  countsId: (scene) => scene.one([() => native.holdCounts?.(scene.handle) ?? 0, () => 0, () => scene.one(STRANGE), () => scene.next(1000)])(),
  /** Over, or of nobody yet: to cancel a wait of lib/ leaves its promise pending. */
  wait: (scene) => scene.one([1, 2, 2 ** 47 + scene.next(1000), 2 ** 48 - 1, 2 ** 49, 2 ** 52, -1, NaN, Infinity, 2 ** 53]),
  callback: () => () => {},
  /** What detaching does to others is their fault. */
  buffer: (scene) => scene.one([() => scene.memory, () => new ArrayBuffer(8), () => new SharedArrayBuffer(8), () => detached(Uint8Array).buffer])(),
  /** A buffer of pages that the engine has reserved, as lib/internal/buffer.ts makes it. */
  over(scene) {
    const length = scene.one([LENGTH, LENGTH, 2 * LENGTH, PAGE]);
    const buffer = new SharedArrayBuffer(0, { maxByteLength: length });
    buffer.grow(length);
    scene.reserved.push(buffer);
    return scene.one([new Uint8Array(buffer, 0, length), new Uint8Array(buffer, 0, length), new Uint8Array(buffer, 0, 0), new Uint8Array(0), new Uint8Array(4)]);
  },
  overOrNone: (scene) => (scene.next(2) === 0 ? undefined : KINDS.over(scene)),
};
