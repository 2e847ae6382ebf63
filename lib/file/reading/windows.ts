// A moving window over a file.
import { type Range, resolveRange } from '../../internal/range.js';
import { outOfRange, validateInteger, validateOptions } from '../../internal/validate.js';
import type { Pages } from '../../mem/pages.js';
import { soundBuffer } from '../../mem/text/long-buffer.js';

/** Options of {@link FileMapping.windows}: a part of the mapping, and how to go through it. */
export interface WindowOptions extends Range {
  /** Bytes in a window; the last may have fewer. @default 262144 */
  readonly size?: number | undefined;
  /** Bytes that a window repeats from the one before: less than `size`. @default 0 */
  readonly overlap?: number | undefined;
}

/** The bytes of a window, in place; `offset` is where in the mapping they start. */
export type Window<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> = Buffer<TArrayBuffer> & { readonly offset: number };

/** Returns the bytes of a part, in place. */
export type PartReader<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> = (offset: number, length: number) => Buffer<TArrayBuffer>;

/**
 * Half of a common second-level cache, so that a second pass over a window is cheap. Fetching
 * windows or mapping their pages ahead costs more than it gains (bench/README.md).
 */
const DEFAULT_SIZE = 2 ** 18;

/** @param part - gives the bytes of a part */
export function windows<TArrayBuffer extends ArrayBufferLike>(
  pages: Pages,
  part: PartReader<TArrayBuffer>,
  options: WindowOptions = {},
): Generator<Window<TArrayBuffer>, void, undefined> {
  validateOptions<WindowOptions>(options, ['offset', 'length', 'size', 'overlap']);
  const { offset = 0, length, size = DEFAULT_SIZE, overlap = 0 } = options;
  validateInteger(size, 'options.size', 1);
  validateInteger(overlap, 'options.overlap');
  if (overlap >= size) throw outOfRange('options.overlap', `< ${size}, the size of a window`, overlap);
  pages.open();
  resolveRange({ offset, length }, pages.length);
  const limit = length === undefined ? Infinity : offset + length;
  return slide(pages, part, offset, limit, size, overlap);
}

function* slide<TArrayBuffer extends ArrayBufferLike>(
  pages: Pages,
  part: PartReader<TArrayBuffer>,
  from: number,
  limit: number,
  size: number,
  overlap: number,
): Generator<Window<TArrayBuffer>, void, undefined> {
  // The loop body may resize the mapping.
  const end = () => Math.min(limit, pages.length);
  for (let offset = from; offset < end(); offset += size - overlap) {
    const length = Math.min(size, end() - offset);
    const window = soundBuffer(part(offset, length));
    yield Object.defineProperty(window, 'offset', { value: offset }) as Window<TArrayBuffer>;
    if (offset + length === end()) return;
  }
}
