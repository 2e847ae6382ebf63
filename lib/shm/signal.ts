// Signal: how the two ends of a channel tell each other that something has changed, without a
// system call while nobody sleeps.
import { binding } from '../internal/binding.js';
import { sleep } from './sleep.js';

/** Words that a signal takes. */
export const SIGNAL_WORDS = 2;

/** As many as there are. */
const ALL = 2 ** 31 - 1;

/**
 * Two words: a count of signals, which sleepers sleep on, and whether somebody may sleep.
 *
 * A sleeper calls prepare(), looks again whether there is anything to do, and sleeps on the
 * count it got. Whoever has changed something calls notify() after it. Either the look sees the
 * change, or notify() sees the sleeper: all four accesses are sequentially consistent. Flag and
 * count may be made nonsense by a hostile peer: then sleepers wake too often, or not until
 * their next look at the clock.
 */
export class Signal {
  readonly #words: Int32Array;
  readonly #count: number;
  readonly #sleeps: number;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#count = index;
    this.#sleeps = index + 1;
  }

  /** Announces a sleeper. Everything it waits for must be looked at after this. */
  prepare(): number {
    const seen = Atomics.load(this.#words, this.#count);
    Atomics.store(this.#words, this.#sleeps, 1);
    return seen;
  }

  /** Wakes whoever sleeps. Cheap if nobody does. */
  notify(): void {
    if (Atomics.load(this.#words, this.#sleeps) !== 0) this.wake();
  }

  wake(): void {
    // Before the count: who is about to sleep sets it again, and is not lost by this.
    Atomics.store(this.#words, this.#sleeps, 0);
    Atomics.add(this.#words, this.#count, 1);
    binding.futexWake(this.#words, this.#count, ALL);
  }

  /** Sleeps for `ms` at most, unless there was a signal since prepare(). May wake early. */
  sleep(seen: number, ms: number): void {
    binding.futexWait(this.#words, this.#count, seen, ms);
  }

  /** As sleep(), without holding the thread up. */
  wait(seen: number, ms: number, abort: AbortSignal | undefined): Promise<void> {
    return sleep(this.#words, this.#count, seen, ms, abort);
  }
}
