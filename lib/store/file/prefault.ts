// Prefaulter: while the log grows fast, has another thread allocate the pages that it will be written to.
// If it grows slowly, each page costs a fault: pages allocated long before would be written to the disk
// twice.
import { BLOCK_WORDS } from './layout.js';
import type { MappedFile } from './mapped-file.js';

/** Words allocated at a time, whole blocks: 4 MiB. The next are requested when half of them are written. */
const AHEAD: number = 64 * BLOCK_WORDS;
/** Half of them in this time, in ms, counts as fast. */
const FAST = 1000;

export class Prefaulter {
  readonly #windows: MappedFile;
  /** Where the requested pages end: a word of the window, where a block begins. */
  #asked = 0;
  #last = -Infinity;

  constructor(windows: MappedFile) {
    this.#windows = windows;
  }

  /** The log continues at a word of another extent. */
  enter(at: number): void {
    this.#asked = at - (at % BLOCK_WORDS);
  }

  /**
   * The log will be written up to a word of the window.
   *
   * @param end - the end of the extent
   * @returns the word up to which the log may be written before this must be called again
   */
  reach(window: number, at: number, end: number): number {
    const now = performance.now();
    const fast = now - this.#last < FAST;
    this.#last = now;
    const from = Math.max(this.#asked, at - (at % BLOCK_WORDS));
    this.#asked = Math.min(from + AHEAD, end);
    if (fast && this.#asked > from) this.#windows.populate(window, from * 4, (this.#asked - from) * 4);
    return this.#asked === end ? end : this.#asked - AHEAD / 2;
  }
}
