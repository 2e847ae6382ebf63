// Barrier: threads of all processes that share the memory wait until so many have come.
import { showAs } from '../../internal/inspect.js';
import { invalidValue, validateInteger } from '../../internal/validate.js';
import { ARRIVED, DISAGREE, LAST, arrive } from './algorithm/barrier.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { type AsyncTimeoutOptions, type TimeoutOptions, waitAsync, waitSync } from './acquire.js';
import { type Algorithm, DONE } from './algorithm/operation.js';

/**
 * A place in shared memory where a number of parties meet, round after round. Zeroed memory is a
 * fresh one; the first to come settles how many parties there are.
 *
 * An arrival counts, even if the one who came dies while it waits. For one who dies before it
 * comes the others wait in vain: give a timeout. Whoever gives up takes its arrival back.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, and ERR_MEMMAP_CORRUPT with the
 * offset if the memory holds what no barrier can, and a FaultError if the file has lost the memory.
 */
export class Barrier {
  static {
    showAs(Barrier.prototype, { parties: (barrier) => barrier.#parties });
  }
  /** Bytes it takes, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;
  readonly #parties: number;

  /**
   * @param memory a writable mapping; or its buffer, where a worker thread got that alone
   * @param offset bytes from the start of `memory`, a multiple of 8
   * @param parties how many meet: 1 to 65535, the same for all of them
   */
  constructor(memory: LockMemory, offset: number, parties: number) {
    validateInteger(parties, 'parties', 1, ARRIVED);
    this.#place = new LockRunner(memory, offset, Barrier.byteLength);
    this.#parties = parties;
  }

  /**
   * Waits until all have come, blocking the thread.
   *
   * @returns true for one of them, the last
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   * @throws {TypeError} ERR_INVALID_ARG_VALUE if the others count on another number of parties
   */
  wait(options?: TimeoutOptions): boolean {
    let last = false;
    waitSync(this.#place, this.#arrive(this.#place.blocking, () => (last = true)), options);
    return last;
  }

  /** As {@link wait}, without blocking the thread. Each call is an arrival. */
  async waitAsync(options?: AsyncTimeoutOptions): Promise<boolean> {
    let last = false;
    const start = () => this.#arrive(this.#place.tasks, () => (last = true));
    await waitAsync(this.#place, undefined, start, undefined, options);
    return last;
  }

  *#arrive(me: LockRunner['tasks'], isLast: () => void): Algorithm<number> {
    const outcome = yield* arrive(me, this.#parties);
    if (outcome === DISAGREE) {
      throw invalidValue('parties', 'is not the number that others have given', this.#parties);
    }
    if (outcome !== LAST) return outcome;
    isLast();
    return DONE;
  }
}
