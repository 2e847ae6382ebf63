// SameMemory: checks whether the words of a lock are still in the shared memory. If the file was truncated, the
// guard replaces the pages with private ones, where the lock would be free in each process, and have an owner
// in each.
import { FaultError, StateError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { CallFacts } from '../../internal/call-facts.js';
import { faultCount } from '../../mem/faults.js';
import { CLOSED_PAGES } from '../../mem/maps/map-entry.js';
import { type Mapping, memoryOf } from '../../mem/mapping.js';

const facts = new CallFacts(binding.FACTS.behind);

interface Shown {
  readonly path: string;
  readonly inode: number;
  readonly shared: number;
}

/** The file that the kernel reports at a word; undefined if it cannot be asked. */
function shownAt(words: Int32Array, at: number): Shown | undefined {
  const path = binding.behind(words.subarray(at), facts.numbers);
  return typeof path === 'string' ? { path, inode: facts.get('inode'), shared: facts.get('shared') } : undefined;
}

export class SameMemory {
  /** Undefined for a buffer without a mapping. */
  readonly #mapping: Mapping | undefined;
  /** Bytes from the start of the memory. */
  readonly #offset: number;
  readonly #shown: Shown | undefined;
  /** The fault count of the process when the words were last checked. */
  #faults = -1;

  /** Throws if the words are lost already. */
  constructor(mapping: Mapping | undefined, offset: number, words: Int32Array) {
    this.#mapping = mapping;
    this.#offset = offset;
    this.#faults = faultCount();
    this.#shown = shownAt(words, 0);
    // The pages may already be those of the guard, unless a file is reported.
    const fixedUp = mapping === undefined ? -1 : memoryOf(mapping).pages.fixedUp;
    if (fixedUp !== -1 && this.#shown?.inode === 0) mapping?.check();
  }

  /**
   * Throws if the words are no longer in the shared memory, so that the operation reached no other process.
   * Costs one load from memory while there are no new faults in the process.
   *
   * @throws {FaultError} as check() of the mapping; ERR_MEMMAP_FAULT for a buffer without a mapping
   * @throws {StateError} ERR_MEMMAP_CLOSED for the buffer of a closed mapping
   */
  verify(words: Int32Array): void {
    const now = faultCount();
    if (now === this.#faults) return;
    if (this.#isLost(words)) this.#refuse(words);
    this.#faults = now;
  }

  /** Never for memory without a file: it belongs to this process, whose threads all see the same pages. */
  #isLost(words: Int32Array): boolean {
    const mapping = this.#mapping;
    if (this.#shown === undefined || this.#shown.inode === 0 || words.length === 0) return false;
    if (mapping !== undefined && memoryOf(mapping).pages.fixedUp === -1) return false;
    return this.#hasChanged(words, 0) || this.#hasChanged(words, words.length - 1);
  }

  #hasChanged(words: Int32Array, at: number): boolean {
    const now = shownAt(words, at);
    return now !== undefined && (now.inode !== this.#shown?.inode || now.shared !== this.#shown.shared);
  }

  #refuse(words: Int32Array): never {
    const mapping = this.#mapping;
    if (mapping !== undefined) {
      mapping.check();
      throw memoryOf(mapping).pages.log.error('truncated', this.#offset);
    }
    if (shownAt(words, 0)?.path === CLOSED_PAGES) throw new StateError('ERR_MEMMAP_CLOSED', 'The mapping of the buffer is closed');
    throw new FaultError(`The memory of the lock, at byte ${this.#offset} of the buffer, is lost. Call check() on its mapping to see why`);
  }
}
