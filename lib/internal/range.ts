// Parts of a mapping or a file, in bytes: checked against its length, and the arithmetic of several.
import { outOfRange, validateInteger, validateOptions } from './validate.js';

/** A part of a mapping. The whole mapping if both are left out. */
export interface Range {
  /** Bytes from the start of the mapping. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes. @default to the end of the mapping */
  readonly length?: number | undefined;
}

/** Bytes [offset, offset + length) of a mapping or a file: the end is below 2 ** 53. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** The span that `range` names inside `size` bytes. Throws if it does not fit; never clamps. */
export function resolveRange(range: Range | undefined, size: number, also: readonly string[] = []): Span {
  if (range === undefined) return { offset: 0, length: size };
  validateOptions<Range>(range, ['offset', 'length', ...also] as (keyof Range)[], 'range');
  const { offset = 0 } = range;
  validateInteger(offset, 'offset', 0, size);
  // Subtract, never add: offset + length can pass 2 ** 53.
  const { length = size - offset } = range;
  validateInteger(length, 'length');
  if (length > size - offset) {
    throw outOfRange('length', `<= ${size - offset}, what is left after offset ${offset}`, length);
  }
  return { offset, length };
}

const endOf = ({ offset, length }: Span): number => offset + length;

/** Bytes in all of them. */
export function spansLength(spans: readonly Span[]): number {
  return spans.reduce((bytes, { length }) => bytes + length, 0);
}

/** Ascending spans, with adjacent ones merged. */
export function mergedSpans(spans: readonly Span[]): Span[] {
  const merged: { offset: number; length: number }[] = [];
  for (const { offset, length } of spans) {
    const last = merged.at(-1);
    if (last !== undefined && endOf(last) === offset) last.length += length;
    else merged.push({ offset, length });
  }
  return merged;
}

/** The parts of the spans that lie in `bounds`. */
export function clippedSpans(spans: readonly Span[], bounds: Span): Span[] {
  return spans.flatMap((span) => {
    const offset = Math.max(span.offset, bounds.offset);
    const length = Math.min(endOf(span), endOf(bounds)) - offset;
    return length > 0 ? [{ offset, length }] : [];
  });
}

/** The parts of `bounds` that lie in spans that ascend: as clippedSpans(), by a binary search. */
export function intersectSpans(spans: readonly Span[], bounds: Span): Span[] {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const span = spans[middle];
    if (span !== undefined && endOf(span) <= bounds.offset) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while ((spans[end]?.offset ?? Infinity) < endOf(bounds)) end += 1;
  return clippedSpans(spans.slice(low, end), bounds);
}

/** The span in consecutive pieces of at most `most` bytes. */
export function splitSpan({ offset, length }: Span, most: number): Span[] {
  const pieces: Span[] = [];
  for (let done = 0; done < length; done += most) pieces.push({ offset: offset + done, length: Math.min(most, length - done) });
  return pieces;
}
