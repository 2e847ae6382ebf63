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
 * A lock in shared memory that many may hold to read, or one to write. Zeroed memory is a free
 * one. A dead reader is passed over. If a writer ends without unlocking, those who read after
 * it, and the next writer, are told so by `ownerDied`.
 *
 * At most 62 hold it to read at a time; more wait, as if for a writer. Readers that come while
 * a writer waits come after it. Not recursive for writers, and not fair.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, and ERR_MEMMAP_CORRUPT with the
 * offset if the memory holds what no such lock can, and a FaultError if the file has lost the memory.
 */
export class RwLock {
  static {
    showAs(RwLock.prototype, { locked: (lock) => (lock.#place.first() & ID) !== 0 });
  }
  /** Bytes it takes, at a multiple of 8: docs/abi.md. */
  static readonly byteLength: number = 4 * (FIRST + SLOTS);

  readonly #place: LockRunner;
  readonly #writers: FifoLock = new FifoLock();
  readonly #readers: FifoLock = new FifoLock();
  /** Slots this object holds, and how often it was asked to read while it did. */
  readonly #slots: number[] = [];
  #nested = 0;

  /**
   * @param memory a writable mapping; or its buffer, where a worker thread got that alone
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, RwLock.byteLength);
  }

  /**
   * Waits to be the only one, blocking the thread.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT; ERR_MEMMAP_DEADLOCK if this thread has it, to
   * write or to read
   */
  lock(options?: TimeoutOptions): LockResult {
    const place = this.#place;
    place.first();
    // At once: other readers, whom it would wait for first, may stay for long.
    if (this.#slots.length > 0) return toResult(OWN);
    return waitSync(place, acquireExclusive(place.blocking, SLOTS), options);
  }

  /** As {@link lock}, without blocking the thread. Waits for other tasks of it, too. */
  lockAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const start = () => acquireExclusive(this.#place.tasks, SLOTS);
    return waitAsync(this.#place, this.#writers, start, () => this.unlock(), options);
  }

  /** The lock to write, if nobody else has it who lives; else false. */
  tryLock(): LockResult | false {
    return tryRun(this.#place, acquireExclusive(this.#place.trying, SLOTS));
  }

  /** Ends writing. @throws {StateError} ERR_MEMMAP_NOT_OWNER if this thread does not write */
  unlock(): void {
    toResult(this.#place.run(releaseExclusive(this.#place.blocking), Infinity));
  }

  /**
   * Waits to read, blocking the thread. Reading again while this object holds it is granted at
   * once: to wait for a writer, which waits for this thread, would be for ever.
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

  /** As {@link lockShared}, without blocking the thread: always behind a writer that waits. */
  async lockSharedAsync(options?: AsyncTimeoutOptions): Promise<LockResult> {
    const place = this.#place;
    const hold: Hold = { slot: 0 };
    const start = () => acquireShared(place.tasks, SLOTS, hold);
    const undo = () => void place.run(leave(place.blocking, hold.slot), Infinity);
    return this.#held(hold, await waitAsync(place, this.#readers, start, undo, options));
  }

  /** The lock to read, if nobody writes who lives; else false. */
  tryLockShared(): LockResult | false {
    const hold: Hold = { slot: 0 };
    const result = tryRun(this.#place, acquireShared(this.#place.trying, SLOTS, hold));
    return result === false ? false : this.#held(hold, result);
  }

  /** Ends reading. @throws {StateError} ERR_MEMMAP_NOT_OWNER if this object does not read */
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
