// Wait: how long something may wait, by the clock and by an AbortSignal.
import { performance } from 'node:perf_hooks';
import { ABORTED, EXPIRED } from './steps.js';
import { type AsyncTimeoutOptions, deadlineOf, resultOf } from './waiting.js';

export class Wait {
  readonly #deadline: number;
  readonly signal: AbortSignal | undefined;

  private constructor(options: AsyncTimeoutOptions | undefined, known: readonly (keyof AsyncTimeoutOptions)[]) {
    this.#deadline = deadlineOf(options, known);
    this.signal = options?.signal;
    this.check();
  }

  /** Throws if the options are wrong, or the signal is aborted already. */
  static until(options: AsyncTimeoutOptions | undefined): Wait {
    return new Wait(options, ['timeout', 'signal']);
  }

  /** Milliseconds of the next sleep. */
  slice(most: number): number {
    return Math.max(0, Math.min(most, this.#deadline - performance.now()));
  }

  /** What is left, as options of another wait. */
  rest(): { readonly timeout: number; readonly signal?: AbortSignal } {
    const timeout = this.slice(Infinity);
    return this.signal === undefined ? { timeout } : { timeout, signal: this.signal };
  }

  /** Throws if it is over. */
  check(): void {
    if (this.signal?.aborted === true) resultOf(ABORTED, this.signal);
    if (performance.now() > this.#deadline) resultOf(EXPIRED);
  }
}
