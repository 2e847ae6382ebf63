// RwLock: many readers or one writer, among all threads of all processes that share the memory.
import { showAs } from '../../internal/inspect.js';
import { ID } from '../wait/owner-id.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { FIRST, type Hold, acquireExclusive, acquireShared, leave, releaseExclusive } from './algorithm/rw-lock.js';
import { DONE, NOT_OWNER, OWN } from './algorithm/operation.js';
import { FifoLock } from '../wait/fifo.js';
import { type AsyncTimeoutOptions, type LockResult, type TimeoutOptions, tryRun, toResult, waitAsync, waitSync } from './acquire.js';

/** Readers at a time. */
const SLOTS = 62;

/**
 * A lock in shared memory that many threads may hold to read, or one to write. Zeroed memory is a free
 * lock. Dead readers do not count. If a writer ends without unlocking, `ownerDied` reports it to
 * readers after it and to the next writer.
 *
 * At most 62 readers hold it at a time; others wait. Readers that come while a writer waits get
 * it after the writer. Not recursive for writers, and not fair.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, ERR_MEMMAP_CORRUPT with the offset if
 * the memory does not hold such a lock, and a FaultError if a truncated file has lost the memory.
 */
export class RwLock {
  static {
    showAs(RwLock.prototype, { locked: (lock) => (lock.#place.first() & ID) !== 0 });
  }
  /** The bytes of the lock, at a multiple of 8: docs/abi.md. */
  static readonly byteLength: number = 4 * (FIRST + SLOTS);

  readonly #place: LockRunner;
  readonly #writers: FifoLock = new FifoLock();
  readonly #readers: FifoLock = new FifoLock();
  /** Slots that this object holds, and how often lockShared() was called while it held one. */
  readonly #slots: number[] = [];
  #nested = 0;

  /**
   * @param memory a writable mapping, or its SharedArrayBuffer in a worker thread
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, RwLock.byteLength);
  }

  /**
   * Gets the lock to write, and blocks the thread until no other thread has it.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT; ERR_MEMMAP_DEADLOCK if this thread has it, to
   * write or to read
   */
  lock(options?: TimeoutOptions): LockResult {
    const place = this.#place;
    place.first();
    // Throw at once: otherwise it would first wait for other readers, possibly for long.
    if (this.#slots.length > 0) return toResult(OWN);
    return waitSync(place, acquireExclusive(place.blocking, SLOTS), options);
  }

  /** As {@link lock}, without blocking the thread. Also waits for other tasks of the thread. */
  lockAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const start = () => acquireExclusive(this.#place.tasks, SLOTS);
    return waitAsync(this.#place, this.#writers, start, () => this.unlock(), options);
  }

  /** Gets the lock to write if no living thread has it; otherwise returns false. */
  tryLock(): LockResult | false {
    return tryRun(this.#place, acquireExclusive(this.#place.trying, SLOTS));
  }

  /** Releases the lock after writing. @throws {StateError} ERR_MEMMAP_NOT_OWNER if this thread does not write */
  unlock(): void {
    toResult(this.#place.run(releaseExclusive(this.#place.blocking), Infinity));
  }

  /**
   * Gets the lock to read, and blocks the thread until no writer has it. If this object already holds it
   * to read, it succeeds at once: a waiting writer, which waits for this thread, would be a deadlock.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT; ERR_MEMMAP_DEADLOCK if this thread writes
   */
  lockShared(options?: TimeoutOptions): LockResult {
    const place = this.#place;
    if (this.#slots.length > 0) {
      place.first();
      this.#nested += 1;
      return toResult(DONE);
    }
    const hold: Hold = { slot: 0 };
    return this.#held(hold, waitSync(place, acquireShared(place.blocking, SLOTS, hold), options));
  }

  /** As {@link lockShared}, without blocking the thread; always after a waiting writer. */
  async lockSharedAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const place = this.#place;
    const hold: Hold = { slot: 0 };
    const start = () => acquireShared(place.tasks, SLOTS, hold);
    const undo = () => void place.run(leave(place.blocking, hold.slot), Infinity);
    return this.#held(hold, await waitAsync(place, this.#readers, start, undo, options));
  }

  /** Gets the lock to read if no living thread writes; otherwise returns false. */
  tryLockShared(): LockResult | false {
    const hold: Hold = { slot: 0 };
    const result = tryRun(this.#place, acquireShared(this.#place.trying, SLOTS, hold));
    return result === false ? false : this.#held(hold, result);
  }

  /** Releases the lock after reading. @throws {StateError} ERR_MEMMAP_NOT_OWNER if this object does not read */
  unlockShared(): void {
    const place = this.#place;
    place.follow();
    if (this.#nested > 0) {
      this.#nested -= 1;
      return;
    }
    const slot = this.#slots.pop();
    toResult(slot === undefined ? NOT_OWNER : place.run(leave(place.blocking, slot), Infinity));
  }

  #held({ slot }: Hold, result: LockResult): LockResult {
    this.#slots.push(slot);
    return result;
  }
}
