// Limits the bytes read per second, by pauses between steps.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { binding } from '../internal/binding.js';
import { validateInteger } from '../internal/validate.js';

/** The option of calls that may keep the disk busy for long. */
export interface RateOption {
  /** Bytes read per second, at most: an integer >= 1. Bytes already in memory do not count. @default unlimited */
  readonly rate?: number | undefined;
}

export function validateRate(rate: unknown): asserts rate is number | undefined {
  if (rate !== undefined) validateInteger(rate, 'options.rate', 1);
}

const STEPS_PER_SECOND = 10;

/** A rate, and the time when it permits the next step. For one step at a time. */
export class RateLimiter {
  readonly #rate: number;
  /** When the next step may begin, in ms of performance.now(). */
  #due = 0;

  /** @param rate - bytes a second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  static of(rate: number | undefined): RateLimiter | undefined {
    return rate === undefined ? undefined : new RateLimiter(rate);
  }

  /** Bytes to read between two pauses: whole pages. */
  get step(): number {
    return wholePages(this.#rate / STEPS_PER_SECOND);
  }

  /** Called after a step that began at `begun`, in ms of performance.now(), and read `bytes`. */
  consume(bytes: number, begun: number): void {
    this.#due = begun + (1000 * bytes) / this.#rate;
  }

  /**
   * Waits until the next step may begin, and never less. A pause also after the last step keeps the
   * rate from one call to the next.
   *
   * @throws the signal's reason, at once
   */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const ms = this.#due - performance.now();
      if (ms <= 0) return;
      // Timers take whole milliseconds: a fraction would be dropped, or last a whole one.
      await (ms < 1 ? setImmediate() : setTimeout(ms, undefined, signal && { signal }).catch(() => undefined));
    }
  }
}

/** Bytes rounded up to pages, one at least. */
export function wholePages(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / binding.pageSize)) * binding.pageSize;
}
