// Runs the code of a channel's ends over simulated memory, in every order of their accesses.
//
// A thread is a function that makes accesses; each is a step. Between two steps any other thread
// may act. A thread is run again from its start for each of its steps, with the answers it has
// had so far: so ordinary code can be held up at any access. Sleeping ends by a wake-up alone,
// never by the clock: if all threads sleep that have not ended, a wake-up was lost.

/** Thrown at the access that a thread has not made yet. Without a stack: it is thrown very often. */
const HELD = { held: true };

/** The accesses that code over memmap's Words makes, and those to the data of the ring. */
function simulated(answers, next) {
  let made = 0;
  const step = (...access) => {
    if (made < answers.length) return answers[made++];
    next.access = access;
    throw HELD;
  };
  const words = {
    load: (at) => step('load', at),
    store: (at, value) => void step('store', at, value),
    add: (at, value) => step('add', at, value),
    exchange: (at, value) => step('exchange', at, value),
    sleep: (at, value) => void step('sleep', at, value),
    wake: (at) => void step('wake', at),
  };
  const data = new Proxy({}, {
    get: (_, index) => step('load', `data ${index}`),
    set: (_, index, value) => {
      step('store', `data ${index}`, value);
      return true;
    },
  });
  return { words, memory: { words: data, bytes: { set() {} } }, note: (value) => void step('note', value) };
}

/** Numbers for what a thread has got so far: who has the same number is at the same place. */
const histories = new Map();
function after(history, answer) {
  const key = `${history} ${answer}`;
  if (!histories.has(key)) histories.set(key, histories.size + 1);
  return histories.get(key);
}

const get = (state, at) => state.memory.get(at) ?? 0;

/** Makes an access in a state of its own, and gives thread `i` the answer. */
function perform(state, i, [what, at, value]) {
  const before = what === 'wake' || what === 'note' ? undefined : get(state, at);
  const { answers, history } = state.threads[i];
  if (what === 'store' || what === 'exchange') state.memory.set(at, value);
  if (what === 'add') state.memory.set(at, (before + value) | 0);
  if (what === 'note') state.notes = [...state.notes, at];
  if (what === 'wake') state.threads = state.threads.map((other) => (other.sleeps === at ? { ...other, sleeps: undefined } : other));
  const sleeps = what === 'sleep' && before === value ? at : undefined;
  state.threads[i] = { answers: [...answers, before], history: after(history, before), sleeps, ended: false };
  state.trail = { line: `${i}: ${what} ${at ?? ''} ${value ?? ''} (${before ?? ''})`, earlier: state.trail };
}

function schedule({ trail }) {
  const lines = [];
  for (let at = trail; at !== undefined; at = at.earlier) lines.unshift(at.line);
  return lines.join('\n');
}

const copyOf = ({ memory, notes, threads, trail }) => ({ memory: new Map(memory), notes, threads: [...threads], trail });

/** What tells states apart: the history of a thread says where it is. */
function keyOf({ memory, notes, threads }) {
  let key = `${notes}`;
  for (const { history, sleeps, ended } of threads) key += `|${history} ${sleeps} ${ended}`;
  // Words in the order of their first store would tell equal memories apart.
  for (const at of [...memory.keys()].toSorted()) if (memory.get(at) !== 0) key += `|${at}=${memory.get(at)}`;
  return key;
}

/** Lets thread `i` make one access, or end. */
function advance(state, i, run) {
  const next = {};
  try {
    run(simulated(state.threads[i].answers, next));
    state.threads[i] = { ...state.threads[i], ended: true };
    return;
  } catch (error) {
    if (error !== HELD) throw new Error(`${error.message}\n${schedule(state)}`, { cause: error });
  }
  perform(state, i, next.access);
}

/**
 * Runs the threads in every order. `judge(notes)` throws if what they noted is wrong. Returns how
 * many states there are. A violation is an Error with the schedule that leads to it.
 */
export function everyOrder(threads, judge) {
  const fresh = { answers: [], history: 0, sleeps: undefined, ended: false };
  const start = { memory: new Map(), notes: [], threads: threads.map(() => fresh), trail: undefined };
  const seen = new Set([keyOf(start)]);
  const open = [start];
  while (open.length > 0) {
    const state = open.pop();
    const able = state.threads.flatMap(({ ended, sleeps }, i) => (ended || sleeps !== undefined ? [] : [i]));
    if (able.length === 0) {
      if (state.threads.some(({ ended }) => !ended)) throw new Error(`a wake-up was lost\n${schedule(state)}`);
      judge(state.notes);
    }
    for (const i of able) {
      const then = copyOf(state);
      advance(then, i, threads[i]);
      const key = keyOf(then);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(then);
    }
  }
  return seen.size;
}
