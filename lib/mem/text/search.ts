// Searching backwards, with a search that goes forwards.
import { invalidType } from '../../internal/validate.js';

/** Where a needle first is in [offset, offset + length), from the start of the bytes; or -1. */
export type Find = (offset: number, length: number) => number;

/** Starts of the first piece that is searched; each further piece has twice as many, up to MOST. */
const LEAST = 2 ** 16;
const MOST = 2 ** 23;

/**
 * Where the search begins: the last start of a needle that may be found; -1: none. As Buffer's
 * lastIndexOf: a negative `from` counts from the end, a fraction is cut off, NaN is the end.
 */
export function lastStart(from: number, length: number, needleLength: number): number {
  if (typeof from !== 'number') throw invalidType('from', 'of type number', from);
  const most = length - needleLength;
  const offset = Number.isNaN(from) ? length : Math.trunc(from) + 0; // -0 is 0
  if (offset >= 0) return Math.max(-1, Math.min(offset, most));
  const start = length + offset;
  return start < 0 && needleLength === 0 ? 0 : Math.max(-1, Math.min(start, most));
}

/** The last start of the needle at or before `last`, or -1. */
export function findLast(find: Find, needleLength: number, last: number): number {
  let size = LEAST;
  for (let end = last + 1; end > 0; ) {
    const start = Math.max(0, end - size);
    const found = find(start, end - start + needleLength - 1);
    if (found !== -1) return lastOf(find, needleLength, found, end);
    end = start;
    size = Math.min(MOST, size * 2);
  }
  return -1;
}

/** The last start in [found, end): halves what is left, so that it takes few searches whatever the bytes are. */
function lastOf(find: Find, needleLength: number, found: number, end: number): number {
  let best = found;
  for (let limit = end; best + 1 < limit; ) {
    const middle = best + Math.ceil((limit - best) / 2);
    const next = find(middle, limit - middle + needleLength - 1);
    if (next === -1) limit = middle;
    else best = next;
  }
  return best;
}
