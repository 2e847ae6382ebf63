// Mutex among threads and processes, its dead owners included: lib/shm/lock/{mutex,lock-word,acquire}.ts,
// lib/shm/wait/{fifo,futex,liveness}.ts, src-native/core/wait/{waiter,liveness}.cc.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { StateError, mapAnonymous } from 'memmap';
import { Mutex } from 'memmap/shm';
import { skip } from '../../support/hooks.mjs';
import { LONG, NO, WAITERS, code, lockMemory } from '../../support/shm/lock-memory.mjs';
import { lockPeers } from '../../support/shm/lock-peers.mjs';
import { run } from '../../support/process/run.mjs';
import { until } from '../../support/until.mjs';

/** What runs a program in a pid namespace of its own. */
const UNSHARED = ['unshare', '--pid', '--fork', '--kill-child'];

/** Of a thread of this process: a Mutex over the buffer it is sent. */
function worker(buffer, body) {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import('memmap/shm').then(async ({ Mutex }) => {
      const mutex = new Mutex(workerData, 0);
      const counter = new Int32Array(workerData, 1024, 1);
      ${body}
    });`;
  return new Worker(program, { eval: true, workerData: buffer });
}

describe('Locks', () => {
  const peer = lockPeers();
  const apart = lockPeers(UNSHARED);
  const at = lockMemory();

  describe('a mutex', () => {
    let mutex;
    beforeEach(() => (mutex = new Mutex(at.memory, 0)));

    it('is had by one process at a time', async () => {
      const TIMES = 20_000;
      const peers = await Promise.all([1, 2, 3].map(() => peer(at.shared.fd, 'count', 'mutex', TIMES)));
      await Promise.all(peers.map((one) => one.done()));
      assert.equal(at.counter[0], 3 * TIMES);
      assert.equal(at.word(0)[0], 0);
    });

    it('is had by one thread at a time, of memory with a file and without', async () => {
      for (const here of [at.memory, mapAnonymous({ length: 4096 })]) {
        const TIMES = 20_000;
        const count = `for (let i = 0; i < ${TIMES}; i++) {
          if (i % 64 === 0) await mutex.lockAsync(); else mutex.lock();
          const before = counter[0];
          for (let j = 0; j < 20; j++) Atomics.load(counter, 0);
          counter[0] = before + 1;
          mutex.unlock();
        }`;
        const workers = [1, 2].map(() => worker(here.buffer, count));
        await Promise.all(workers.map((one) => once(one, 'exit')));
        assert.equal(here.view(Int32Array, { offset: 1024, count: 1 })[0], 2 * TIMES);
      }
    });

    it('goes from an owner that is killed later to those who wait, blocking or not', async () => {
      const owner = await peer(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      const waiter = await peer(at.shared.fd, 'count', 'mutex', 1);
      const here = mutex.lockAsync(LONG);
      await until(() => (at.word(0)[0] & WAITERS) !== 0, 'they wait');
      await owner.kill();
      const { ownerDied } = await here;
      mutex.unlock();
      await waiter.done();
      assert.equal(at.counter[0], 1);
      // One of the two was told; the other found it free.
      assert.equal(typeof ownerDied, 'boolean');
      assert.deepEqual(mutex.tryLock(), { ownerDied: false });
    });

    it('in memory without a file, goes from a thread that ended without unlocking to the next', async () => {
      const here = mapAnonymous({ length: 4096 });
      const mine = new Mutex(here, 0);
      const owner = worker(here.buffer, 'mutex.lock(); parentPort.postMessage(0); setInterval(() => {}, 1000);');
      await once(owner, 'message');
      assert.equal(mine.tryLock(), false);
      await owner.terminate();
      assert.deepEqual(mine.lock(LONG), { ownerDied: true });
    });

    it('tells a live owner from a dead one though its number is one of another pid namespace', async function () {
      if (spawnSync(UNSHARED[0], [...UNSHARED.slice(1), 'true']).status !== 0) skip(this, 'no pid namespaces');
      const owner = await apart(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      assert.throws(() => mutex.lock({ timeout: 200 }), code('TIMEOUT'));
      await owner.kill();
      assert.deepEqual(mutex.lock(LONG), { ownerDied: true });
    });

    it('of this thread again is an error, not a hang', async () => {
      mutex.lock();
      assert.throws(() => mutex.lock(), code('DEADLOCK'));
      assert.equal(mutex.tryLock(), false);
      await assert.rejects(mutex.lockAsync(NO), code('TIMEOUT'));
      mutex.unlock();
      assert.throws(() => mutex.unlock(), code('NOT_OWNER'));
    });

    it('cannot be unlocked by another', async () => {
      const owner = await peer(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      assert.throws(() => mutex.unlock(), (error) => error instanceof StateError && error.code === 'ERR_MEMMAP_NOT_OWNER');
      assert.equal(mutex.tryLock(), false);
    });

    it('serves the tasks of a thread in turn, while its event loop goes on', async () => {
      const owner = await peer(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      const order = [];
      const tasks = [1, 2, 3].map(async (i) => {
        await mutex.lockAsync();
        order.push(i);
        await setTimeout(5);
        mutex.unlock();
      });
      let ticks = 0;
      for (; ticks < 5; ticks++) await setTimeout(10);
      assert.deepEqual(order, []);
      await owner.kill();
      await Promise.all(tasks);
      assert.deepEqual(order, [1, 2, 3]);
    });

    it('can be waited for no longer than one likes', async () => {
      const owner = await peer(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      for (const wait of [() => mutex.lock({ timeout: 0 }), () => mutex.lock(NO), () => mutex.lockAsync(NO)]) {
        const begin = performance.now();
        await assert.rejects(async () => wait(), code('TIMEOUT'));
        assert.ok(wait.toString().includes('timeout: 0') || performance.now() - begin >= NO.timeout - 1);
      }
      const reason = new Error('enough');
      const controller = new AbortController();
      const [first, second] = [1, 2].map(() => mutex.lockAsync({ signal: controller.signal }));
      await setTimeout(20);
      controller.abort(reason);
      await assert.rejects(first, reason);
      await assert.rejects(second, reason);
      await assert.rejects(mutex.lockAsync({ signal: AbortSignal.abort(reason) }), reason);
      const third = mutex.lockAsync(LONG);
      await owner.kill();
      await third;
    });

    it('keeps the process alive while it is waited for, and not after', async () => {
      const owner = await peer(at.shared.fd, 'hold', 'mutex');
      await owner.done();
      const waiting = run('lock-peer', ['lockAsync', 'mutex'], { stdio: [at.shared.fd] });
      await until(() => (at.word(0)[0] & WAITERS) !== 0, 'it waits');
      await owner.kill();
      const { code: status, signal, stderr } = await waiting;
      assert.deepEqual([status, signal, stderr], [0, null, '']);
    });
  });
});

describe('processes killed at random while they hold locks and wait for them', () => {
  it('leave no lock stuck, and nobody untold', async function () {
    this.timeout(240_000);
    const { code: status, stdout, stderr } = await run('../soak/locks', ['--rounds', 60]);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^sound$/m);
  });
});
