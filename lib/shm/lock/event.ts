// Event: something that has happened, for all threads of all processes that share the memory.
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
 * A flag in shared memory that one can wait for. Zeroed memory is one that is not set. It stays
 * set until `reset()`. Nobody owns it: one who dies before `set()` has not set it.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, and ERR_MEMMAP_CORRUPT with the
 * offset if the memory holds what no event can, and a FaultError if the file has lost the memory.
 */
export class Event {
  static {
    showAs(Event.prototype, { isSet: ({ isSet }) => isSet });
  }
  /** Bytes it takes, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;

  /**
   * @param memory a writable mapping; or its buffer, where a worker thread got that alone
   * @param offset bytes from the start of `memory`, a multiple of 8
   */
  constructor(memory: LockMemory, offset: number) {
    this.#place = new LockRunner(memory, offset, Event.byteLength);
  }

  get isSet(): boolean {
    return this.#place.run(look(), 0);
  }

  /**
   * Waits until it is set, blocking the thread. Whoever waits when it is set is released, even
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

  /** Sets it, and releases all who wait. Nothing happens if it is set. */
  set(): void {
    this.#place.run(set(), 0);
  }

  /** Who waits from here on waits for the next `set()`. */
  reset(): void {
    this.#place.run(reset(), 0);
  }
}
