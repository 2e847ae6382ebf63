// A simulated memory, and every order in which a few threads can run over it.
//
// A thread is a generator of steps: those of the locks' own code in lib/shm/*-steps.ts, and
// `enter` and `leave`, which say what it does in between. A state is what the memory holds and
// what each thread has been answered so far; states that are the same are visited once.
import { ABORTED, ALIVE, CAS, EXPIRED, LOAD, SPIN, SWAP, WAIT, WAKE, WOKEN } from '../../dist/shm/steps.js';

export * from '../../dist/shm/steps.js';
export { arrive, LAST } from '../../dist/shm/barrier-steps.js';
export { awaitSet, reset, set } from '../../dist/shm/event-steps.js';
export { acquire, release } from '../../dist/shm/mutex-steps.js';
export { acquireExclusive, acquireShared, leave as leaveShared, releaseExclusive } from '../../dist/shm/rw-lock-steps.js';
export { give, take } from '../../dist/shm/semaphore-steps.js';

/** It is in: alone, or with others who share. `outcome` tells whether the owner before died. */
export const enter = (outcome, shares = false) => ['enter', outcome, shares];
export const leave = () => ['leave'];
/** Something happens that `check` of the model can see. */
export const note = (what) => ['note', what];

export class Violation extends Error {}

/** Quiet rounds of looking again, of one thread, before it counts as stuck. */
const PATIENCE = 4;

/**
 * Explores the threads in every order. Throws a Violation with the schedule that leads to it.
 *
 * @param threads { id, steps: () => generator, givesUp: whether its time to wait may be over }
 * @param words how many words, or what they hold
 * @param deaths how many threads may die, each at any of its steps
 * @param looks how many times somebody may wake for no reason
 * @param told outcome of `enter` that tells that the owner died; else nobody checks
 * @param check called with the notes of a finished run: throws what is wrong with them
 */
export function explore({ threads, words, deaths = 0, looks = 0, told, check = () => {} }) {
  const memory = Array.isArray(words) ? words : Array.from({ length: words }, () => 0);
  const start = {
    memory,
    threads: threads.map(() => ({ answers: [], on: -1, dead: false, inside: false, shares: false, looks: 0, late: false })),
    dirty: false,
    deaths,
    looks,
    notes: [],
    trail: null,
  };
  const seen = new Set();
  const stack = [start];
  let states = 0;

  const keyOf = (state) =>
    `${state.memory}|${state.deaths},${state.looks},${state.dirty}|${state.notes}|` +
    state.threads.map((one) => `${one.dead ? 'x' : one.answers.join()}@${one.on}${one.inside ? 'i' : ''}${one.late ? 'l' : ''}${one.looks}`).join('|');

  /** What a thread asks for next, given its answers so far. Undefined: it has ended. */
  function asks(thread, { answers }) {
    const steps = thread.steps();
    let next = steps.next();
    for (const answer of answers) next = steps.next(answer);
    return next.done ? undefined : next.value;
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
    return after(state, i, `${line} -> ${value}`, { answers: [...state.threads[i].answers, value], on: -1 });
  }

  function* wakes(state, i, at, count) {
    const sleepers = state.threads.flatMap((one, j) => (one.on === at && !one.dead ? [j] : []));
    const rouse = (which) => {
      const next = answer(state, i, `wakes [${which}]`, which.length);
      for (const j of which) {
        const one = next.threads[j];
        next.threads[j] = { ...one, on: -1, looks: 0, answers: [...one.answers, WOKEN] };
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
      case SPIN:
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
      case 'enter': {
        const others = state.threads.some((one, j) => j !== i && one.inside && !one.dead && !(one.shares && a));
        if (others) fail(state, `thread ${i} enters beside another`);
        if (told !== undefined && state.dirty && at !== told) fail(state, `thread ${i} is not told that the owner died`);
        const next = answer(state, i, 'enters', 0);
        if (!a) next.dirty = false;
        Object.assign(next.threads[i], { inside: true, shares: a });
        yield next;
        return;
      }
      case 'leave': {
        const next = answer(state, i, 'leaves', 0);
        next.threads[i].inside = false;
        yield next;
        return;
      }
      case 'note': {
        const next = answer(state, i, `notes ${at}`, 0);
        next.notes = [...state.notes, at];
        yield next;
        return;
      }
      default:
        throw new TypeError(`no such step: ${what}`);
    }
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
          yield next;
        }
      } else {
        let step;
        try {
          step = asks(threads[i], one);
        } catch (error) {
          fail(state, `thread ${i}: ${error.stack ?? `impossible ${error.value} at ${error.at}`}`);
        }
        if (step === undefined) continue;
        runs = true;
        yield* perform(state, i, step);
      }
      if (state.deaths > 0) {
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
      for (const i of sleepers) {
        const { looks: before } = state.threads[i];
        if (before >= PATIENCE) fail(state, `thread ${i} is stuck`);
        const next = answer(state, i, 'looks after a slice', WOKEN);
        next.threads[i].looks = before + 1;
        yield next;
      }
    }
  }

  while (stack.length > 0) {
    const state = stack.pop();
    const key = keyOf(state);
    if (seen.has(key)) continue;
    seen.add(key);
    states += 1;
    for (const next of successors(state)) stack.push(next);
  }
  return states;
}

/** The steps of `steps`, each as `change` makes it: one, several, or none of them. */
export function* mutated(steps, change) {
  let next = steps.next();
  while (!next.done) {
    let result = 0;
    for (const step of change(next.value)) result = yield step;
    next = steps.next(result);
  }
  return next.value;
}

export { ABORTED };
