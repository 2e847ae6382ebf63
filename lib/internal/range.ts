// A part of a mapping, in bytes, checked against its length.
import { outOfRange, validateInteger, validateOptions } from './validate.js';

/** A part of a mapping. The whole mapping if both are left out. */
export interface Range {
  /** Bytes from the start of the mapping. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes. @default to the end of the mapping */
  readonly length?: number | undefined;
}

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
