// Arithmetic of spans: bytes [offset, offset + length). Sums stay below 2 ** 53: spans lie in files and mappings.
import type { Span } from './range.js';

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
