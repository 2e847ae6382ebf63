// EventCount: how the two ends of a channel signal a change to each other, without a system call
// unless one sleeps.
import type { SharedWords } from './shared-words.js';

/**
 * Two words: a count of signals, on which waiters sleep, and a flag that a waiter may sleep.
 *
 * A waiter calls prepare(), checks again whether there is anything to do, and sleeps on the
 * count it got. The other side calls notify() after a change. Either the check sees the
 * change, or notify() sees the flag: all four accesses are sequentially consistent. A hostile
 * peer can write anything to both words: then waiters wake too often, or only after their
 * longest sleep.
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

  /** Announces a waiter. It must check what it waits for after this. */
  prepare(): number {
    const seen = this.#words.load(this.#count);
    this.#words.store(this.#sleeps, 1);
    return seen;
  }

  /** Wakes all waiters. Cheap if there are none. */
  notify(): void {
    if (this.#words.load(this.#sleeps) !== 0) this.wake();
  }

  wake(): void {
    // Before the count: a waiter that is about to sleep sets the flag again, so it is not missed.
    this.#words.store(this.#sleeps, 0);
    this.#words.add(this.#count, 1);
    this.#words.wake(this.#count);
  }

  /** Whether there was a signal since prepare(). */
  since(seen: number): boolean {
    return this.#words.load(this.#count) !== seen;
  }

  /** Sleeps for at most `ms` milliseconds, unless there was a signal since prepare(). May wake early. */
  sleep(seen: number, ms: number): void {
    this.#words.sleep(this.#count, seen, ms);
  }

  /** As sleep(), without blocking the thread; also ends when `look`, called now and then, returns true. */
  wait(seen: number, ms: number, abort: AbortSignal | undefined, look: () => boolean): Promise<void> {
    return this.#words.wait(this.#count, seen, ms, abort, look);
  }
}
