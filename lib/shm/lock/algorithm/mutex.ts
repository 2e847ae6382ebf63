// The algorithm of Mutex, and of the writer's side of RwLock: one word has the owner's id.
import { DIED, DONE, NOT_OWNER, CorruptWord, OWN, OWNER_DIED, type Caller, type Algorithm, WAITERS, alive, cas, load, spin, swap, wait, wake } from './operation.js';
import { EXPIRED, WOKEN } from '../../wait/outcome.js';
import { ID } from '../../wait/owner-id.js';

/** Throws unless the word has a value that the algorithm writes. `allowed`: DIED, if that bit may be set. */
export function verifyOwner(at: number, value: number, allowed: number): void {
  const free = (value & ID) === 0;
  if (free ? (value & ~allowed) !== 0 : (value & ~(ID | WAITERS)) !== 0) throw new CorruptWord(at, value);
}

/**
 * Returns DONE, OWNER_DIED, OWN, EXPIRED or ABORTED.
 *
 * A thread that has slept does not know whether others sleep: it takes the word with WAITERS set, and so
 * wakes the next one when it releases it. If a woken thread dies, the others still notice, because they
 * look again after each slice of their sleep.
 */
export function* acquire(me: Caller, at: number, allowed = 0): Algorithm<number> {
  let mark = 0;
  let spun = false;
  for (;;) {
    const value = yield load(at);
    verifyOwner(at, value, allowed);
    const owner = value & ID;
    if (owner === 0) {
      if ((yield cas(at, value, me.id | mark)) === value) return (value & DIED) === 0 ? DONE : OWNER_DIED;
      continue;
    }
    if (owner === me.id) {
      if (!me.tasks) return OWN;
    } else if (!spun && me.waits) {
      spun = true;
      yield spin(at, value);
      continue;
    } else if ((yield alive(owner)) === 0) {
      if ((yield cas(at, value, me.id | mark | (value & WAITERS))) === value) return OWNER_DIED;
      continue;
    }
    if (!me.waits) return EXPIRED;
    const marked = value | WAITERS;
    if (marked !== value && (yield cas(at, value, marked)) !== value) continue;
    const why = yield wait(at, marked);
    if (why !== WOKEN) return why;
    mark = WAITERS;
  }
}

/** Sets the word to `left`, and wakes `count` sleepers. Returns DONE or NOT_OWNER. */
export function* release(me: Caller, at: number, count: number, left = 0): Algorithm<number> {
  const value = yield cas(at, me.id, left);
  if (value === me.id) return DONE;
  verifyOwner(at, value, DIED);
  if ((value & ID) !== me.id) return NOT_OWNER;
  // Stored first: a thread that is woken, or about to sleep, must find it free.
  yield swap(at, left);
  yield wake(at, count);
  return DONE;
}
