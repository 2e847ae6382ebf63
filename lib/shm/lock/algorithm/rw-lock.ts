// The algorithm of RwLock: a word for the writer, as in a mutex, and a slot for each reader.
//
// A reader takes a slot, then reads the writer's word; a writer takes its word, then reads the
// slots. All accesses are sequentially consistent (Atomics), so one of the two sees the other.
import { acquire, release, verifyOwner } from './mutex.js';
import { ALL, DIED, DONE, CorruptWord, OWN, OWNER_DIED, type Caller, type Algorithm, WAITERS, alive, cas, load, spin, swap, wait, wake } from './operation.js';
import { EXPIRED, WOKEN } from '../../wait/outcome.js';
import { ID } from '../../wait/owner-id.js';

/** Index of the writer's word. */
const WRITER = 0;
/** Index of the first slot. */
export const FIRST = 2;

/** The hold of a reader: the index of its slot. */
export interface Hold {
  slot: number;
}

/** Throws unless the slot has a value that the algorithm writes. */
function verifySlot(at: number, value: number): void {
  if (value !== 0 && ((value & ID) === 0 || (value & ~(ID | WAITERS)) !== 0)) throw new CorruptWord(at, value);
}

/** Marks the word, and sleeps on it while it has that value. */
function* sleepOn(at: number, value: number): Algorithm<number> {
  const marked = value | WAITERS;
  if (marked !== value && (yield cas(at, value, marked)) !== value) return WOKEN;
  return yield wait(at, marked);
}

/** Releases a slot. */
export function* leave(me: Caller, at: number): Algorithm<number> {
  const value = yield swap(at, 0);
  verifySlot(at, value);
  if ((value & ID) !== me.id) throw new CorruptWord(at, value);
  // Wakes readers that want a slot, and a writer that waits for the slots to be free.
  if ((value & WAITERS) !== 0) yield wake(at, ALL);
  return DONE;
}

/** Takes a free slot, or that of a dead reader, and returns its index. 0 if living readers have all. */
function* claim(me: Caller, slots: number): Algorithm<number> {
  for (let i = 0; i < slots; i++) {
    // Readers begin at different slots.
    const at = FIRST + ((me.id + i) % slots);
    const value = yield load(at);
    verifySlot(at, value);
    if (value === 0 && (yield cas(at, 0, me.id)) === 0) return at;
  }
  for (let at = FIRST; at < FIRST + slots; at++) {
    const value = yield load(at);
    verifySlot(at, value);
    if (value !== 0 && ((value & ID) === me.id || (yield alive(value & ID)) === 1)) continue;
    // Keep WAITERS: threads that sleep on the slot must still be woken.
    if ((yield cas(at, value, me.id | (value & WAITERS))) === value) return at;
  }
  return 0;
}

/** Returns DONE, OWNER_DIED (a writer died, and none has come since), OWN, EXPIRED or ABORTED. */
export function* acquireShared(me: Caller, slots: number, hold: Hold): Algorithm<number> {
  let spun = false;
  for (;;) {
    let value = yield load(WRITER);
    verifyOwner(WRITER, value, DIED);
    const writer = value & ID;
    if (writer === 0) {
      const slot = yield* claim(me, slots);
      if (slot === 0) {
        if (!me.waits) return EXPIRED;
        const taken = yield load(FIRST);
        verifySlot(FIRST, taken);
        const why = taken === 0 ? WOKEN : yield* sleepOn(FIRST, taken);
        if (why !== WOKEN) return why;
        continue;
      }
      value = yield load(WRITER);
      if ((value & ID) === 0) {
        verifyOwner(WRITER, value, DIED);
        hold.slot = slot;
        return (value & DIED) === 0 ? DONE : OWNER_DIED;
      }
      yield* leave(me, slot);
      continue;
    }
    if (writer === me.id) {
      if (!me.tasks) return OWN;
    } else if (!spun && me.waits) {
      spun = true;
      yield spin(WRITER, value);
      continue;
    } else if ((yield alive(writer)) === 0) {
      // DIED informs the next writer, and readers before it.
      if ((yield cas(WRITER, value, DIED)) === value) yield wake(WRITER, ALL);
      continue;
    }
    if (!me.waits) return EXPIRED;
    const why = yield* sleepOn(WRITER, value);
    if (why !== WOKEN) return why;
  }
}

/** Waits until no slot is taken. Returns DONE, OWN, EXPIRED or ABORTED. */
function* drain(me: Caller, slots: number): Algorithm<number> {
  for (let at = FIRST; at < FIRST + slots; at++) {
    let spun = false;
    for (;;) {
      const value = yield load(at);
      verifySlot(at, value);
      if (value === 0) break;
      const reader = value & ID;
      if (reader === me.id) {
        if (!me.tasks) return OWN;
      } else if (!spun && me.waits) {
        spun = true;
        yield spin(at, value);
        continue;
      } else if ((yield alive(reader)) === 0) {
        if ((yield cas(at, value, 0)) === value && (value & WAITERS) !== 0) yield wake(at, ALL);
        continue;
      }
      if (!me.waits) return EXPIRED;
      const why = yield* sleepOn(at, value);
      if (why !== WOKEN) return why;
    }
  }
  return DONE;
}

/** For a writer. Returns DONE, OWNER_DIED, OWN, EXPIRED or ABORTED. */
export function* acquireExclusive(me: Caller, slots: number): Algorithm<number> {
  const outcome = yield* acquire(me, WRITER, DIED);
  if (outcome !== DONE && outcome !== OWNER_DIED) return outcome;
  const drained = yield* drain(me, slots);
  if (drained === DONE) return outcome;
  // Keep DIED: the next owner must still learn of it.
  yield* release(me, WRITER, ALL, outcome === OWNER_DIED ? DIED : 0);
  return drained;
}

/** Returns DONE or NOT_OWNER. Readers and writers sleep on the same word, so it wakes all. */
export function* releaseExclusive(me: Caller): Algorithm<number> {
  return yield* release(me, WRITER, ALL);
}
