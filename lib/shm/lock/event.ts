// Event: a flag to wait for, for all threads of all processes that share the memory.
import { showAs } from '../../internal/inspect.js';
import { SET, awaitSet, reset, set, verifyEvent } from './algorithm/event.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { type Algorithm, load } from './algorithm/operation.js';
import { type AsyncTimeoutOptions, type TimeoutOptions, waitAsync, waitSync } from './acquire.js';

function* look(): Algorithm<boolean> {
  const value = yield load(0);
  verifyEvent(value);
  return (value & SET) !== 0;
}

/**
 * A flag in shared memory that threads can wait for. Zeroed memory is an event that is not set. It
 * stays set until `reset()`. It has no owner: if a process dies before `set()`, waiters wait on.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, ERR_MEMMAP_CORRUPT with the offset if
 * the memory does not hold an event, and a FaultError if a truncated file has lost the memory.
 */
export class Event {
  static {
    showAs(Event.prototype, { isSet: ({ isSet }) => isSet });
  }
  /** The bytes of an event, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;

  /**
   * @param memory a writable mapping, or its SharedArrayBuffer in a worker thread
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Event.byteLength);
  }

  /** Whether it is set now. */
  get isSet(): boolean {
    return this.#place.run(look(), 0);
  }

  /**
   * Blocks the thread until the event is set. All threads that wait when it is set are released, even
   * if it is reset before they run.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   */
  wait(options?: TimeoutOptions): void {
    waitSync(this.#place, awaitSet(this.#place.blocking), options);
  }

  /** As {@link wait}, without blocking the thread. */
  async waitAsync(options?: AsyncTimeoutOptions): Promise<void> {
    await waitAsync(this.#place, undefined, () => awaitSet(this.#place.tasks), () => {}, options);
  }

  /** Sets the event, and releases all waiters. Idempotent. */
  set(): void {
    this.#place.run(set(), 0);
  }

  /** Clears the event: later calls of `wait()` wait for the next `set()`. Idempotent. */
  reset(): void {
    this.#place.run(reset(), 0);
  }
}
