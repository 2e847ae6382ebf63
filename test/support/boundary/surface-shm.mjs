// What surface.mjs is, for memory and descriptors of 'memmap/shm'. `subject` has `shared`, a
// SharedMemory, `sharedMapping`, one of it, and `connection`.
import * as shm from 'memmap/shm';
import * as zoo from './zoo.mjs';

const { descriptor, boolean, word, callback, options, optional, integer } = zoo;

const NAMES = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 1n, true, {}, [], Symbol('zoo'), Buffer.from('x')]),
  ...zoo.each(zoo.VALUE, ['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256)]),
];
export const PATHS = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 1n, true, {}, [], Symbol('zoo'), Buffer.from('x'), new URL('file:///tmp/x')]),
  ...zoo.each(zoo.VALUE, ['', 'a\0b', '\0a\0b']),
  ...zoo.each(zoo.RANGE, ['x'.repeat(108), 'ä'.repeat(54), `\0${'x'.repeat(107)}`]),
];
const CONNECTIONS = zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, { send() {} }, Object.create(null), shm.Connection]);
const signal = { signal: callback };
const length = integer(1);

export const SHM = {
  connect: [({ socket }) => [socket, {}], [PATHS, options({ allow: callback, ...signal })]],
  listen: [({ socket }) => [`${socket}-2`, () => {}, {}], [
    PATHS, [[undefined, zoo.TYPE], ...callback],
    options({ allow: callback, mode: integer(0, 0o777), ...signal }),
  ]],
  sendFds: [({ connection }) => [connection, [], '', {}], [
    CONNECTIONS,
    [
      ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, new Set(), [undefined], [null], ['1'], [{}], [{ fd: '1' }], [1n]]),
      ...zoo.each(zoo.RANGE, [[-1], [1.5], [NaN], [2 ** 31], [0, -1], [{ fd: -1 }], Array(65_537).fill(0)]),
      [[Object.defineProperty({}, 'fd', { get() { throw zoo.BOOM; } })], 'BOOM'],
    ],
    [
      ...zoo.each(zoo.TYPE, [null, 1, true, {}, [], Symbol('zoo'), new ArrayBuffer(1), new Uint16Array(1)]),
      [Buffer.alloc(2 ** 24 + 1), zoo.RANGE],
    ],
    options(signal),
  ]],
  receiveFds: [({ connection }) => [connection, { signal: AbortSignal.abort() }], [CONNECTIONS, options(signal)]],
};

export const STATICS = {
  create: [() => [{ length: 1 }], [[
    [undefined, zoo.TYPE], ...zoo.each(zoo.TYPE, [{}]),
    ...options({ length, name: optional(NAMES), hugePages: word, secret: boolean }, { length: 1 }),
    ...zoo.each(zoo.VALUE, [{ length: 1, name: 'x', secret: true }, { length: 1, secret: true, hugePages: '2MB' }]),
  ]]],
  open: [({ name }) => [name, {}], [
    NAMES, options({ create: boolean, length, access: [...word, ['copy-on-write', zoo.VALUE]] }),
  ]],
  fromFd: [({ shared }) => [shared.fd, {}], [
    descriptor,
    [
      ...options({ length }),
      ...zoo.each(zoo.TYPE, [{ require: 'shrink' }, { require: null }, { require: {} }, { require: 1 }]),
      ...zoo.each(zoo.VALUE, [{ require: ['Shrink'] }, { require: [undefined] }, { require: ['shrink', 1] }, { require: ['exec'] }]),
    ],
  ]],
  unlink: [({ name }) => [name], [NAMES]],
  list: [() => [], []],
};

export const SHARED_MEMORY = {
  seal: [() => ['grow'], [[[undefined, zoo.VALUE], ...word]]],
  map: [() => [{}], [options({ access: [...word, ['none', zoo.VALUE]], buffer: word })]],
  readOnlyFd: [() => [], []],
  unlink: [() => [], []],
};

export const SHARED_MAPPING = { resize: [() => [1], [[...integer(1), [2 ** 30, zoo.RANGE]]]], refresh: [() => [], []] };
