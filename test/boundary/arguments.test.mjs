// Every function and method refuses each wrong argument, and closed objects say so: lib/internal/validate.ts,
// lib/internal/range.ts, lib/mem/pages.ts, lib/store/store.ts.
import assert from 'node:assert/strict';
import { closeSync, readdirSync } from 'node:fs';
import { inspect } from 'node:util';
import * as memmap from 'memmap';
import * as shm from 'memmap/shm';
import { Store } from 'memmap/store';
import * as sys from 'memmap/sys';
import { binding } from '../../.unbundled/internal/binding.js';
import { maps } from '../support/kernel/proc.mjs';
import { METHODS, SURFACE, makeSubject } from '../support/boundary/surface.mjs';
import { CHANNEL_CLASSES } from '../support/boundary/surface-channels.mjs';
import { DUPLEX_REFUSED } from '../support/boundary/surface-duplex.mjs';
import { LOCK_CLASSES } from '../support/boundary/surface-locks.mjs';
import { NUMA_REFUSED } from '../support/boundary/surface-numa.mjs';
import { STORE_METHODS } from '../support/boundary/surface-store.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { BOOM } from '../support/boundary/zoo.mjs';

const { PAGE_SIZE } = sys;
const CLASS = {
  ERR_INVALID_ARG_TYPE: TypeError,
  ERR_INVALID_ARG_VALUE: TypeError,
  ERR_INVALID_URL_SCHEME: TypeError,
  ERR_MEMMAP_WRITE_EXEC: TypeError,
  ERR_OUT_OF_RANGE: RangeError,
  ERR_MEMMAP_FOREIGN_ADDRESS: RangeError,
  ERR_MEMMAP_CLOSED: memmap.StateError,
};

describe('Arguments', () => {
  const file = temporaryFiles();
  let subject;
  beforeEach(async () => {
    subject = await makeSubject(file('subject', Buffer.alloc(4 * PAGE_SIZE, 'line\n')));
    // Their buffers exist, so that what makes one is not taken for a trace of a failed call.
    void [subject.private.buffer, subject.file.buffer, subject.sharedMapping.buffer];
  });
  afterEach(() => subject.close());

  /** Those that the engine unmaps are counted until somebody looks whether they are gone. */
  function liveRanges() {
    binding.sweep();
    return binding.census()[0];
  }

  /** What a call could leave behind: ranges, files mapped, descriptors. */
  function traces() {
    return {
      live: liveRanges(),
      // Closed pages stay as long as a buffer can reach them, and the collector cuts them in pieces: `live` has their ranges.
      mapped: maps().filter(({ path }) => path.startsWith(subject.path) || (path.startsWith('/memfd:') && !path.includes(binding.closedPagesName))).length,
      descriptors: readdirSync('/proc/self/fd').length,
    };
  }

  /** An inspected detached DataView throws. */
  function show(value) {
    return ArrayBuffer.isView(value) ? Object.prototype.toString.call(value) : inspect(value, { depth: 1 });
  }

  async function errorOf(call) {
    try {
      const result = await call();
      return assert.fail(`it returned ${inspect(result, { depth: 0 })}`);
    } catch (error) {
      return error;
    }
  }

  async function refuses(call, code, title) {
    const error = await errorOf(call);
    if (code === 'BOOM') {
      assert.equal(error, BOOM, title);
      return;
    }
    assert.equal(error.code, code, `${title} gave ${error.stack}`);
    assert.equal(error.constructor, CLASS[code], title);
  }

  for (const { name, right, wrong, call } of SURFACE) {
    it(`${name}() refuses each wrong argument and leaves nothing behind`, async () => {
      for (let attempts = 3; ; attempts--) {
        const before = traces();
        for (const [place, values] of wrong.entries()) {
          for (const [value, code] of values) {
            const args = right(subject);
            args[place] = value;
            await refuses(() => call(subject, args), code, `${name}, argument ${place}: ${show(value)}`);
          }
        }
        const after = traces();
        // Fewer: the collector came by, for something else. Again, without it.
        const collected = Object.keys(after).some((what) => after[what] < before[what]);
        if (collected && attempts > 0) continue;
        assert.deepEqual(after, before);
        return;
      }
    });
  }

  it('covers every function that is exported, and every method', () => {
    const covered = new Set(SURFACE.map(({ name }) => name));
    const functions = (owner, object) =>
      Object.entries(object).filter(([, value]) => typeof value === 'function' && !/^class|^[A-Z]/.test(value.name))
        .map(([name]) => `${owner}.${name}`);
    const methods = (owner, { prototype }) =>
      Object.entries(Object.getOwnPropertyDescriptors(prototype))
        .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
        .map(([name]) => `${owner}.${name}`);
    const bases = (owner) => (owner.prototype === undefined ? [] : [owner, ...bases(Object.getPrototypeOf(owner))]);
    const all = [
      ...functions('sys', sys), ...functions('memmap', memmap), ...functions('shm', shm),
      ...methods('SharedMemory', shm.SharedMemory), ...methods('SharedMapping', memmap.Mapping), ...methods('SharedMapping', shm.SharedMapping),
      ...bases(memmap.Mapping).flatMap((base) => methods('FileMapping', base)),
      ...methods('AnonymousMapping', memmap.Mapping), ...methods('FileMapping', memmap.Mapping),
      ...methods('FileMapping', memmap.FileMapping), ...methods('Reservation', memmap.Reservation), ...methods('Store', Store),
      ...[...LOCK_CLASSES, ...CHANNEL_CLASSES, 'DuplexChannel'].flatMap((name) => methods(name, shm[name])),
    ];
    const without = ['sys.munlockall', 'AnonymousMapping.close', 'FileMapping.close', 'Reservation.close', 'FileMapping.off', 'AnonymousMapping.off', 'SharedMapping.off',
      'SharedMemory.close', 'SharedMapping.close', 'DuplexChannel.close', 'Producer.close', 'Consumer.close', 'Store.close'];
    assert.deepEqual(all.filter((name) => !covered.has(name) && !without.includes(name)), []);
  });

  it('takes the right ones of which the wrong ones are variations', async () => {
    const refused = {
      'sys.mlockall': 'EINVAL', 'sys.mseal': 'EINVAL', 'sys.memfd_create': 'EINVAL', 'sys.pidfd_open': 'EINVAL',
      'sys.futex_wait': 'EAGAIN', 'sys.futex_waitv': /EAGAIN|ENOSYS/,
      'sys.memfd_secret': /EINVAL|ENOSYS/, 'sys.shm_open': 'EINVAL', 'sys.shm_unlink': 'EINVAL',
      'sys.fcntl_get_seals': 'EINVAL', 'sys.fcntl_add_seals': 'EINVAL', 'SharedMemory..open': 'ENOENT',
      'SharedMemory..unlink': 'ENOENT', 'SharedMemory.unlink': 'ERR_MEMMAP_NO_NAME', 'shm.receiveFds': /20|ABORT_ERR/,
      ...DUPLEX_REFUSED, ...NUMA_REFUSED,
    };
    for (const { name, right, call } of SURFACE) {
      const args = right(subject);
      if (name in refused) {
        assert.match(String((await errorOf(() => call(subject, args))).code), new RegExp(refused[name]), name);
      } else if (!/munmap|mremap|seal/.test(name)) {
        const result = await call(subject, args);
        if (result?.close !== undefined && !Object.values(subject).includes(result)) result.close();
        else if (name.endsWith('readOnlyFd')) closeSync(result);
      }
    }
  });

  it('every method of a closed mapping throws ERR_MEMMAP_CLOSED, for an empty part too', async () => {
    for (const one of [subject.private, subject.file, subject.space, subject.shared, subject.sharedMapping]) one.close();
    for (const [key, table] of Object.entries(METHODS)) {
      for (const [method, [right]] of Object.entries(table)) {
        const error = await errorOf(() => subject[key][method](...right(subject)));
        assert.equal(error.code, 'ERR_MEMMAP_CLOSED', `${key}.${method}: ${error.stack}`);
        assert.equal(error.constructor, memmap.StateError);
        assert.equal(error.name, 'StateError');
      }
      const GETTERS = { space: ['address'], shared: ['fd', 'length', 'seals'] };
      for (const getter of GETTERS[key] ?? ['address', 'buffer', 'bytes']) {
        assert.throws(() => subject[key][getter], { code: 'ERR_MEMMAP_CLOSED' }, `${key}.${getter}`);
      }
    }
    for (const method of ['flush', 'evict', 'residency', 'lock', 'unlock', 'populate', 'dataView', 'lines']) {
      assert.throws(() => subject.file[method]({ length: 0 }), { code: 'ERR_MEMMAP_CLOSED' }, method);
    }
  });

  it('every method of a closed store throws ERR_MEMMAP_CLOSED', async () => {
    const store = Store.open(file('closed.db'));
    store.close();
    store.close();
    for (const [method, call] of STORE_METHODS) {
      const error = await errorOf(async () => {
        const made = await call(store);
        return made?.next?.();
      });
      assert.equal(error.code, 'ERR_MEMMAP_CLOSED', `${method}: ${error.stack}`);
    }
    assert.throws(() => store.size, { code: 'ERR_MEMMAP_CLOSED' });
  });

  /** What no function of ours would pass. */
  const OTHERS = [
    [], [null], [0], [1], ['x', {}], [{}], [undefined, 'read', {}], [{ handle: 1, byteOffset: 0, length: 4096 }, 'read', 0, false], [{ fd: 1 }, () => true],
    [Symbol('ours'), 0], [Symbol.for('ours'), 0, () => true],
  ];
  const ILLEGAL = { code: 'ERR_ILLEGAL_CONSTRUCTOR', name: 'TypeError' };
  const MADE = {
    memmap: [memmap, ['Mapping', 'AnonymousMapping', 'FileMapping', 'Reservation']],
    'memmap/shm': [
      shm, ['SharedMemory', 'SharedMapping', 'Connection', 'Listener', 'Channel', 'ChannelServer', 'DuplexChannel', 'Producer', 'Consumer'],
    ],
    'memmap/store': [{ Store }, ['Store']],
  };

  it('new of a class that only functions make is ERR_ILLEGAL_CONSTRUCTOR, and so are its internal statics', () => {
    const before = traces();
    for (const [module, names] of Object.values(MADE)) {
      for (const name of names) {
        for (const args of OTHERS) {
          assert.throws(() => new module[name](...args), ILLEGAL, name);
          assert.throws(() => new (class extends module[name] {})(...args), ILLEGAL, name);
          for (const internal of ['of', 'start']) {
            if (typeof module[name][internal] === 'function') assert.throws(() => module[name][internal](...args), ILLEGAL, `${name}.${internal}`);
          }
        }
      }
    }
    // Fewer: the collector came by, for something else.
    const after = traces();
    for (const [what, count] of Object.entries(after)) assert.ok(count <= before[what], `${what}: ${count}, were ${before[what]}`);
  });

  it('knows all public classes: those that only functions make, errors, and those that check their arguments', () => {
    const free = ['Barrier', 'Event', 'Mutex', 'RwLock', 'Semaphore'];
    for (const [module, names] of Object.values(MADE)) {
      const classes = Object.entries(module).filter(([, value]) => typeof value === 'function' && value.prototype !== undefined && /^class\b/.test(String(value)));
      for (const [name, value] of classes) {
        assert.ok(names.includes(name) || free.includes(name) || value.prototype instanceof Error, `${name} is in no list`);
      }
    }
  });
});
