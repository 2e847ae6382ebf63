// The algorithm of Barrier: one word has the number of arrivals and the round, another the number
// of parties.
import { ALL, DONE, CorruptWord, type Caller, type Algorithm, cas, load, spin, wait, wake } from './operation.js';
import { WOKEN } from '../../wait/outcome.js';

const WORD = 0;
const PARTIES = 1;
/** Bits 0 to 15. */
export const ARRIVED = 0xffff;
/** Bits 16 to 30: the rounds, which wrap. */
const ROUND = 0x7fff_0000;
const NEXT_ROUND = 0x1_0000;

/** The caller was the last to arrive. */
export const LAST = 16;
/** The memory has another number of parties. */
export const DISAGREE = 17;

function verify(value: number, parties: number): void {
  if (value < 0 || (value & ARRIVED) >= parties) throw new CorruptWord(WORD, value);
}

/** Returns DONE, LAST or DISAGREE; after EXPIRED or ABORTED the arrival was undone. */
export function* arrive(me: Caller, parties: number): Algorithm<number> {
  const before = yield cas(PARTIES, 0, parties);
  if (before !== 0 && before !== parties) {
    if (before < 0 || before > ARRIVED) throw new CorruptWord(PARTIES, before);
    return DISAGREE;
  }
  let round = 0;
  for (;;) {
    const value = yield load(WORD);
    verify(value, parties);
    round = value & ROUND;
    if ((value & ARRIVED) + 1 === parties) {
      if ((yield cas(WORD, value, (round + NEXT_ROUND) & ROUND)) !== value) continue;
      yield wake(WORD, ALL);
      return LAST;
    }
    if ((yield cas(WORD, value, value + 1)) === value) break;
  }
  let spun = false;
  for (;;) {
    const value = yield load(WORD);
    verify(value, parties);
    if ((value & ROUND) !== round) return DONE;
    // The caller has arrived, so the count cannot be 0.
    if ((value & ARRIVED) === 0) throw new CorruptWord(WORD, value);
    if (!spun && me.waits) {
      spun = true;
      yield spin(WORD, value);
      continue;
    }
    const why = yield wait(WORD, value);
    if (why === WOKEN) continue;
    // Undoes the arrival, unless the last party has just arrived.
    if ((yield cas(WORD, value, value - 1)) === value) return why;
  }
}
