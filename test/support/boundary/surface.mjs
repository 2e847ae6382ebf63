// Every function and method of the package with what a call of it needs: `right` arguments,
// and the zoo's wrong ones for each place. `subject` holds what the calls act on.
import { openSync, closeSync } from 'node:fs';
import * as memmap from 'memmap';
import * as shm from 'memmap/shm';
import * as sys from 'memmap/sys';
import { CHANNELS } from './surface-channels.mjs';
import { DUPLEX } from './surface-duplex.mjs';
import { LOCKS } from './surface-locks.mjs';
import { FACADE_NUMA, MAPPING_NUMA, SYS_NUMA } from './surface-numa.mjs';
import { SHARED_MAPPING, SHARED_MEMORY, SHM, STATICS } from './surface-shm.mjs';
import { STORE } from './surface-store.mjs';
import { until } from '../until.mjs';
import { FACADE_FILES } from './surface-files.mjs';
import * as zoo from './zoo.mjs';

const { FADV, MADV, MAP, MS, PROT, PAGE_SIZE } = sys;
const LENGTH = 4 * PAGE_SIZE;
const RW = PROT.READ | PROT.WRITE;
const { bytes, flags, descriptor, boolean, word, where, optional, options, integer } = zoo;

/** `path`: a file of four pages. */
export async function makeSubject(path) {
  const fd = openSync(path, 'r+');
  const shared = shm.SharedMemory.create({ length: LENGTH });
  const name = `memmap-surface-${process.pid}`;
  const socket = `\0${name}`;
  let accepted;
  const server = shm.listen(socket, (connection) => (accepted = connection));
  const connection = await shm.connect(socket);
  await until(() => accepted !== undefined, 'the connection is accepted');
  const subject = {
    path,
    fd,
    memory: sys.mmap(null, LENGTH, RW, MAP.SHARED, fd, 0),
    private: memmap.mapAnonymous({ length: LENGTH, buffer: 'array' }),
    file: memmap.mapFile(path, { access: 'read-write' }),
    space: memmap.reserve(LENGTH),
    pidfd: sys.pidfd_open(process.pid),
    shared,
    sharedMapping: shared.map(),
    name,
    socket,
    connection,
    close() {
      for (const one of [subject.private, subject.file, subject.space, subject.sharedMapping]) one.close();
      for (const one of [shared, connection, accepted, server]) one.close();
      if (subject.memory.byteLength > 0) sys.munmap(subject.memory);
      closeSync(subject.pidfd);
      closeSync(fd);
    },
  };
  return subject;
}

const within = [...optional(bytes), ...zoo.each(zoo.RANGE, [LENGTH + 1, 2 ** 32 + 4096])];
const permit = options({ allowWriteExec: boolean });

const NAMES = [...zoo.each(zoo.TYPE, [undefined, null, 1, 1n, {}, [], Symbol('zoo')]), ['a\0b', zoo.VALUE]];

/** Milliseconds, if any. */
const TIMES = [...zoo.each(zoo.TYPE, [null, '1', 1n, true, {}, []]), ...zoo.each(zoo.RANGE, [-1, NaN])];

/** name: [right arguments, wrong values for each of them] */
const SYS = {
  ...SYS_NUMA,
  mmap: [({ fd }) => [null, PAGE_SIZE, RW, MAP.SHARED, fd, 0, {}], [
    zoo.hint.filter(([value]) => value !== null), bytes, flags, flags,
    optional(integer(-1, 2 ** 31 - 1)), optional(bytes), options({ shared: boolean, allowWriteExec: boolean }),
  ]],
  munmap: [({ memory }) => [memory, LENGTH], [where, within]],
  mremap: [({ memory }) => [memory, LENGTH, LENGTH, 0, null], [
    [...zoo.each(zoo.TYPE, [0, 4096n]), ...where.filter(([value]) => typeof value === 'object')
      .map(([value, code]) => [value, ArrayBuffer.isView(value) ? zoo.TYPE : code])],
    within, bytes, flags, zoo.hint.filter(([value]) => value !== null && value !== undefined),
  ]],
  futex_wait: [({ memory }) => [memory, 1, 0], [zoo.hint, integer(-(2 ** 31), 2 ** 32 - 1).filter(([value]) => value !== -1), TIMES]],
  futex_wake: [({ memory }) => [memory, 0], [zoo.hint, optional(integer(0, 2 ** 31 - 1))]],
  futex_waitv: [({ memory }) => [[{ addr: memory, expected: 1 }], 0], [
    [...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, [1], [null]]), [[], zoo.RANGE], [[{ addr: new Uint8Array(8) }], zoo.TYPE]], TIMES,
  ]],
  mprotect: [({ memory }) => [memory, LENGTH, RW, {}], [where, within, flags, permit]],
  msync: [({ memory }) => [memory, LENGTH, MS.ASYNC], [where, within, flags]],
  madvise: [({ memory }) => [memory, LENGTH, MADV.NORMAL], [where, within, flags]],
  mlock: [({ memory }) => [memory, LENGTH], [where, within]],
  mlock2: [({ memory }) => [memory, LENGTH, 0], [where, within, flags]],
  munlock: [({ memory }) => [memory, LENGTH], [where, within]],
  mlockall: [() => [4096], [flags]],
  mseal: [({ memory }) => [memory, LENGTH, 4096], [where, within, optional(flags)]],
  mincore: [({ memory }) => [memory, LENGTH, new Uint8Array(4)], [
    where, within,
    [...zoo.each(zoo.TYPE, [null, 4, 'vec', [], {}, new ArrayBuffer(4), new Int8Array(4)]), [new Uint8Array(3), zoo.RANGE]],
  ]],
  process_madvise: [({ pidfd, memory }) => [pidfd, [{ address: memory, length: LENGTH }], MADV.COLD, 0], [
    descriptor,
    [
      ...zoo.each(zoo.TYPE, [undefined, null, 4096, 'x', {}, new Set()]),
      ...options({ address: zoo.hint.filter(([value]) => value !== null), length: bytes }, { address: 0n, length: 0 })
        .map(([value, code]) => [[value], code]),
      [[,], zoo.TYPE], // eslint-disable-line no-sparse-arrays
    ],
    flags, optional(flags),
  ]],
  ftruncate: [({ fd }) => [fd, LENGTH], [descriptor, bytes]],
  fallocate: [({ fd }) => [fd, 0, 0, LENGTH], [descriptor, flags, bytes, bytes]],
  posix_fadvise: [({ fd }) => [fd, 0, LENGTH, FADV.NORMAL], [descriptor, bytes, bytes, flags]],
  cachestat: [({ fd }) => [fd, {}, 0], [descriptor, options({ offset: bytes, length: bytes }), optional(flags)]],
  memfd_create: [() => ['zoo', 0xffff0000], [NAMES, optional(flags)]],
  pidfd_open: [() => [process.pid, 0xffff0000], [integer(1, 2 ** 31 - 1), optional(flags)]],
  memfd_secret: [() => [0xffff0000], [optional(flags)]],
  shm_open: [() => ['.', 0, 0], [NAMES, flags, optional(integer(0, 0o7777))]],
  shm_unlink: [() => ['.'], [NAMES]],
  fcntl_add_seals: [({ fd }) => [fd, 0], [descriptor, flags]],
  fcntl_get_seals: [({ fd }) => [fd], [descriptor]],
};

const needle = [
  ...zoo.each(zoo.TYPE, [undefined, null, true, 1n, {}, [], Symbol('zoo'), new Uint16Array(1), new ArrayBuffer(1)]),
  ...zoo.each(zoo.RANGE, [-1, 256, 1.5, NaN]),
];

const COMMON = {
  buffer: word, populate: boolean, lock: word.filter(([value]) => value !== true), advice: word,
  noReserve: boolean, allowWriteExec: boolean, hugePages: word,
};
const FILE_OPTIONS = options({
  ...COMMON, access: word, offset: bytes, length: bytes, create: boolean, size: bytes, sync: boolean,
});
const ANONYMOUS = options(
  {
    length: integer(1), ...COMMON, sharing: word, access: word, placement: word,
    address: zoo.hint, droppable: boolean, growsDown: boolean,
  },
  { length: PAGE_SIZE },
);
const EXCLUSIVE = zoo.each(zoo.VALUE, [
  { length: 4096, sharing: 'shared', droppable: true },
  { length: 4096, sharing: 'shared', growsDown: true },
  { length: 4096, placement: 'fixed' },
]);
const WRITE_EXEC = [
  [{ length: 4096, access: 'read-write-execute' }, 'ERR_MEMMAP_WRITE_EXEC'],
  [{ length: 4096, access: 'read-write-execute', allowWriteExec: false }, 'ERR_MEMMAP_WRITE_EXEC'],
];
const FILES = [
  ...zoo.each(zoo.TYPE, [undefined, null, true, 1n, {}, [], Symbol('zoo'), () => 'x', { fd: '3' }, new Uint16Array(1)]),
  ...zoo.each(zoo.VALUE, ['', 'a\0b', Buffer.alloc(0), Buffer.from('a\0b'), new URL('file:///etc/passwd%00x')]),
  ...zoo.each(zoo.RANGE, [NaN, -1, 1.5, 2 ** 31, 2 ** 32 + 4096, Infinity]),
  [new URL('http://localhost/'), 'ERR_INVALID_URL_SCHEME'],
  [Object.defineProperty({}, 'fd', { get() { throw zoo.BOOM; }, enumerable: true }), 'BOOM'],
];

const FACADE = {
  ...FACADE_NUMA,
  ...FACADE_FILES,
  dump: [({ path }) => [path], [FILES]],
  mapFile: [({ path }) => [path, {}], [
    FILES,
    [
      ...FILE_OPTIONS,
      ...zoo.each(zoo.RANGE, [
        { offset: LENGTH + 1 }, { length: LENGTH + 1 }, { offset: 1, length: LENGTH }, { length: 2 ** 32 + 4096 },
        { offset: 2 ** 32 + 4096 }, { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER },
      ]),
      ...zoo.each(zoo.VALUE, [{ create: true }, { size: 4096 }, { access: 'copy-on-write', sync: true }]),
    ],
  ]],
  mapAnonymous: [() => [{ length: PAGE_SIZE }], [[[undefined, zoo.TYPE], ...ANONYMOUS, ...EXCLUSIVE, ...WRITE_EXEC]]],
  reserve: [() => [PAGE_SIZE], [integer(1)]],
  configure: [() => [{ guard: true }], [[...options({ guard: boolean }).filter(([value]) => value !== undefined), [undefined, zoo.TYPE]]]],
  maps: [() => [{}], [options({ pid: integer(1, 2 ** 31 - 1), at: zoo.hint, usage: boolean })]],
  numaNodes: [() => [], []],
  hugePagePools: [() => [], []],
  features: [() => [], []],
  residencyOf: [({ path }) => [path, {}], [FILES, zoo.range(LENGTH)]],
  guard: [() => [() => 1], [zoo.each(zoo.TYPE, [undefined, null, 1, 'f', {}, Symbol('zoo')])]],
};

const inside = zoo.range(LENGTH);
const background = zoo.range(LENGTH, { signal: zoo.callback, onProgress: zoo.callback });
const MAPPING = {
  ...MAPPING_NUMA,
  view: [() => [Uint8Array, {}], [
    zoo.each(zoo.TYPE, [undefined, null, 1, 'Uint8Array', {}, DataView, () => 1]),
    [
      ...options({ offset: bytes, count: bytes }),
      ...zoo.each(zoo.RANGE, [{ offset: -1 }, { offset: LENGTH + 1 }, { count: LENGTH + 1 }, { offset: 1, count: LENGTH }, { count: Number.MAX_SAFE_INTEGER }]),
      [{ length: 8 }, zoo.VALUE],
    ],
  ]],
  dataView: [() => [{}], [inside]],
  flush: [() => [{}], [inside]],
  persist: [() => [{}], [inside]],
  flushAsync: [() => [{}], [background]],
  advise: [() => ['normal', {}], [[[undefined, zoo.VALUE], ...word], inside]],
  populate: [() => [{}], [inside]],
  populateAsync: [() => [{}], [background]],
  discard: [() => [{ offset: 0, length: PAGE_SIZE }], [zoo.pages(LENGTH)]],
  punchHole: [() => [{ offset: 0, length: 0 }], [zoo.pages(LENGTH)]],
  evict: [() => [{}], [inside]],
  collapse: [() => [{ length: 0 }], [inside]],
  protect: [() => ['read-write', {}, {}], [
    [
      [undefined, zoo.VALUE], ...word, ['copy-on-write', zoo.VALUE],
      ['read-write-execute', 'ERR_MEMMAP_WRITE_EXEC'],
    ],
    optional(zoo.pages(LENGTH)), permit,
  ]],
  lock: [() => [{}], [zoo.range(LENGTH, { onFault: boolean })]],
  unlock: [() => [{}], [inside]],
  residency: [() => [{}], [inside]],
  resize: [() => [LENGTH], [integer(1)]],
  seal: [() => [], []],
  check: [() => [], []],
  on: [() => ['fault', () => 1], [word, zoo.each(zoo.TYPE, [undefined, null, 1, 'f', {}])]],
  indexOf: [() => ['x', 0], [needle, optional(integer(0, LENGTH))]],
  lastIndexOf: [() => ['x', 0], [needle, zoo.each(zoo.TYPE, [null, '', '1', true, {}, [], 1n, Symbol('zoo')])]],
  toString: [() => [{}], [zoo.range(LENGTH, { encoding: word })]],
  stream: [() => [{}], [zoo.range(LENGTH, { highWaterMark: integer(1) })]],
  blob: [() => [{}, {}], [inside, options({ type: zoo.each(zoo.TYPE, [null, 1, {}, [], 1n, Symbol('zoo')]) })]],
  response: [() => [{}], [inside]],
  copyOut: [() => [0, 1], [integer(0, LENGTH), integer(0, LENGTH)]],
  copyIn: [() => [0, Buffer.alloc(1)], [
    integer(0, LENGTH),
    [...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', [], {}, new Uint16Array(1), new ArrayBuffer(1)]), [Buffer.alloc(LENGTH + 1), zoo.RANGE]],
  ]],
};
const FILE_MAPPING = {
  lines: [() => [{}], [zoo.range(LENGTH, { reverse: boolean, stripBom: boolean, breaks: word })]],
  count: [() => [10, {}], [integer(0, 255), inside]],
  windows: [() => [{}], [
    [
      ...options({ offset: bytes, length: bytes, size: integer(1), overlap: bytes }),
      ...zoo.each(zoo.RANGE, [{ size: 4096, overlap: 4096 }, { offset: LENGTH + 1 }, { offset: 1, length: LENGTH }]),
    ],
  ]],
  size: [() => [], []],
  refresh: [() => [], []],
};
/** Neither a file nor a length. */
const isNothing = (what) => {
  if (typeof what !== 'object' || what === null || Array.isArray(what)) return false;
  const length = Object.getOwnPropertyDescriptor(what, 'length');
  return length === undefined || ('value' in length && length.value === undefined);
};
const RESERVATION = {
  place: [() => [0, { length: PAGE_SIZE }], [
    [...integer(0, LENGTH), [1, zoo.RANGE], [LENGTH, zoo.RANGE]],
    [
      ...optional(ANONYMOUS).filter(([what]) => what?.nonsense === undefined || what.length !== undefined)
        .filter(([what]) => !Object.hasOwn(what ?? {}, 'address'))
        .map(([what, code]) => [what, isNothing(what) ? zoo.VALUE : code]),
      [undefined, zoo.TYPE],
      ...zoo.each(zoo.RANGE, [{ length: LENGTH + 1 }, { length: 2 ** 32 + 4096 }, { length: 0 }]),
      ...zoo.each(zoo.VALUE, [
        { length: PAGE_SIZE, address: 4096n }, { length: PAGE_SIZE, address: 4096n, placement: 'fixed' },
        { length: PAGE_SIZE, placement: 'fixed' },
      ]),
      ...FILES.filter(([file]) => file !== undefined).map(([file, code]) => [{ file, length: PAGE_SIZE }, code]),
      ...WRITE_EXEC,
    ],
  ]],
};

const on = (table, owner, target) =>
  Object.entries(table).map(([name, [right, wrong]]) => ({
    name: `${owner}.${name}`,
    right,
    wrong,
    call: (subject, args) => target(subject)[name](...args),
  }));

export const SURFACE = [
  ...on(SYS, 'sys', () => sys),
  ...on(FACADE, 'memmap', () => memmap),
  ...on(MAPPING, 'AnonymousMapping', (subject) => subject.private),
  ...on({ ...MAPPING, ...FILE_MAPPING }, 'FileMapping', (subject) => subject.file),
  ...on(RESERVATION, 'Reservation', (subject) => subject.space),
  ...on(SHM, 'shm', () => shm),
  ...LOCKS, ...STORE,
  ...CHANNELS,
  ...DUPLEX,
  ...on(STATICS, 'SharedMemory.', () => shm.SharedMemory),
  ...on(SHARED_MEMORY, 'SharedMemory', (subject) => subject.shared),
  ...on({ ...MAPPING, ...SHARED_MAPPING }, 'SharedMapping', (subject) => subject.sharedMapping),
];

/** The methods of each class, for closed ones. */
export const METHODS = {
  private: MAPPING,
  file: { ...MAPPING, ...FILE_MAPPING },
  space: RESERVATION,
  shared: SHARED_MEMORY,
  sharedMapping: { ...MAPPING, ...SHARED_MAPPING },
};
