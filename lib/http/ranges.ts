// The Range header of a request: RFC 9110, sections 14.1 and 14.2.
import type { Span } from '../internal/range.js';

const BYTES = /^bytes=/i;
const RANGE = /^(?:(\d+)-(\d*)|-(\d+))$/;
/** Optional white space, as HTTP defines it, around a member of a list. */
const AROUND = /^[ \t]+|[ \t]+$/g;

/**
 * The parts of a file of `size` bytes that a Range header asks for, in its order; those that overlap are merged,
 * and all are then in ascending order. Undefined: to be ignored, since its syntax or unit is not known. Empty: none
 * of the ranges can be satisfied.
 */
export function resolveRanges(header: string, size: number): Span[] | undefined {
  if (!BYTES.test(header)) return undefined;
  const spans: Span[] = [];
  let members = 0;
  for (const member of header.slice('bytes='.length).split(',')) {
    const text = member.replace(AROUND, '');
    if (text === '') continue; // RFC 9110, section 5.6.1.2: empty members of a list are permitted
    const match = RANGE.exec(text);
    if (match === null) return undefined;
    members += 1;
    const [, first, last = '', suffix] = match;
    const offset = first === undefined ? Math.max(0, size - Number(suffix)) : Number(first);
    const end = first === undefined || last === '' ? size - 1 : Number(last);
    if (first !== undefined && last !== '' && end < offset) return undefined;
    if (offset < size) spans.push({ offset, length: Math.min(end, size - 1) - offset + 1 });
  }
  return members === 0 ? undefined : withoutOverlaps(spans);
}

function withoutOverlaps(spans: Span[]): Span[] {
  const sorted = spans.toSorted((a, b) => a.offset - b.offset);
  const merged: { offset: number; length: number }[] = [];
  for (const { offset, length } of sorted) {
    const last = merged.at(-1);
    const shared = last === undefined ? 0 : last.offset + last.length - offset;
    if (last !== undefined && shared > 0) last.length += Math.max(0, length - shared);
    else merged.push({ offset, length });
  }
  return merged.length === spans.length ? spans : merged;
}
