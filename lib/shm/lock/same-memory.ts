// SameMemory: whether the words of a lock are still in the memory that all who use it share. Where a file
// lost them the guard lets this process go on with pages of its own: there a lock would be free for each
// process, and have an owner in each.
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

/** What the kernel shows behind a word; undefined if it cannot be asked. */
function shownAt(words: Int32Array, at: number): Shown | undefined {
  const path = binding.behind(words.subarray(at), facts.numbers);
  return typeof path === 'string' ? { path, inode: facts.get('inode'), shared: facts.get('shared') } : undefined;
}

export class SameMemory {
  /** Undefined: a buffer is all there is. */
  readonly #mapping: Mapping | undefined;
  /** Bytes from the start of the memory. */
  readonly #offset: number;
  readonly #shown: Shown | undefined;
  /** Of the process, when the words were last where they belong. */
  #faults = -1;

  /** Throws if the words are lost already. */
  constructor(mapping: Mapping | undefined, offset: number, words: Int32Array) {
    this.#mapping = mapping;
    this.#offset = offset;
    this.#faults = faultCount();
    this.#shown = shownAt(words, 0);
    // What is shown now may be pages that the guard has put there, unless they are another file's.
    const fixedUp = mapping === undefined ? -1 : memoryOf(mapping).pages.fixedUp;
    if (fixedUp !== -1 && this.#shown?.inode === 0) mapping?.check();
  }

  /**
   * Throws if the words are not where they were: what was done to them reached nobody. A load from memory
   * while there are no faults in the process.
   *
   * @throws {FaultError} what check() of the mapping throws; ERR_MEMMAP_FAULT where there is but its buffer
   * @throws {StateError} ERR_MEMMAP_CLOSED for the buffer of a closed mapping
   */
  verify(words: Int32Array): void {
    const now = faultCount();
    if (now === this.#faults) return;
    if (this.#isLost(words)) this.#refuse(words);
    this.#faults = now;
  }

  /** Memory without a file is this process's alone: whatever stands there, its threads agree. */
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
    throw new FaultError(`The memory of the lock, at byte ${this.#offset} of the buffer, is lost: check() of its mapping tells why`);
  }
}
