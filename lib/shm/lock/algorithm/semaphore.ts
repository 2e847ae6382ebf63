// The algorithm of Semaphore: one word counts the permits.
import { DONE, CorruptWord, type Caller, type Algorithm, WAITERS, cas, load, spin, wait, wake } from './operation.js';
import { EXPIRED, WOKEN } from '../../wait/outcome.js';

const WORD = 0;
/** Permits: bits 0 to 28. */
export const PERMITS = 0x1fff_ffff;
/** There would be more permits than the word can count. */
export const OVERFLOW = 16;

export function verifyCount(value: number): void {
  if ((value & ~(PERMITS | WAITERS)) !== 0) throw new CorruptWord(WORD, value);
}

/**
 * Takes a permit. Returns DONE, EXPIRED or ABORTED. A thread that has slept leaves WAITERS set, because others
 * may sleep, and wakes one of them if permits are left: a give() may have found WAITERS cleared.
 */
export function* take(me: Caller): Algorithm<number> {
  let mark = 0;
  let spun = false;
  for (;;) {
    const value = yield load(WORD);
    verifyCount(value);
    const permits = value & PERMITS;
    if (permits > 0) {
      if ((yield cas(WORD, value, (value - 1) | mark)) !== value) continue;
      if (mark !== 0 && permits > 1) yield wake(WORD, 1);
      return DONE;
    }
    if (!me.waits) return EXPIRED;
    if (!spun) {
      spun = true;
      yield spin(WORD, value);
      continue;
    }
    if (value === 0 && (yield cas(WORD, 0, WAITERS)) !== 0) continue;
    const why = yield wait(WORD, WAITERS);
    if (why !== WOKEN) return why;
    mark = WAITERS;
  }
}

/** Adds `count` permits. Returns DONE or OVERFLOW. */
export function* give(count: number): Algorithm<number> {
  for (;;) {
    const value = yield load(WORD);
    verifyCount(value);
    const permits = value & PERMITS;
    if (count > PERMITS - permits) return OVERFLOW;
    if ((yield cas(WORD, value, permits + count)) !== value) continue;
    if ((value & WAITERS) !== 0) yield wake(WORD, count);
    return DONE;
  }
}
