// Mutex: one owner at a time, among all threads of all processes that share the memory.
import { showAs } from '../../internal/inspect.js';
import { ID } from '../wait/owner-id.js';
import { acquire, release } from './algorithm/mutex.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { FifoLock } from '../wait/fifo.js';
import { type AsyncTimeoutOptions, type LockResult, type TimeoutOptions, tryRun, toResult, waitAsync, waitSync } from './acquire.js';
import { DONE } from './algorithm/operation.js';

/**
 * A lock in shared memory that has one owner: a thread of any process. Zeroed memory is a free
 * one. If its owner ends without unlocking, whatever the cause, the next one gets it, and is
 * told by `ownerDied` to look after what it guards.
 *
 * Not recursive, and not fair: whoever comes at the right moment gets it.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, and ERR_MEMMAP_CORRUPT with the
 * offset if the memory holds what no mutex can, and a FaultError if the file has lost the memory.
 */
export class Mutex {
  static {
    showAs(Mutex.prototype, { locked: (mutex) => (mutex.#place.first() & ID) !== 0 });
  }
  /** Bytes it takes, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;
  readonly #turns: FifoLock = new FifoLock();

  /**
   * @param memory a writable mapping; or its buffer, where a worker thread got that alone
   * @param offset bytes from the start of `memory`, a multiple of 8
   * @throws {SystemError} ENOENT if nothing leads to the file behind the memory any more
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Mutex.byteLength);
  }

  /**
   * Waits for the lock, blocking the thread. A free one costs no system call.
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
   * Waits for the lock without blocking the thread, nor one of libuv's pool. Tasks of a thread
   * get it in the order in which they asked; one that has it already waits for its own unlock().
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   */
  lockAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const place = this.#place;
    return waitAsync(place, this.#turns, () => acquire(place.tasks, 0), () => this.unlock(), options);
  }

  /** The lock, if it is free or its owner is dead; else false. */
  tryLock(): LockResult | false {
    const place = this.#place;
    if (place.current && Atomics.compareExchange(place.words, 0, 0, place.id) === 0) {
      place.verify();
      return toResult(DONE);
    }
    return tryRun(place, acquire(place.trying, 0));
  }

  /** @throws {StateError} ERR_MEMMAP_NOT_OWNER if this thread does not have it */
  unlock(): void {
    const place = this.#place;
    if (place.current && Atomics.compareExchange(place.words, 0, place.id, 0) === place.id) {
      place.verify();
      return;
    }
    toResult(place.run(release(place.blocking, 0, 1), Infinity));
  }
}
