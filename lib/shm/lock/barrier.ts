// Barrier: threads of all processes that share the memory wait until a number of them have arrived.
import { showAs } from '../../internal/inspect.js';
import { invalidValue, validateInteger } from '../../internal/validate.js';
import { ARRIVED, DISAGREE, LAST, arrive } from './algorithm/barrier.js';
import { type LockMemory, LockRunner } from './lock-word.js';
import { type AsyncTimeoutOptions, type TimeoutOptions, waitAsync, waitSync } from './acquire.js';
import { type Algorithm, DONE } from './algorithm/operation.js';

/**
 * A barrier in shared memory where a number of parties meet, round after round. Zeroed memory is a
 * new barrier; the first party to arrive sets the number of parties.
 *
 * An arrival counts even if its thread dies while it waits. If a party dies before it arrives, the
 * others wait forever: give a timeout. A party that stops waiting undoes its arrival.
 *
 * Every method throws ERR_MEMMAP_CLOSED on a closed mapping, ERR_MEMMAP_CORRUPT with the offset if
 * the memory does not hold a barrier, and a FaultError if a truncated file has lost the memory.
 */
export class Barrier {
  static {
    showAs(Barrier.prototype, { parties: (barrier) => barrier.#parties });
  }
  /** The bytes of a barrier, at a multiple of 8: docs/abi.md. */
  static readonly byteLength = 8;

  readonly #place: LockRunner;
  readonly #parties: number;

  /**
   * @param memory a writable mapping, or its SharedArrayBuffer in a worker thread
   * @param offset bytes from the start of `memory`, a multiple of 8
   * @param parties how many meet: 1 to 65535, the same for all of them
   */
  constructor(memory: LockMemory, offset: number, parties: number) {
    validateInteger(parties, 'parties', 1, ARRIVED);
    this.#place = new LockRunner(memory, offset, Barrier.byteLength);
    this.#parties = parties;
  }

  /**
   * Arrives, and blocks the thread until all parties have arrived.
   *
   * @returns true for the last to arrive, false for the others
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   * @throws {TypeError} ERR_INVALID_ARG_VALUE if the others have given another number of parties
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
      throw invalidValue('parties', 'must be the number that the other parties have given', this.#parties);
    }
    if (outcome !== LAST) return outcome;
    isLast();
    return DONE;
  }
}
