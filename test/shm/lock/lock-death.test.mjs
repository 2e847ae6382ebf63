// Every lock when a process is killed, or a worker terminated, half-way: lib/shm/lock/lock-word.ts,
// lib/shm/lock/algorithm, lib/shm/wait/liveness.ts.
import assert from 'node:assert/strict';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { CLEAN, INHERITED, LONG, WAITERS, lockMemory } from '../../support/shm/lock-memory.mjs';
import { MORTAL } from '../../support/shm/party.mjs';
import { PLACES, thingsOf } from '../../support/things.mjs';
import { until } from '../../support/until.mjs';

afterEach(endKept);

function free(lock) {
  assert.deepEqual(lock.tryLock(), CLEAN);
  lock.unlock();
}

/**
 * Of a lock: what the victim does, what there is before that, when it is killed, and what those
 * who are left find. `here` has the same lock, `word` is its first one.
 */
const LOCKS = [
  ...['lock', 'lockAsync'].map((act) => ({
    name: 'mutex',
    what: `has it, by ${act}()`,
    dies: (there) => there.mutex[act](),
    after(here) {
      assert.deepEqual(here.lock(LONG), INHERITED);
      here.unlock();
      free(here);
    },
  })),
  {
    name: 'mutex',
    what: 'has it in a critical section that never ends',
    dies: (there) => [there.acts.hold('mutex', 'lock'), there.reached][1],
    after: (here) => assert.deepEqual(here.lock(LONG), INHERITED),
  },
  ...['lock', 'lockAsync'].map((act) => ({
    name: 'mutex',
    what: `waits for it, by ${act}()`,
    before: (here) => here.lock(),
    dies: (there, word) => [there.mutex[act](), until(() => (word[0] & WAITERS) !== 0, 'it waits')][1],
    async after(here) {
      const next = here.lockAsync(LONG);
      here.unlock();
      assert.deepEqual(await next, CLEAN);
      here.unlock();
      free(here);
    },
  })),
  {
    name: 'rwLock',
    what: 'writes',
    dies: (there) => [there.acts.hold('rwLock', 'lock'), there.reached][1],
    after(here) {
      assert.deepEqual(here.lockShared(LONG), INHERITED);
      here.unlockShared();
      assert.deepEqual(here.lock(LONG), INHERITED);
      here.unlock();
      free(here);
    },
  },
  {
    name: 'rwLock',
    what: 'reads',
    dies: (there) => [there.acts.hold('rwLock', 'lockShared'), there.reached][1],
    after: (here) => assert.deepEqual(here.lock(LONG), CLEAN),
  },
  ...['lock', 'lockAsync'].map((act) => ({
    name: 'rwLock',
    what: `waits to write, by ${act}()`,
    before: (here) => here.lockShared(),
    dies: (there, word) => [there.rwLock[act](), until(() => word[0] !== 0, 'it waits')][1],
    after(here) {
      // It had begun: the word was its own already.
      assert.deepEqual(here.tryLockShared(), INHERITED);
      here.unlockShared();
      here.unlockShared();
      assert.deepEqual(here.lock(LONG), INHERITED);
      here.unlock();
      free(here);
    },
  })),
  ...['lockShared', 'lockSharedAsync'].map((act) => ({
    name: 'rwLock',
    what: `waits to read, by ${act}()`,
    before: (here) => here.lock(),
    dies: (there, word) => [there.rwLock[act](), until(() => (word[0] & WAITERS) !== 0, 'it waits')][1],
    after(here) {
      here.unlock();
      free(here);
    },
  })),
  {
    name: 'semaphore',
    what: 'has a permit, which is gone',
    before: (here) => here.release(2),
    dies: (there) => there.semaphore.acquire(),
    after: (here) => assert.equal(here.value, 1),
  },
  ...['acquire', 'acquireAsync'].map((act) => ({
    name: 'semaphore',
    what: `waits for a permit, by ${act}()`,
    dies: (there, word) => [there.semaphore[act](), until(() => word[0] === WAITERS, 'it waits')][1],
    async after(here) {
      const next = here.acquireAsync(LONG);
      here.release();
      await next;
      assert.equal(here.value, 0);
    },
  })),
  ...['wait', 'waitAsync'].map((act) => ({
    name: 'event',
    what: `waits for it, by ${act}()`,
    dies: (there, word) => [there.event[act](), until(() => word[0] === WAITERS, 'it waits')][1],
    async after(here) {
      const next = here.waitAsync(LONG);
      here.set();
      await next;
    },
  })),
  ...['wait', 'waitAsync'].map((act) => ({
    name: 'barrier',
    what: `has come, by ${act}(): it counts`,
    dies: (there, word) => [there.barrier[act](), until(() => word[0] === 1, 'it has come')][1],
    after: (here) => assert.equal(here.wait(LONG), true),
  })),
];

for (const [victim, party] of Object.entries(MORTAL)) {
  describe(`${victim} at a lock`, () => {
    const at = lockMemory();

    for (const { name, what, before, dies, after } of LOCKS) {
      it(`holds nobody up when it ${what}: ${name}`, async () => {
        const here = thingsOf(at)[name];
        const word = at.word(PLACES[name]);
        const there = keep(party(at));
        before?.(here);
        await dies(there, word);
        await there.kill();
        await Promise.resolve(after(here));
      });
    }
  });
}
