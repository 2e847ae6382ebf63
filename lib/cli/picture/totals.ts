// The totals of a picture, and a bar of all its pages.
import { type Counts, IN_MEMORY, type PageState, type Picture, STATES, pictureBytes, countsOf, pagesInMemoryOf, pagesOf } from './picture.js';

export interface PictureTotals {
  /** Pages of each state. */
  readonly counts: Counts;
  readonly pages: number;
  readonly pagesInMemory: number;
  readonly bytes: number;
  /** Bytes of the picture only: the rest of a file's last page does not count. */
  readonly bytesInMemory: number;
}

export function sumsOf(picture: Picture): PictureTotals {
  const counts = countsOf(picture);
  let bytesInMemory = 0;
  for (const { state, length } of picture.runs) if (IN_MEMORY.has(state)) bytesInMemory += length;
  return { counts, pages: pagesOf(counts), pagesInMemory: pagesInMemoryOf(counts), bytes: pictureBytes(picture), bytesInMemory };
}

export interface BarPart {
  readonly state: PageState;
  /** Whole units from the left. */
  readonly start: number;
  readonly end: number;
}

/** The states in the order of STATES, in a bar of `width` units. A state of few pages may have none. */
export function barOf({ counts, pages }: PictureTotals, width: number): BarPart[] {
  const parts: BarPart[] = [];
  let before = 0;
  for (const state of STATES) {
    const start = Math.round((before / pages) * width);
    before += counts[state];
    const end = Math.round((before / pages) * width);
    if (end > start) parts.push({ state, start, end });
  }
  return parts;
}
