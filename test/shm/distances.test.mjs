// Locks and channels between users of one mapping, two mappings, two threads and two processes:
// lib/shm/lock, lib/shm/channel, lib/shm/memory/shared-mapping.ts.
import assert from 'node:assert/strict';
import { Channel } from 'memmap/shm';
import { endKept, keep } from '../support/shm/keep.mjs';
import { CLEAN, LONG, WAITERS, lockMemory } from '../support/shm/lock-memory.mjs';
import { DISTANCES } from '../support/shm/party.mjs';
import { PLACES, thingsOf } from '../support/things.mjs';
import { until } from '../support/until.mjs';

afterEach(endKept);

const TIMES = 400;

/** What passes between `here` and `there`, which have the same lock. `word` is its first one. */
const STORIES = {
  async mutex(here, there, word) {
    here.lock();
    assert.equal(await there.tryLock(), false);
    const waits = there.lockAsync(LONG);
    await until(() => (word[0] & WAITERS) !== 0, 'it waits there');
    here.unlock();
    assert.deepEqual(await waits, CLEAN);
    assert.equal(here.tryLock(), false);
    await there.unlock();
    assert.deepEqual(here.tryLock(), CLEAN);
  },
  async rwLock(here, there, word) {
    here.lockShared();
    assert.deepEqual(await there.tryLockShared(), CLEAN);
    const writes = there.lockAsync(LONG);
    await until(() => word[0] !== 0, 'a writer waits there');
    assert.equal(here.tryLockShared(), false);
    here.unlockShared();
    await there.unlockShared();
    assert.deepEqual(await writes, CLEAN);
    assert.equal(here.tryLock(), false);
    await there.unlock();
    assert.deepEqual(here.tryLock(), CLEAN);
  },
  async semaphore(here, there, word) {
    here.release(2);
    assert.equal(await there.value(), 2);
    await there.acquire();
    here.acquire();
    assert.equal(await there.tryAcquire(), false);
    const waits = there.acquireAsync(LONG);
    await until(() => word[0] === WAITERS, 'it waits there');
    here.release();
    await waits;
    await there.release();
    assert.equal(here.tryAcquire(), true);
  },
  async event(here, there, word) {
    const waits = there.waitAsync(LONG);
    await until(() => word[0] === WAITERS, 'it waits there');
    here.set();
    here.reset(); // it is released all the same
    await waits;
    await there.set();
    here.wait(LONG);
    assert.equal(here.isSet, true);
  },
  async barrier(here, there, word) {
    for (const round of [1, 2, 3]) {
      const waits = there.waitAsync(LONG);
      await until(() => (word[0] & 0xffff) === 1, `it has come there, round ${round}`);
      assert.equal(here.wait(LONG), true);
      assert.equal(await waits, false);
    }
  },
};

const CHANNELS = [
  { kind: 'spsc' },
  { kind: 'mpmc' },
  { kind: 'broadcast', slow: 'wait' },
  { kind: 'broadcast', slow: 'lose' },
];
const MESSAGES = 600;
const numbered = (first, count) => Array.from({ length: count }, (_, i) => first + i);

for (const [distance, party] of Object.entries(DISTANCES)) {
  describe(`memory that is shared ${distance}`, () => {
    describe('for locks', () => {
      const at = lockMemory();
      let here;
      let parties;
      beforeEach(() => {
        here = thingsOf(at);
        parties = [1, 2].map(() => keep(party(at)));
      });

      for (const [name, story] of Object.entries(STORIES)) {
        it(`has a ${name}: both find the same`, async () => {
          await story(here[name], parties[0][name], at.word(PLACES[name]));
        });
      }

      for (const name of ['mutex', 'rwLock', 'semaphore']) {
        it(`has a ${name} in it that one of three has at a time`, async () => {
          if (name === 'semaphore') here.semaphore.release();
          // Who shares a thread may not hold it up.
          const blocks = distance.includes('another') || distance.includes('worker');
          const theirs = parties.map(({ acts }) => acts.count(name, TIMES, blocks));
          await Promise.all([here.acts.count(name, TIMES, false), ...theirs]);
          assert.equal(at.counter[0], 3 * TIMES);
        });
      }
    });

    for (const options of CHANNELS) {
      const name = `a ${options.kind} channel${options.slow === undefined ? '' : `, slow: '${options.slow}',`}`;

      it(`has ${name} that brings each message whole, in order and once, both ways`, async () => {
        for (const away of [true, false]) {
          const channel = keep(Channel.create({ capacity: 1, ...options }));
          const here = thingsOf({ channel });
          keep({ [Symbol.dispose]: () => here.end() });
          const there = keep(party({ channel }));
          const [from, to] = away ? [here, there] : [there, here];
          await to.consumer.tryReceive(); // it is there before the first message
          const receives = to.acts.receive();
          await from.acts.send(0, MESSAGES);
          await from.producer.close();
          const { numbers, lost } = await receives;
          assert.equal(numbers.length + lost, MESSAGES);
          if (options.slow !== 'lose') assert.deepEqual(numbers, numbered(0, MESSAGES));
          else assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
        }
      });
    }

    it('has a mpmc channel that brings each message to one of two, whoever sent it', async () => {
      const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
      const here = thingsOf({ channel });
      keep({ [Symbol.dispose]: () => here.end() });
      const there = keep(party({ channel }));
      const both = [here, there];
      for (const one of both) await one.producer.trySendMany([]); // both are there before one closes
      const receive = both.map((one) => one.acts.receive());
      await Promise.all(both.map((one, i) => one.acts.send(i * MESSAGES, MESSAGES)));
      for (const one of both) await one.producer.close();
      const parts = (await Promise.all(receive)).map(({ numbers }) => numbers);
      assert.deepEqual(parts.flat().toSorted((a, b) => a - b), numbered(0, 2 * MESSAGES));
      for (const [some, first] of parts.flatMap((part) => [[part, 0], [part, MESSAGES]])) {
        const ofOne = some.filter((number) => number >= first && number < first + MESSAGES);
        assert.deepEqual(ofOne, ofOne.toSorted((a, b) => a - b));
      }
    });
  });
}
