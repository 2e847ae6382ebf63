// Mutex: one owner at a time, among all threads of all processes that share the memory.
import { showAs } from '../../internal/inspect.js';
import { ID } from '../wait/owner-id.js';
import { acquire, release } from './algorithm/mutex.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { FifoLock } from '../wait/fifo.js';
import { type AsyncTimeoutOptions, type LockResult, type TimeoutOptions, tryRun, toResult, waitAsync, waitSync } from './acquire.js';
import { DONE } from './algorithm/operation.js';

/**
 * A mutual exclusion lock in shared memory. Its owner is a thread of any process. Zeroed memory is a
 * free mutex. If the owner ends without unlocking, for whatever reason, the next thread gets the lock,
 * and `ownerDied` tells it to check the data that the lock protects.
 *
 * Not recursive, and not fair: a thread that comes at the right moment may get it before others.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, ERR_MEMMAP_CORRUPT with the offset if
 * the memory does not hold a mutex, and a FaultError if a truncated file has lost the memory.
 */
export class Mutex {
  static {
    showAs(Mutex.prototype, { locked: (mutex) => (mutex.#place.first() & ID) !== 0 });
  }
  /** The bytes of a mutex, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;
  readonly #turns: FifoLock = new FifoLock();

  /**
   * @param memory a writable mapping, or its SharedArrayBuffer in a worker thread
   * @param offset bytes from the start of `memory`, a multiple of 8
   * @throws {SystemError} ENOENT if the file behind the memory cannot be opened any more
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Mutex.byteLength);
  }

  /**
   * Gets the lock, and blocks the thread until it is free. A free lock costs no system call.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT; ERR_MEMMAP_DEADLOCK if this thread has it
   */
  lock(options?: TimeoutOptions): LockResult {
    const place = this.#place;
    if (options === undefined && place.current && Atomics.compareExchange(place.words, 0, 0, place.id) === 0) {
      place.verify();
      return toResult(DONE);
    }
    return waitSync(place, acquire(place.blocking, 0), options);
  }

  /**
   * Gets the lock without blocking this thread or one of libuv's pool. Tasks of a thread get it in the
   * order of their calls; a task that has it already waits for its own unlock().
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   */
  lockAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const place = this.#place;
    return waitAsync(place, this.#turns, () => acquire(place.tasks, 0), () => this.unlock(), options);
  }

  /** Gets the lock if it is free or its owner is dead; otherwise returns false. */
  tryLock(): LockResult | false {
    const place = this.#place;
    if (place.current && Atomics.compareExchange(place.words, 0, 0, place.id) === 0) {
      place.verify();
      return toResult(DONE);
    }
    return tryRun(place, acquire(place.trying, 0));
  }

  /** Releases the lock. @throws {StateError} ERR_MEMMAP_NOT_OWNER if this thread does not have it */
  unlock(): void {
    const place = this.#place;
    if (place.current && Atomics.compareExchange(place.words, 0, place.id, 0) === place.id) {
      place.verify();
      return;
    }
    toResult(place.run(release(place.blocking, 0, 1), Infinity));
  }
}
