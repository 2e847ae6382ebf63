// Locks in memory that its file has lost throw, as that memory is no longer shared:
// lib/shm/lock/{same-memory,lock-word}.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { mapAnonymous, mapFile } from 'memmap';
import { Barrier, Event, Mutex, RwLock, Semaphore } from 'memmap/shm';
import { PAGE_SIZE as PAGE } from 'memmap/sys';
import { closedAfterEach } from '../../support/descriptors.mjs';
import { fillFileSystem, smallTmpfs } from '../../support/kernel/mount.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const TIMEOUT = { timeout: 20 };
const lost = { name: 'FaultError', code: 'ERR_MEMMAP_TRUNCATED' };

/** What can be done to each lock, in a fresh one. */
const LOCKS = {
  Mutex: {
    make: (memory, offset) => new Mutex(memory, offset),
    hold: (lock) => lock.lock(),
    acts: {
      lock: (lock) => lock.lock(),
      'lock with a timeout': (lock) => lock.lock(TIMEOUT),
      tryLock: (lock) => lock.tryLock(),
      lockAsync: (lock) => lock.lockAsync(TIMEOUT),
      unlock: (lock) => lock.unlock(),
    },
  },
  RwLock: {
    make: (memory, offset) => new RwLock(memory, offset),
    hold: (lock) => lock.lockShared(),
    acts: {
      lock: (lock) => lock.lock(TIMEOUT),
      tryLock: (lock) => lock.tryLock(),
      lockAsync: (lock) => lock.lockAsync(TIMEOUT),
      lockShared: (lock) => lock.lockShared(TIMEOUT),
      tryLockShared: (lock) => lock.tryLockShared(),
      lockSharedAsync: (lock) => lock.lockSharedAsync(TIMEOUT),
      unlock: (lock) => lock.unlock(),
    },
  },
  Semaphore: {
    make: (memory, offset) => new Semaphore(memory, offset),
    hold: (lock) => lock.release(),
    acts: {
      acquire: (lock) => lock.acquire(TIMEOUT),
      tryAcquire: (lock) => lock.tryAcquire(),
      acquireAsync: (lock) => lock.acquireAsync(TIMEOUT),
      release: (lock) => lock.release(),
      value: (lock) => lock.value,
    },
  },
  Event: {
    make: (memory, offset) => new Event(memory, offset),
    hold: (lock) => lock.set(),
    acts: {
      wait: (lock) => lock.wait(TIMEOUT),
      waitAsync: (lock) => lock.waitAsync(TIMEOUT),
      set: (lock) => lock.set(),
      reset: (lock) => lock.reset(),
      isSet: (lock) => lock.isSet,
    },
  },
  Barrier: {
    make: (memory, offset) => new Barrier(memory, offset, 1),
    hold: (lock) => lock.wait(),
    acts: { wait: (lock) => lock.wait(TIMEOUT), waitAsync: (lock) => lock.waitAsync(TIMEOUT) },
  },
};

describe('a lock in memory that a file has lost', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();
  const tmpfs = smallTmpfs('1m');

  function map(path = file('lost', Buffer.alloc(2 * PAGE))) {
    return keep(mapFile(path, { access: 'read-write' }));
  }

  for (const [name, { make, hold, acts }] of Object.entries(LOCKS)) {
    for (const [act, run] of Object.entries(acts)) {
      it(`throws, whatever it would have come to: ${name} ${act}`, async () => {
        for (const before of [() => {}, hold]) {
          const mapping = map();
          const lock = make(mapping, PAGE);
          before(lock);
          truncateSync(mapping.path, PAGE);
          await assert.rejects(async () => run(lock), lost);
          await assert.rejects(async () => run(lock), lost, 'again');
        }
      });
    }

    it(`is one again when the file has the memory again: ${name}`, () => {
      const mapping = map();
      const lock = make(mapping, PAGE);
      truncateSync(mapping.path, PAGE);
      assert.throws(() => hold(lock), lost);
      truncateSync(mapping.path, 2 * PAGE);
      assert.throws(() => hold(lock), lost, 'the mapping shows zeros still');
      mapping.refresh();
      hold(lock);
    });
  }

  it('has no owner in two processes: nor in two mappings', () => {
    const mappings = [map(), map(file('lost'))];
    const locks = mappings.map((mapping) => new Mutex(mapping, PAGE));
    truncateSync(mappings[0].path, PAGE);
    for (const lock of locks) assert.throws(() => lock.lock(), lost);
  });

  it('goes on before the lost end', () => {
    const mapping = map();
    const lock = new Mutex(mapping, 0);
    lock.lock();
    truncateSync(mapping.path, PAGE);
    assert.equal(mapping.bytes[PAGE], 0);
    lock.unlock();
    assert.deepEqual(lock.tryLock(), { ownerDied: false });
  });

  it('is not made there', () => {
    const mapping = map();
    truncateSync(mapping.path, PAGE);
    assert.equal(mapping.bytes[PAGE], 0);
    assert.throws(() => new Mutex(mapping, PAGE), lost);
  });

  it('ends the waiting of those who wait', async () => {
    const mapping = map();
    const waiting = new Event(mapping, PAGE).waitAsync({ timeout: 20_000 });
    truncateSync(mapping.path, PAGE);
    await assert.rejects(waiting, lost);
  });

  it('throws where there is no space for its page', () => {
    const path = tmpfs('hole');
    closeSync(openSync(path, 'w'));
    truncateSync(path, 2 * PAGE);
    const mapping = map(path);
    fillFileSystem(tmpfs('filler'));
    const lock = new Mutex(mapping, PAGE);
    assert.throws(() => lock.lock(), { name: 'FaultError', code: 'ERR_MEMMAP_NO_SPACE' });
  });

  it('throws in a worker that has the buffer alone', async () => {
    const mapping = map();
    const worker = new Worker(`
      const { parentPort, workerData } = require('node:worker_threads');
      import('memmap/shm').then(({ Mutex }) => {
        const lock = new Mutex(workerData.buffer, workerData.offset);
        parentPort.once('message', () => {
          try { lock.lock(); parentPort.postMessage('locked'); } catch ({ code }) { parentPort.postMessage(code); }
        });
        parentPort.postMessage('ready');
      });`, { eval: true, workerData: { buffer: mapping.buffer, offset: PAGE } });
    const next = () => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.equal(await next(), 'ready');
    truncateSync(mapping.path, PAGE);
    worker.postMessage('lock');
    assert.equal(await next(), 'ERR_MEMMAP_FAULT');
    await worker.terminate();
  });

  it('is not one of memory without a file, which is of this process alone', () => {
    const memory = keep(mapAnonymous({ length: 2 * PAGE }));
    const lock = new Mutex(memory, 0);
    memory.protect('none', { offset: PAGE });
    assert.equal(memory.bytes[PAGE], 0);
    lock.lock();
    lock.unlock();
  });

  it('follows a file that others overwrite', () => {
    const mapping = map();
    const lock = new Mutex(mapping, 0);
    const fd = openSync(mapping.path, 'r+');
    writeSync(fd, 'x', PAGE);
    closeSync(fd);
    lock.lock();
    lock.unlock();
  });
});
