// FifoLock: a lock between the tasks of one thread.
import { performance } from 'node:perf_hooks';
import { ABORTED, EXPIRED, WOKEN } from './outcome.js';

/** Milliseconds of the longest timer. */
export const LONGEST: number = 2 ** 31 - 1;

/** Lets one task of a thread wait at a time, in the order in which they came. */
export class FifoLock {
  readonly #queue: ((why: number) => void)[] = [];
  #taken = false;

  /** Waits for the caller's turn, which lasts until `release()`: WOKEN; or EXPIRED, ABORTED. */
  acquire(deadline: number, signal: AbortSignal | undefined): Promise<number> | number {
    if (signal?.aborted === true) return ABORTED;
    if (!this.#taken) {
      this.#taken = true;
      return WOKEN;
    }
    return new Promise((resolve) => {
      const end = (why: number): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        if (why !== WOKEN) this.#queue.splice(this.#queue.indexOf(end), 1);
        resolve(why);
      };
      const abort = (): void => end(ABORTED);
      const left = deadline - performance.now();
      const timer = left < LONGEST ? setTimeout(end, Math.max(0, left), EXPIRED) : undefined;
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(end);
    });
  }

  /** Whether a task has the turn. */
  get taken(): boolean {
    return this.#taken;
  }

  release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken = false;
    else next(WOKEN);
  }
}
