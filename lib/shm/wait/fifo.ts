// FifoLock: the order of a thread's tasks.
import { performance } from 'node:perf_hooks';
import { ABORTED, EXPIRED, WOKEN } from './outcome.js';

/** Milliseconds of the longest timer. */
export const LONGEST: number = 2 ** 31 - 1;

/** The tasks of a thread that want the same wait one after the other, in the order in which they came. */
export class FifoLock {
  readonly #queue: ((why: number) => void)[] = [];
  #taken = false;

  /** WOKEN: it is the caller's turn, until it calls `release`. Or EXPIRED, ABORTED. */
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

  /** Whether it is somebody's turn. */
  get taken(): boolean {
    return this.#taken;
  }

  release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken = false;
    else next(WOKEN);
  }
}
