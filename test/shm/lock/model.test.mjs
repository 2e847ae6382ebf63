// The locks' own algorithms over a simulated memory, in every order of their steps: lib/shm/lock/algorithm.
import assert from 'node:assert/strict';
import {
  ABORTED, ALIVE, CAS, DIED, DONE, EXPIRED, LAST, LOAD, OWNER_DIED, SWAP, Violation, WAIT, WAITERS, WAKE, acquire,
  acquireExclusive, acquireShared, arrive, awaitSet, begin, enter, explore, give, leave, leaveShared, mutated, note, release,
  releaseExclusive, reset, set, take,
} from '../../support/shm/model.mjs';

const party = (id) => ({ id, tasks: false, waits: true });
const same = (step) => [step];
const failed = (outcome) => outcome === EXPIRED || outcome === ABORTED;

/** Threads 1 to `count`, each running `steps(me, id)`. */
const crew = (count, steps, more = {}) =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1, steps: () => steps(party(i + 1), i + 1), ...more }));

const atLoad = ([what]) => what === LOAD;

const violates = (model, pattern) =>
  assert.throws(
    () => explore(model),
    (error) => error instanceof Violation && pattern.test(error.message),
  );

describe('Every order of', function () {
  this.timeout(120_000);

  describe('a mutex', () => {
    const rounds = (times, locking = same, unlocking = same) =>
      function* run(me) {
        for (let i = 0; i < times; i++) {
          const outcome = yield* mutated(acquire(me, 0), locking);
          if (failed(outcome)) return;
          assert.ok(outcome === DONE || outcome === OWNER_DIED);
          yield enter(outcome);
          yield leave();
          assert.equal(yield* mutated(release(me, 0, 1), unlocking), DONE);
        }
      };
    // At the top of its loop, and nowhere else, acquire() loads.
    const team = (count, steps) => crew(count, steps, { forgets: atLoad });
    const free = ({ memory, died }) => {
      if (died === 0) assert.deepEqual(memory, [0]);
    };

    it('two threads, twice each', () => {
      explore({ threads: team(2, rounds(2)), words: 1, told: OWNER_DIED, check: free });
    });

    it('three threads', () => {
      explore({ threads: team(3, rounds(1)), words: 1, told: OWNER_DIED, check: free });
    });

    it('two threads that look again for no reason', () => {
      explore({ threads: team(2, rounds(2)), words: 1, told: OWNER_DIED, looks: 2, check: free });
    });

    it('three threads of which one dies at any step', () => {
      explore({ threads: team(3, rounds(1)), words: 1, told: OWNER_DIED, deaths: 1 });
    });

    it('three threads of which two die', () => {
      explore({ threads: team(3, rounds(1)), words: 1, told: OWNER_DIED, deaths: 2 });
    });

    it('three threads of which one gives up', () => {
      const [first, ...others] = team(3, rounds(1));
      explore({ threads: [{ ...first, givesUp: true }, ...others], words: 1, told: OWNER_DIED, check: free });
    });

    it('is searched well enough to find what is wrong', () => {
      const three = (locking, unlocking, more) =>
        ({ threads: team(3, rounds(1, locking, unlocking)), words: 1, told: OWNER_DIED, ...more });
      const marks = ([what, , before, after]) => what === CAS && before !== 0 && after === (before | WAITERS);
      const sleepless = {
        'waking before storing': three(same, (step) => (step[0] === SWAP ? [[WAKE, 0, 1, 0], step] : step[0] === WAKE ? [] : [step])),
        'no wake-up': three(same, (step) => (step[0] === WAKE ? [] : [step])),
        'a free word taken without the mark of who slept': three((step) =>
          (step[0] === CAS && step[2] === 0 ? [[CAS, 0, 0, step[3] & ~WAITERS]] : [step])),
        'sleeping without a mark': three((step) =>
          (marks(step) ? step[2] : step[0] === WAIT ? [[WAIT, 0, step[2] & ~WAITERS, 0]] : [step])),
      };
      for (const model of Object.values(sleepless)) violates(model, /sleep for ever/);
      const beside = {
        'an owner taken for dead': three((step) => (step[0] === ALIVE ? 0 : [step]), same, { deaths: 1 }),
        'a store for an exchange': three((step) => (step[0] === CAS && step[2] === 0 ? [[SWAP, 0, step[3], 0]] : [step])),
      };
      for (const model of Object.values(beside)) violates(model, /beside another|outcome === DONE/);
      const lifeless = three((step) => (step[0] === ALIVE ? 1 : [step]), same, { deaths: 1 });
      violates(lifeless, /is stuck/);
    });
  });

  describe('a lock for readers and writers', () => {
    // Slots for readers: more readers than slots must wait for one, too.
    let slots = 1;
    const words = 4;
    beforeEach(() => (slots = 1));
    const writer = (change = same) =>
      function* write(me) {
        const outcome = yield* mutated(acquireExclusive(me, slots), change);
        if (failed(outcome)) return;
        yield enter(outcome);
        yield leave();
        assert.equal(yield* releaseExclusive(me), DONE);
      };
    const reader = (change = same) =>
      function* read(me) {
        const hold = { slot: 0 };
        const outcome = yield* mutated(acquireShared(me, slots, hold), change);
        if (failed(outcome)) return;
        yield enter(outcome, true);
        yield leave();
        yield* leaveShared(me, hold.slot);
      };
    // At the top of a loop it loads the writer's word, and again only right after it took a slot.
    const forgets = ([what, at], before) => what === LOAD && at === 0 && !(before?.[0] === CAS && before[1] > 0);
    const as = (...kinds) => kinds.map((kind, i) => ({ id: i + 1, steps: () => kind(party(i + 1)), forgets }));

    it('a writer and a reader, and two slots', () => {
      slots = 2;
      explore({ threads: as(writer(), reader()), words, told: OWNER_DIED, looks: 1 });
    });

    it('two writers and a reader', () => {
      explore({ threads: as(writer(), writer(), reader()), words, told: OWNER_DIED });
    });

    it('a writer and two readers, and two slots', () => {
      slots = 2;
      explore({ threads: as(writer(), reader(), reader()), words, told: OWNER_DIED });
    });

    it('a writer and a reader of which one dies, and two slots', () => {
      slots = 2;
      explore({ threads: as(writer(), reader()), words, told: OWNER_DIED, deaths: 1 });
    });

    it('two writers and a reader of which one dies', () => {
      explore({ threads: as(writer(), writer(), reader()), words, told: OWNER_DIED, deaths: 1 });
    });

    it('a writer that gives up, another, and a reader', () => {
      const [first, ...others] = as(writer(), writer(), reader());
      explore({ threads: [{ ...first, givesUp: true }, ...others], words, told: OWNER_DIED });
    });

    it('is searched well enough to find what is wrong', () => {
      // A reader that does not look again after it has taken its slot.
      let loads = 0;
      const blind = function* blind(me) {
        loads = 0;
        yield* reader((step) => (step[0] === LOAD && step[1] === 0 && ++loads > 1 ? 0 : [step]))(me);
      };
      violates({ threads: as(writer(), blind), words, told: OWNER_DIED }, /beside another/);
      // A writer that does not look at slots.
      violates({ threads: as(writer((step) => (step[1] >= 2 ? 0 : [step])), reader()), words }, /beside another/);
      // A reader that passes over a dead writer in silence.
      const silent = reader((step) => (step[0] === CAS && step[3] === DIED ? [[CAS, 0, step[2], 0]] : [step]));
      violates({ threads: as(writer(), silent), words, told: OWNER_DIED, deaths: 1 }, /is not told/);
    });
  });

  describe('a semaphore', () => {
    const worker = (change = same) =>
      function* work(me) {
        if (failed(yield* mutated(take(me), change))) return;
        yield enter(DONE);
        yield leave();
        assert.equal(yield* give(1), DONE);
      };
    const taker = (change = same) =>
      function* wait(me) {
        if (!failed(yield* mutated(take(me), change))) yield note('took');
      };
    const giver = function* run() {
      yield* give(1);
      yield begin('second');
      yield* give(1);
    };
    // At the tops of their loops, and nowhere else, take() and give() load.
    const team = (count, steps) => crew(count, steps, { forgets: atLoad });
    const all = ({ notes }) => assert.equal(notes.filter((what) => what === 'took').length, 2);

    it('one permit and three threads', () => {
      explore({ threads: team(3, worker()), words: [1], check: ({ memory }) => assert.equal(memory[0] & ~WAITERS, 1) });
    });

    it('two who take, and one who gives twice', () => {
      explore({ threads: [...crew(2, taker()), { id: 3, steps: giver }], words: [0], check: all });
    });

    it('one permit and three threads of which one gives up', () => {
      const [first, ...others] = team(3, worker());
      explore({ threads: [{ ...first, givesUp: true }, ...others], words: [1] });
    });

    it('three who take of which one dies, and one who gives three times', () => {
      const third = function* run() {
        yield* giver();
        yield begin('third');
        yield* give(1);
      };
      explore({ threads: [...team(3, taker()), { id: 4, steps: third, immortal: true, forgets: atLoad }], words: [0], deaths: 1 });
    });

    it('is searched well enough to find what is wrong', () => {
      const alone = (step) => (step[0] === WAKE ? [] : [step]);
      violates({ threads: [...crew(2, taker(alone)), { id: 3, steps: giver }], words: [0] }, /sleep for ever/);
      const torn = (step) => (step[0] === CAS && step[3] === step[2] - 1 ? [[SWAP, 0, step[3], 0], [LOAD, 1, 0, 0]] : [step]);
      violates({ threads: crew(2, worker(torn)), words: [1, 1] }, /beside another/);
    });
  });

  describe('an event', () => {
    const waiter = (change = same) =>
      function* wait(me) {
        yield* mutated(awaitSet(me), change);
        yield note('saw');
      };
    const setter = (change = same) =>
      function* run() {
        yield* mutated(set(), change);
      };

    it('two who wait and one who sets it', () => {
      explore({ threads: [...crew(2, waiter()), { id: 3, steps: setter() }], words: 1, looks: 1 });
    });

    it('one who waits before it is set and reset is released', () => {
      // The setter begins when the waiter has begun.
      const pulse = function* run(me) {
        while ((yield [LOAD, 1, 0, 0]) === 0) if (failed(yield [WAIT, 1, 0, 0])) return;
        yield* set(me);
        yield* reset(me);
      };
      const early = function* run(me) {
        const steps = awaitSet(me);
        let next = steps.next();
        next = steps.next(yield next.value);
        yield [SWAP, 1, 1, 0];
        yield [WAKE, 1, 1, 0];
        while (!next.done) next = steps.next(yield next.value);
        yield note('saw');
      };
      const model = { threads: [{ id: 1, steps: () => early(party(1)) }, { id: 2, steps: () => pulse(party(2)) }], words: 2 };
      explore({ ...model, check: ({ notes }) => assert.deepEqual(notes, ['saw']) });
    });

    it('is searched well enough to find what is wrong', () => {
      const quiet = setter((step) => (step[0] === WAKE ? [] : [step]));
      violates({ threads: [...crew(1, waiter()), { id: 3, steps: quiet }], words: 1 }, /sleep for ever/);
      const early = setter((step) => (step[0] === CAS ? [[WAKE, 0, 9, 0], step] : step[0] === WAKE ? [] : [step]));
      violates({ threads: [...crew(1, waiter()), { id: 3, steps: early }], words: 1 }, /sleep for ever/);
    });
  });

  describe('a barrier', () => {
    const comer = (parties, times, change = same) =>
      function* come(me) {
        for (let i = 0; i < times; i++) {
          yield begin(`${i} comes`);
          const outcome = yield* mutated(arrive(me, parties), change);
          if (failed(outcome)) return;
          yield note(outcome === LAST ? `${i} last` : `${i} goes`);
        }
      };
    const inRounds = (parties, times) => ({ notes }) => {
      for (let i = 0; i < times; i++) {
        assert.equal(notes.filter((what) => what === `${i} last`).length, 1);
        const goes = notes.findIndex((what) => what === `${i} last` || what === `${i} goes`);
        assert.ok(notes.filter((what, at) => what === `${i} comes` && at < goes).length === parties, notes.join(', '));
      }
    };

    it('two threads that meet twice', () => {
      explore({ threads: crew(2, comer(2, 2)), words: 2, check: inRounds(2, 2) });
    });

    it('three threads that meet', () => {
      explore({ threads: crew(3, comer(3, 1)), words: 2, check: inRounds(3, 1) });
    });

    it('two of three that give up leave no trace', () => {
      const threads = crew(2, comer(3, 1), { givesUp: true });
      explore({ threads, words: 2, check: ({ memory }) => assert.equal(memory[0], 0) });
    });

    it('is searched well enough to find what is wrong', () => {
      const quiet = (step) => (step[0] === WAKE ? [] : [step]);
      violates({ threads: crew(2, comer(2, 1, quiet)), words: 2 }, /sleep for ever/);
    });
  });
});
