// A simulated memory, and every order in which a few threads can run over it.
//
// A thread is a generator of steps: those of the locks' own code in lib/shm/lock/algorithm, and
// `enter` and `leave`, which say what it does in between. A state is what the memory holds and
// what each thread has been answered so far; states that are the same are visited once.
import { ALIVE, CAS, LOAD, SPIN, SWAP, WAIT, WAKE } from '../../../.unbundled/shm/lock/algorithm/operation.js';
import { ABORTED, EXPIRED, WOKEN } from '../../../.unbundled/shm/wait/outcome.js';

export * from '../../../.unbundled/shm/lock/algorithm/operation.js';
export * from '../../../.unbundled/shm/wait/outcome.js';
export { ID } from '../../../.unbundled/shm/wait/owner-id.js';
export { arrive, LAST } from '../../../.unbundled/shm/lock/algorithm/barrier.js';
export { awaitSet, reset, set } from '../../../.unbundled/shm/lock/algorithm/event.js';
export { acquire, release } from '../../../.unbundled/shm/lock/algorithm/mutex.js';
export { acquireExclusive, acquireShared, leave as leaveShared, releaseExclusive } from '../../../.unbundled/shm/lock/algorithm/rw-lock.js';
export { give, take } from '../../../.unbundled/shm/lock/algorithm/semaphore.js';

// None of these is a step of its own: `enter` and `note` come with the step before them,
// `leave` and `begin` with the one after them, where others have the most to find fault with.

/** It is in: alone, or with others who share. `outcome` tells whether the owner before died. */
export const enter = (outcome, shares = false) => ['enter', outcome, shares];
export const leave = () => ['leave'];
/** Something has happened, or begins, that `check` of the model can see. */
export const note = (what) => ['note', what];
export const begin = (what) => ['begin', what];

export class Violation extends Error {}

/** Quiet rounds of looking again, of one thread, before it counts as stuck. */
const PATIENCE = 4;
/** Answers to a thread that would have ended, were it ever to end. */
const ENDLESS = 100;

/**
 * Explores the threads in every order. Throws a Violation with the schedule that leads to it.
 *
 * @param threads { id, steps: () => generator, givesUp: whether its time to wait may be over,
 * immortal, forgets: (step, before) => whether, about to do this step after the one before, it knows
 * no more than whether it has spun and slept since it entered or left }
 * @param words how many words, or what they hold
 * @param deaths how many threads may die, each at any of its steps
 * @param looks how many times somebody may wake for no reason
 * @param told outcome of `enter` that tells that the owner died; else nobody checks
 * @param check called with the notes of a finished run: throws what is wrong with them
 */
export function explore({ threads, words, deaths = 0, looks = 0, told, check = () => {} }) {
  const memory = Array.isArray(words) ? words : Array.from({ length: words }, () => 0);
  const seen = new Set();
  const stack = [];

  const keyOf = (state) =>
    `${state.memory}|${state.deaths},${state.looks},${state.dirty}|${state.notes}|` +
    state.threads.map((one) => `${one.dead ? 'x' : one.local}@${one.on}${one.inside ? 'i' : ''}${one.late ? 'l' : ''}${one.looks}`).join('|');

  /** Whether a step is not an access, and needs no turn of its own. */
  const early = ([what]) => what === SPIN || what === 'enter' || what === 'note' || (what === ALIVE && deaths === 0);
  const late = ([what]) => what === 'leave' || what === 'begin';

  /** Lets thread `i` go on to its next access. Changes `state`, a copy. */
  function settle(state, i) {
    const one = state.threads[i];
    try {
      const steps = threads[i].steps();
      let next = steps.next();
      for (const former of one.answers) next = steps.next(former);
      while (!next.done && early(next.value)) {
        const given = attend(state, i, next.value);
        one.answers = [...one.answers, given];
        next = steps.next(given);
      }
      one.before = one.step;
      one.step = next.done ? undefined : next.value;
      one.local = localOf(one, threads[i].forgets);
    } catch (error) {
      if (error instanceof Violation) throw error;
      fail(state, `thread ${i}: ${error.stack ?? `impossible ${error.value} at ${error.at}`}`);
    }
    return state;
  }

  /** What sets a thread apart from itself with other answers. `forgets`: see explore. */
  function localOf({ step, before, phase, spun, slept, local, answers }, forgets) {
    if (answers.length > ENDLESS) return fail({ memory, trail: null }, 'a thread never ends');
    if (step === undefined) return 'end';
    if (forgets?.(step, before)) return `${phase}${spun}${slept}`;
    return forgets ? `${local},${answers.at(-1)}` : answers.join();
  }

  /** What is not an access: the answer. */
  function attend(state, i, [what, at, shares]) {
    const one = state.threads[i];
    switch (what) {
      case SPIN:
        one.spun = true;
        return shares;
      case ALIVE: return 1;
      case 'enter':
        one.phase += 1;
        if (state.threads.some((other, j) => j !== i && other.inside && !(other.shares && shares))) {
          fail(state, `thread ${i} enters beside another`);
        }
        if (told !== undefined && state.dirty && at !== told) fail(state, `thread ${i} is not told that the owner died`);
        if (!shares) state.dirty = false;
        Object.assign(one, { inside: true, shares });
        return 0;
      case 'leave':
        Object.assign(one, { inside: false, phase: one.phase + 1, spun: false, slept: false });
        return 0;
      default:
        Object.assign(one, { phase: one.phase + 1, spun: false, slept: false });
        state.notes = [...state.notes, at];
        return 0;
    }
  }

  function schedule(state) {
    const lines = [];
    for (let at = state.trail; at !== null; at = at.before) lines.unshift(at.line);
    return lines.join('\n');
  }

  function fail(state, what) {
    throw new Violation(`${what}\n${schedule(state)}\nmemory: ${state.memory.map((word) => (word >>> 0).toString(16)).join(' ')}`);
  }

  /** A copy of the state in which thread `i` has changed. */
  function after(state, i, line, change = {}) {
    const copy = { ...state, memory: [...state.memory], threads: [...state.threads], trail: { line: `${i}: ${line}`, before: state.trail } };
    copy.threads[i] = { ...state.threads[i], ...change };
    return copy;
  }

  function answer(state, i, line, value) {
    const one = state.threads[i];
    const slept = one.slept || one.step[0] === WAIT;
    return after(state, i, `${line} -> ${value}`, { answers: [...one.answers, value], on: -1, slept });
  }

  function* wakes(state, i, at, count) {
    const sleepers = state.threads.flatMap((one, j) => (one.on === at && !one.dead ? [j] : []));
    const rouse = (which) => {
      const next = answer(state, i, `wakes [${which}]`, which.length);
      for (const j of which) {
        const one = next.threads[j];
        next.threads[j] = { ...one, on: -1, looks: 0, slept: true, answers: [...one.answers, WOKEN] };
        settle(next, j);
      }
      return next;
    };
    if (count >= sleepers.length) yield rouse(sleepers);
    else if (count === 1) for (const j of sleepers) yield rouse([j]);
    else yield rouse(sleepers.slice(0, count));
  }

  function* perform(state, i, [what, at, a, b]) {
    const value = state.memory[at];
    switch (what) {
      case LOAD:
        yield answer(state, i, `loads ${at}`, value);
        return;
      case CAS: {
        const next = answer(state, i, `cas ${at} ${a} ${b}`, value);
        if (value === a) next.memory[at] = b;
        yield next;
        return;
      }
      case SWAP: {
        const next = answer(state, i, `swaps ${at} ${a}`, value);
        next.memory[at] = a;
        yield next;
        return;
      }
      case ALIVE:
        yield answer(state, i, `asks for ${at}`, threads.some(({ id }, j) => id === at && !state.threads[j].dead) ? 1 : 0);
        return;
      case WAIT:
        if (threads[i].givesUp) yield answer(state, i, 'gives up', EXPIRED);
        if (state.threads[i].late) return;
        if (value === a) yield after(state, i, `sleeps on ${at}`, { on: at });
        else yield answer(state, i, `does not sleep on ${at}`, WOKEN);
        return;
      case WAKE:
        yield* wakes(state, i, at, a);
        return;
      default:
        throw new TypeError(`no such step: ${what}`);
    }
  }

  /** What may come of the next access of thread `i`. */
  function* turn(state, i) {
    let ready = state;
    while (ready.threads[i].step !== undefined && late(ready.threads[i].step)) {
      const next = answer(ready, i, ready.threads[i].step[0], 0);
      attend(next, i, ready.threads[i].step);
      ready = settle(next, i);
    }
    const { step } = ready.threads[i];
    if (step === undefined) yield ready;
    else for (const next of perform(ready, i, step)) yield next.threads[i].on >= 0 ? next : settle(next, i);
  }

  function* successors(state) {
    let runs = false;
    const sleepers = [];
    for (const [i, one] of state.threads.entries()) {
      if (one.dead) continue;
      if (one.on >= 0) {
        sleepers.push(i);
        if (state.looks > 0 || threads[i].givesUp) {
          const next = answer(state, i, 'looks again', WOKEN);
          if (threads[i].givesUp) next.threads[i].late = true;
          else next.looks -= 1;
          yield settle(next, i);
        }
      } else if (one.step !== undefined) {
        runs = true;
        yield* turn(state, i);
      } else {
        continue; // it has ended
      }
      if (state.deaths > 0 && threads[i].immortal !== true) {
        const next = after(state, i, 'dies', { dead: true, inside: false });
        next.deaths -= 1;
        if (one.inside && !one.shares) next.dirty = true;
        yield next;
      }
    }
    if (runs) return;
    if (sleepers.length === 0) {
      try {
        check({ notes: state.notes, memory: state.memory, died: deaths - state.deaths });
      } catch (error) {
        fail(state, error.message);
      }
    } else if (sleepers.some((i) => threads[i].givesUp)) {
      return; // they will
    } else if (state.deaths === deaths) {
      // All have come: the slices of a sleep must not be needed.
      fail(state, `threads ${sleepers} sleep for ever`);
    } else {
      // In turn: no slice is so much longer than another.
      const fewest = Math.min(...sleepers.map((i) => state.threads[i].looks));
      for (const i of sleepers) {
        const { looks: before } = state.threads[i];
        if (before > fewest) continue;
        if (before >= PATIENCE) fail(state, `thread ${i} is stuck`);
        const next = answer(state, i, 'looks after a slice', WOKEN);
        next.threads[i].looks = before + 1;
        yield settle(next, i);
      }
    }
  }

  const start = {
    memory,
    threads: threads.map(() => ({
      answers: [], local: '', phase: 0, spun: false, slept: false, step: undefined, on: -1, dead: false, inside: false, shares: false, looks: 0, late: false,
    })),
    dirty: false,
    deaths,
    looks,
    notes: [],
    trail: null,
  };
  for (const i of threads.keys()) settle(start, i);
  stack.push(start);
  while (stack.length > 0) {
    const state = stack.pop();
    const key = keyOf(state);
    if (seen.has(key)) continue;
    seen.add(key);
    for (const next of successors(state)) stack.push(next);
  }
  return seen.size;
}

/** The steps of `steps`, each as `change` makes it: one, several, none of them, or its answer. */
export function* mutated(steps, change) {
  let next = steps.next();
  while (!next.done) {
    const changed = change(next.value);
    let result = 0;
    if (typeof changed === 'number') result = changed;
    else for (const step of changed) result = yield step;
    next = steps.next(result);
  }
  return next.value;
}

export { ABORTED };
