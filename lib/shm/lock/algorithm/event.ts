// The algorithm of Event: one word has whether it is set, and how often it was.
import { ALL, DONE, CorruptWord, type Caller, type Algorithm, WAITERS, cas, load, spin, wait, wake } from './operation.js';
import { EXPIRED, WOKEN } from '../../wait/outcome.js';

const WORD = 0;
export const SET = 1;
/** Counts the times it was set, and wraps: bits 1 to 30. */
const TIMES = 0x7fff_fffe;
const ONCE = 2;

export function verifyEvent(value: number): void {
  if ((value & SET) !== 0 && (value & WAITERS) !== 0) throw new CorruptWord(WORD, value);
}

/** Waits until it is set, or was set since the call: DONE, EXPIRED or ABORTED. */
export function* awaitSet(me: Caller): Algorithm<number> {
  const first = yield load(WORD);
  let spun = false;
  for (let value = first; ; value = yield load(WORD)) {
    verifyEvent(value);
    if ((value & SET) !== 0 || (value & TIMES) !== (first & TIMES)) return DONE;
    if (!me.waits) return EXPIRED;
    if (!spun) {
      spun = true;
      yield spin(WORD, value);
      continue;
    }
    const marked = value | WAITERS;
    if (marked !== value && (yield cas(WORD, value, marked)) !== value) continue;
    const why = yield wait(WORD, marked);
    if (why !== WOKEN) return why;
  }
}

/** Sets it, and wakes all waiters. */
export function* set(): Algorithm<number> {
  for (;;) {
    const value = yield load(WORD);
    verifyEvent(value);
    if ((value & SET) !== 0) return DONE;
    if ((yield cas(WORD, value, ((value + ONCE) & TIMES) | SET)) !== value) continue;
    if ((value & WAITERS) !== 0) yield wake(WORD, ALL);
    return DONE;
  }
}

export function* reset(): Algorithm<number> {
  for (;;) {
    const value = yield load(WORD);
    verifyEvent(value);
    if ((value & SET) === 0 || (yield cas(WORD, value, value & ~SET)) === value) return DONE;
  }
}
