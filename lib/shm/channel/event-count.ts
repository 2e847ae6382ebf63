// EventCount: how the two ends of a channel tell each other that something has changed, without a
// system call while nobody sleeps.
import type { SharedWords } from './shared-words.js';

/**
 * Two words: a count of signals, which sleepers sleep on, and whether somebody may sleep.
 *
 * A sleeper calls prepare(), looks again whether there is anything to do, and sleeps on the
 * count it got. Whoever has changed something calls notify() after it. Either the look sees the
 * change, or notify() sees the sleeper: all four accesses are sequentially consistent. Flag and
 * count may be made nonsense by a hostile peer: then sleepers wake too often, or not until
 * their next look at the clock.
 */
export class EventCount {
  readonly #words: SharedWords;
  readonly #count: number;
  readonly #sleeps: number;

  constructor(words: SharedWords, index: number) {
    this.#words = words;
    this.#count = index;
    this.#sleeps = index + 1;
  }

  /** Announces a sleeper. Everything it waits for must be looked at after this. */
  prepare(): number {
    const seen = this.#words.load(this.#count);
    this.#words.store(this.#sleeps, 1);
    return seen;
  }

  /** Wakes whoever sleeps. Cheap if nobody does. */
  notify(): void {
    if (this.#words.load(this.#sleeps) !== 0) this.wake();
  }

  wake(): void {
    // Before the count: who is about to sleep sets it again, and is not lost by this.
    this.#words.store(this.#sleeps, 0);
    this.#words.add(this.#count, 1);
    this.#words.wake(this.#count);
  }

  /** Whether there was a signal since prepare(). */
  since(seen: number): boolean {
    return this.#words.load(this.#count) !== seen;
  }

  /** Sleeps for `ms` at most, unless there was a signal since prepare(). May wake early. */
  sleep(seen: number, ms: number): void {
    this.#words.sleep(this.#count, seen, ms);
  }

  /** As sleep(), without blocking the thread; also until `look` says so, now and then. */
  wait(seen: number, ms: number, abort: AbortSignal | undefined, look: () => boolean): Promise<void> {
    return this.#words.wait(this.#count, seen, ms, abort, look);
  }
}
