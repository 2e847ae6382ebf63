// Semaphore: permits, among all threads of all processes that share the memory.
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
 * A number of permits in shared memory, to take and to give. Zeroed memory has none: `release`
 * the first ones. Nobody owns a permit: anyone may give one, and those that a process has taken
 * and not given back are gone when it dies. What must outlive its holder is for a Mutex.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, and ERR_MEMMAP_CORRUPT with the
 * offset if the memory holds what no semaphore can, and a FaultError if the file has lost the memory.
 */
export class Semaphore {
  static {
    showAs(Semaphore.prototype, { value: ({ value }) => value });
  }
  /** Bytes it takes, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;
  /** Permits there can be. */
  static readonly MAX_VALUE: number = PERMITS;

  readonly #place: LockRunner;
  readonly #turns: FifoLock = new FifoLock();

  /**
   * @param memory a writable mapping; or its buffer, where a worker thread got that alone
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Semaphore.byteLength);
  }

  /** Permits there are now. */
  get value(): number {
    return this.#place.run(count(), 0);
  }

  /** Takes a permit; waits for one, blocking the thread. @throws {StateError} ERR_MEMMAP_TIMEOUT */
  acquire(options?: TimeoutOptions): void {
    waitSync(this.#place, take(this.#place.blocking), options);
  }

  /** As {@link acquire}, without blocking the thread. Tasks of a thread are served in order. */
  async acquireAsync(options?: AsyncTimeoutOptions): Promise<void> {
    await waitAsync(this.#place, this.#turns, () => take(this.#place.tasks), () => this.release(), options);
  }

  /** Takes a permit if there is one. */
  tryAcquire(): boolean {
    return tryRun(this.#place, take(this.#place.trying)) !== false;
  }

  /**
   * Gives permits.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE if there would be more than MAX_VALUE: none is given
   */
  release(permits = 1): void {
    validateInteger(permits, 'permits', 1, PERMITS);
    if (this.#place.run(give(permits), 0) === OVERFLOW) {
      throw outOfRange('permits', `such that there are no more than ${PERMITS}`, permits);
    }
  }
}
