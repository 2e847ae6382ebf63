// Deadline: how long a call may wait, by the clock and by an AbortSignal.
import { performance } from 'node:perf_hooks';
import { ABORTED, EXPIRED, WOKEN } from '../wait/outcome.js';
import type { FifoLock } from '../wait/fifo.js';
import { type AsyncTimeoutOptions, deadlineOf, toResult } from '../lock/acquire.js';

export class Deadline {
  readonly #deadline: number;
  readonly signal: AbortSignal | undefined;

  private constructor(options: AsyncTimeoutOptions | undefined, known: readonly (keyof AsyncTimeoutOptions)[]) {
    this.#deadline = deadlineOf(options, known);
    this.signal = options?.signal;
    this.check();
  }

  static readonly #forever = new Deadline(undefined, []);

  /** Throws if the options are wrong, or the signal is aborted already. */
  static until(options: AsyncTimeoutOptions | undefined): Deadline {
    return options === undefined ? Deadline.#forever : new Deadline(options, ['timeout', 'signal']);
  }

  get #ends(): boolean {
    return this.#deadline !== Infinity;
  }

  /** Milliseconds of the next sleep: at most `most`. */
  slice(most: number): number {
    return this.#ends ? Math.max(0, Math.min(most, this.#deadline - performance.now())) : most;
  }

  /** The time left, as options of another wait. */
  rest(): { readonly timeout: number; readonly signal?: AbortSignal } {
    const timeout = this.slice(Infinity);
    return this.signal === undefined ? { timeout } : { timeout, signal: this.signal };
  }

  /** Waits for the caller's turn, which the caller must release; undefined if it has it at once. */
  turn(turns: FifoLock): Promise<void> | undefined {
    const turn = turns.acquire(this.#deadline, this.signal);
    const check = (why: number): void => {
      if (why !== WOKEN) toResult(why, this.signal);
    };
    if (typeof turn !== 'number') return turn.then(check);
    check(turn);
    return undefined;
  }

  /** Throws if the time is over or the signal is aborted. */
  check(): void {
    if (this.signal?.aborted === true) toResult(ABORTED, this.signal);
    if (this.#ends && performance.now() > this.#deadline) toResult(EXPIRED);
  }
}
