// RwLock, Semaphore, Event and Barrier among processes, in memory and in files:
// lib/shm/lock/{rw-lock,semaphore,event,barrier,lock-word}.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { mapAnonymous, mapFile } from 'memmap';
import { Barrier, Event, Mutex, PeerError, RwLock, Semaphore } from 'memmap/shm';
import { LONG, NO, WAITERS, code, lockMemory } from '../../support/shm/lock-memory.mjs';
import { lockPeers } from '../../support/shm/lock-peers.mjs';
import { LOCK_METHODS } from '../../support/boundary/surface-locks.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';


describe('Locks', () => {
  const file = temporaryFiles();
  const peer = lockPeers();
  const at = lockMemory();

  describe('a lock for readers and writers', () => {
    let lock;
    beforeEach(() => (lock = new RwLock(at.memory, 256)));

    it('is had by many readers, and by no writer beside them', async () => {
      const reader = await peer(at.shared.fd, 'holdShared', 'rwLock');
      await reader.done();
      lock.lockShared();
      lock.lockShared();
      assert.equal(lock.tryLock(), false);
      assert.throws(() => lock.lock(), code('DEADLOCK'));
      lock.unlockShared();
      lock.unlockShared();
      assert.throws(() => lock.unlockShared(), code('NOT_OWNER'));
      assert.throws(() => lock.lock(NO), code('TIMEOUT'));
      assert.deepEqual(lock.tryLockShared(), { ownerDied: false });
      lock.unlockShared();
    });

    it('goes to a writer when the readers before it are dead: nothing is half-changed', async () => {
      const readers = await Promise.all([1, 2].map(() => peer(at.shared.fd, 'holdShared', 'rwLock')));
      await Promise.all(readers.map((one) => one.done()));
      const writing = lock.lockAsync(LONG);
      await until(() => at.word(256)[0] !== 0, 'the writer waits');
      assert.equal(lock.tryLockShared(), false);
      await Promise.all(readers.map((one) => one.kill()));
      assert.deepEqual(await writing, { ownerDied: false });
      lock.unlock();
    });

    it('tells readers and the next writer that a writer died', async () => {
      const writer = await peer(at.shared.fd, 'hold', 'rwLock');
      await writer.done();
      assert.equal(lock.tryLockShared(), false);
      const reading = lock.lockSharedAsync(LONG);
      await writer.kill();
      assert.deepEqual(await reading, { ownerDied: true });
      lock.unlockShared();
      assert.deepEqual(lock.lock(), { ownerDied: true });
      lock.unlock();
      assert.deepEqual(lock.lockShared(), { ownerDied: false });
      lock.unlockShared();
    });

    it('has room for 62 readers; one more waits', async () => {
      for (let i = 0; i < 62; i++) await lock.lockSharedAsync(LONG);
      assert.equal(lock.tryLockShared(), false);
      const late = lock.lockSharedAsync(LONG);
      await setTimeout(20);
      lock.unlockShared();
      await late;
      for (let i = 0; i < 62; i++) lock.unlockShared();
      assert.deepEqual(lock.tryLock(), { ownerDied: false });
    });
  });

  describe('a semaphore', () => {
    it('gives out what was given, among processes', async () => {
      const semaphore = new Semaphore(at.memory, 512);
      assert.equal(semaphore.tryAcquire(), false);
      assert.throws(() => semaphore.acquire(NO), code('TIMEOUT'));
      const peers = await Promise.all([1, 2].map(() => peer(at.shared.fd, 'count', 'semaphore', 2000)));
      semaphore.release();
      await Promise.all(peers.map((one) => one.done()));
      assert.deepEqual([at.counter[0], semaphore.value], [4000, 1]);
      assert.throws(() => semaphore.release(Semaphore.MAX_VALUE), { code: 'ERR_OUT_OF_RANGE' });
      semaphore.release(2);
      await semaphore.acquireAsync();
      assert.equal(semaphore.value, 2);
    });
  });

  describe('an event', () => {
    it('releases all who wait, here and elsewhere, and stays set', async () => {
      const event = new Event(at.memory, 520);
      const peers = await Promise.all(['wait', 'waitAsync'].map((act) => peer(at.shared.fd, act, 'event')));
      const here = [1, 2].map(() => event.waitAsync());
      assert.throws(() => event.wait(NO), code('TIMEOUT'));
      event.set();
      event.reset(); // they are released all the same
      await Promise.all(here);
      event.set();
      await Promise.all(peers.map((one) => one.done()));
      assert.equal(event.isSet, true);
      event.wait();
    });
  });

  describe('a barrier', () => {
    it('is passed when all have come, and one of them is the last', async () => {
      const barrier = new Barrier(at.memory, 528, 2);
      assert.throws(() => barrier.wait(NO), code('TIMEOUT'));
      assert.deepEqual(await Promise.all([barrier.waitAsync(), barrier.waitAsync()]), [false, true]);
      const other = await peer(at.shared.fd, 'wait', 'barrier');
      barrier.wait(LONG);
      await other.done();
      assert.throws(() => new Barrier(at.memory, 528, 3).wait(), { code: 'ERR_INVALID_ARG_VALUE' });
    });
  });

  it('find a word that no lock can have written: ERR_MEMMAP_CORRUPT, with its offset', async () => {
    const impossible = [
      [0, [WAITERS, 1 << 29, 0x4000_0000, -1], () => new Mutex(at.memory, 0).lock()],
      [0, [WAITERS, 1 << 29, -1], () => new Mutex(at.memory, 0).tryLock()],
      [0, [WAITERS], () => new Mutex(at.memory, 0).lockAsync()],
      [256, [WAITERS, 0x4000_0001, -1], () => new RwLock(at.memory, 256).lockShared()],
      [264, [WAITERS, -1], () => new RwLock(at.memory, 256).lock(), 256],
      [512, [1 << 29, -1], () => new Semaphore(at.memory, 512).acquire()],
      [512, [1 << 30], () => new Semaphore(at.memory, 512).release()],
      [520, [WAITERS | 1, -1], () => new Event(at.memory, 520).wait()],
      [528, [2, 3, -1], () => new Barrier(at.memory, 528, 2).wait()],
      [532, [-1, 70_000], () => new Barrier(at.memory, 528, 2).wait(), 528],
    ];
    for (const [offset, values, call, start = offset] of impossible) {
      for (const value of values) {
        at.memory.bytes.fill(0);
        at.word(offset)[0] = value;
        await assert.rejects(async () => call(), (error) => {
          assert.ok(error instanceof PeerError, error.stack);
          assert.deepEqual([error.code, error.offset], ['ERR_MEMMAP_CORRUPT', offset], `${start}: ${value}`);
          return true;
        });
      }
    }
  });

  it('of a closed mapping throw ERR_MEMMAP_CLOSED, those who wait too', async () => {
    const mapping = mapAnonymous({ length: 4096, sharing: 'shared' });
    const classes = { Mutex, RwLock, Semaphore, Event, Barrier };
    const locks = Object.fromEntries(Object.entries(classes).map(([name, Class]) => [name, new Class(mapping, 0, 1)]));
    mapping.view(Int32Array)[128] = 0;
    const event = new Event(mapping, 512);
    const waiting = assert.rejects(event.waitAsync(), code('CLOSED'));
    mapping.close();
    await waiting;
    for (const [name, method, args] of LOCK_METHODS) {
      await assert.rejects(async () => locks[name][method](...args), code('CLOSED'), `${name}.${method}`);
    }
    assert.throws(() => new Mutex(mapping, 0), code('CLOSED'));
  });

  it('follow a mapping that is resized', () => {
    const mapping = mapAnonymous({ length: 4096, sharing: 'shared' });
    const mutex = new Mutex(mapping, 0);
    mutex.lock();
    mapping.resize(2 ** 20);
    assert.notEqual(mapping.view(Int32Array)[0], 0);
    mutex.unlock();
    assert.equal(mapping.view(Int32Array)[0], 0);
    mapping.close();
  });

  it('are in files, too: the owner dies with its descriptor', async () => {
    const path = file('locks', Buffer.alloc(4096));
    const mapping = mapFile(path, { access: 'read-write' });
    const mutex = new Mutex(mapping, 0);
    const fd = openSync(path, 'r+');
    const script = `
      import { mapFile } from 'memmap';
      import { Mutex } from 'memmap/shm';
      new Mutex(mapFile(${JSON.stringify(path)}, { access: 'read-write' }), 0).lock();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(mutex.lock(), { ownerDied: true });
    closeSync(fd);
    rmSync(path);
    // The lock is open: that the name is gone does not matter.
    mutex.unlock();
    const readable = mapFile(file('readable', Buffer.alloc(4096)));
    assert.throws(() => new Mutex(readable, 0), { code: 'ERR_INVALID_ARG_VALUE' });
    readable.close();
    mapping.close();
  });

  it('are where the memory is: a file whose name and descriptors are gone is ENOENT, or is found', () => {
    const path = file('gone', Buffer.alloc(4096));
    const mapping = mapFile(path, { access: 'read-write' });
    rmSync(path);
    try {
      new Mutex(mapping, 0).lock();
      const links = readdirSync('/proc/self/fd').map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return '';
        }
      });
      assert.ok(links.includes(`${path} (deleted)`)); // the privileged find it
    } catch (error) {
      assert.ok(['ENOENT', 'EPERM'].includes(error.code), error.stack);
    }
    mapping.close();
  });
});
