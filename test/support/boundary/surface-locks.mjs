// What surface.mjs is, for the locks of 'memmap/shm'.
import { mapAnonymous } from 'memmap';
import * as shm from 'memmap/shm';
import * as zoo from './zoo.mjs';

const LENGTH = 4096;
const { optional, options, integer } = zoo;

/** Their memory, as long as the process: descriptors of locks go with the collector. */
const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
const plain = mapAnonymous({ length: LENGTH, access: 'read' });
const locks = {
  Mutex: new shm.Mutex(memory, 0),
  RwLock: new shm.RwLock(memory, 256),
  Semaphore: new shm.Semaphore(memory, 512),
  Event: new shm.Event(memory, 640),
  Barrier: new shm.Barrier(memory, 704, 1),
};
locks.Semaphore.release(1000);
locks.Event.set();

const MEMORIES = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 1n, 'x', true, {}, [], Symbol('zoo'), new ArrayBuffer(64), new Int32Array(2), Buffer.alloc(8)]),
  [new SharedArrayBuffer(LENGTH), zoo.FOREIGN],
  [plain, zoo.VALUE],
];
const timeouts = [
  ...zoo.each(zoo.TYPE, [null, '', '1', 1n, true, {}, [], Symbol('zoo')]),
  ...zoo.each(zoo.RANGE, [NaN, -1, -Infinity]),
];
const signals = zoo.each(zoo.TYPE, [null, 0, 'x', {}, [], Symbol('zoo')]);
const sync = options({ timeout: timeouts }, {});
const async = options({ timeout: timeouts, signal: signals }, {});
const SOON = { timeout: 0 };

/** Locking again unlocks first, and waiting for an event sets it: each call is to work. */
const freed = (name, unlock) => {
  if (unlock !== undefined) {
    try {
      locks[name][unlock]();
    } catch (error) {
      if (error.code !== 'ERR_MEMMAP_NOT_OWNER') throw error;
    }
  }
  return locks[name];
};

const METHODS = {
  Mutex: { lock: [[SOON], [sync], 'unlock'], lockAsync: [[SOON], [async], 'unlock'], tryLock: [[], [], 'unlock'], unlock: [[], [], 'held'] },
  RwLock: {
    lock: [[SOON], [sync], 'unlock'], lockAsync: [[SOON], [async], 'unlock'], tryLock: [[], [], 'unlock'], unlock: [[], [], 'held'],
    lockShared: [[SOON], [sync], 'unlockShared'], lockSharedAsync: [[SOON], [async], 'unlockShared'],
    tryLockShared: [[], [], 'unlockShared'], unlockShared: [[], [], 'held'],
  },
  Semaphore: {
    acquire: [[SOON], [sync]], acquireAsync: [[SOON], [async]], tryAcquire: [[], []],
    release: [[1], [[...optional(integer(1, shm.Semaphore.MAX_VALUE)), [shm.Semaphore.MAX_VALUE, zoo.RANGE]]]],
  },
  Event: { wait: [[SOON], [sync], 'set'], waitAsync: [[SOON], [async], 'set'], set: [[], []], reset: [[], []] },
  Barrier: { wait: [[SOON], [sync]], waitAsync: [[SOON], [async]] },
};

const OFFSETS = [...integer(0, LENGTH - 8), ...zoo.each(zoo.RANGE, [4, 1, LENGTH - 4, 2 ** 32])];

const constructors = Object.keys(locks).map((name) => ({
  name: `shm.new ${name}`,
  right: () => [memory, 2048, 1],
  wrong: [MEMORIES, OFFSETS, ...(name === 'Barrier' ? [integer(1, 65_535)] : [])],
  call: (_, args) => new shm[name](...args),
}));

const methods = Object.entries(METHODS).flatMap(([name, table]) =>
  Object.entries(table).map(([method, [right, wrong, unlock]]) => ({
    name: `${name}.${method}`,
    right: () => [...right],
    wrong,
    async call(_, args) {
      if (unlock === 'held') {
        freed(name, method);
        locks[name][method === 'unlock' ? 'lock' : 'lockShared'](SOON);
      } else freed(name, unlock);
      try {
        return await locks[name][method](...args);
      } finally {
        freed(name, unlock === 'held' ? undefined : unlock);
      }
    },
  })),
);

export const LOCKS = [...constructors, ...methods];

export const LOCK_CLASSES = Object.keys(locks);
/** The same methods with right arguments, for a closed mapping. */
export const LOCK_METHODS = Object.entries(METHODS).flatMap(([name, table]) =>
  Object.entries(table).map(([method, [right]]) => [name, method, right]),
);
