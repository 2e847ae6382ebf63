// advise('willneed'): asks the kernel only for pages that are not in memory. While nothing is missing it
// looks less and less often.
import { binding } from '../internal/binding.js';
import type { Span } from '../internal/range.js';
import type { Pages } from './pages.js';
import { check } from '../internal/syscall.js';

/** After this many requests in a row that found everything in memory, not every request looks. */
const STREAK = 1024;
/** Then one request in this many looks: at first, and at most. */
const RARELY = 16;
const MOST_RARELY = 256;
/** Pages that one look takes in. */
const SLICE = 2 ** 14;

/** Bytes asked for in one call: the kernel leaves out what is beyond the readahead of the device, 128 KiB as a rule. */
const AHEAD = 2 ** 17;

const vec = new Uint8Array(SLICE);

/** The requests of one mapping, and what they found. */
export class Prefetch {
  readonly #pages: Pages;
  readonly #isClaimed: () => boolean;
  #claimed: boolean | undefined;
  #streak = 0;
  /** 0: every request looks. */
  #every = 0;
  #unlooked = 0;

  /** @param isClaimed - whether mincore(2) reports all pages of the mapping as resident without looking */
  constructor(pages: Pages, isClaimed: () => boolean) {
    this.#pages = pages;
    this.#isClaimed = isClaimed;
  }

  /** Starts reading the missing pages, and does not wait for them. */
  request({ offset, length }: Span): void {
    this.#pages.pinnedHandle();
    if (length === 0) return;
    if (this.#claimed === true) {
      this.#ask(offset, length);
      return;
    }
    this.#unlooked += 1;
    if (this.#unlooked < this.#every) return;
    this.#unlooked = 0;
    if (this.#readMissing(offset, length)) {
      this.#streak = 0;
      this.#every = 0;
    } else if (this.#claimed === undefined && (this.#claimed = this.#isClaimed())) {
      this.request({ offset, length });
    } else if (++this.#streak >= STREAK) {
      this.#every = this.#every === 0 ? RARELY : Math.min(2 * this.#every, MOST_RARELY);
    }
  }

  #ask(offset: number, length: number): void {
    const handle = this.#pages.open();
    for (let done = 0; done < length; done += AHEAD) {
      check(binding.madvise(handle, offset + done, Math.min(AHEAD, length - done), binding.MADV.WILLNEED), 'madvise');
    }
  }

  /** @returns whether anything was missing */
  #readMissing(offset: number, length: number): boolean {
    const { pageSize } = binding;
    const handle = this.#pages.open();
    let missing = false;
    for (let done = 0; done < length; done += SLICE * pageSize) {
      const slice = Math.min(SLICE * pageSize, length - done);
      check(binding.mincore(handle, offset + done, slice, vec), 'mincore');
      const pages = Math.ceil(slice / pageSize);
      for (let from = vec.indexOf(0); from !== -1 && from < pages; ) {
        const next = vec.indexOf(1, from);
        const to = next === -1 || next > pages ? pages : next;
        const start = done + from * pageSize;
        const end = Math.min(done + to * pageSize, length);
        this.#ask(offset + start, end - start);
        missing = true;
        from = to < pages ? vec.indexOf(0, to) : -1;
      }
    }
    return missing;
  }
}
