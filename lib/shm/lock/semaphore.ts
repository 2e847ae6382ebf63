// Semaphore: a count of permits, for all threads of all processes that share the memory.
import { showAs } from '../../internal/inspect.js';
import { outOfRange, validateInteger } from '../../internal/validate.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { OVERFLOW, PERMITS, give, take, verifyCount } from './algorithm/semaphore.js';
import { type Algorithm, load } from './algorithm/operation.js';
import { FifoLock } from '../wait/fifo.js';
import { type AsyncTimeoutOptions, type TimeoutOptions, tryRun, waitAsync, waitSync } from './acquire.js';

function* count(): Algorithm<number> {
  const value = yield load(0);
  verifyCount(value);
  return value & PERMITS;
}

/**
 * A counting semaphore in shared memory. Zeroed memory has no permits: `release()` the first ones.
 * Permits have no owner: any thread may release one, and permits that a process has not released are
 * lost when it dies. If that must not happen, use a {@link Mutex}.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, ERR_MEMMAP_CORRUPT with the offset if
 * the memory does not hold a semaphore, and a FaultError if a truncated file has lost the memory.
 */
export class Semaphore {
  static {
    showAs(Semaphore.prototype, { value: ({ value }) => value });
  }
  /** The bytes of a semaphore, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;
  /** The most permits that there can be. */
  static readonly MAX_VALUE: number = PERMITS;

  readonly #place: LockRunner;
  readonly #turns: FifoLock = new FifoLock();

  /**
   * @param memory a writable mapping, or its SharedArrayBuffer in a worker thread
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Semaphore.byteLength);
  }

  /** The number of permits now. */
  get value(): number {
    return this.#place.run(count(), 0);
  }

  /** Takes a permit, and blocks the thread until there is one. @throws {StateError} ERR_MEMMAP_TIMEOUT */
  acquire(options?: TimeoutOptions): void {
    waitSync(this.#place, take(this.#place.blocking), options);
  }

  /** As {@link acquire}, without blocking the thread. Tasks of a thread get permits in the order of their calls. */
  async acquireAsync(options?: AsyncTimeoutOptions): Promise<void> {
    await waitAsync(this.#place, this.#turns, () => take(this.#place.tasks), () => this.release(), options);
  }

  /** Takes a permit if there is one, and returns whether it did. */
  tryAcquire(): boolean {
    return tryRun(this.#place, take(this.#place.trying)) !== false;
  }

  /**
   * Adds permits, and wakes as many waiters.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE if there would be more than MAX_VALUE; then it adds none
   */
  release(permits = 1): void {
    validateInteger(permits, 'permits', 1, PERMITS);
    if (this.#place.run(give(permits), 0) === OVERFLOW) {
      throw outOfRange('permits', `few enough that there are at most ${PERMITS} permits`, permits);
    }
  }
}
