// A moving window over a file.
import { outOfRange, validateInteger, validateOptions } from '../internal/validate.js';
import type { Pages } from '../mem/pages.js';

/** Options of {@link FileMapping.windows}. */
export interface WindowOptions {
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
  validateOptions<WindowOptions>(options, ['size', 'overlap']);
  const { size = DEFAULT_SIZE, overlap = 0 } = options;
  validateInteger(size, 'options.size', 1);
  validateInteger(overlap, 'options.overlap');
  if (overlap >= size) throw outOfRange('options.overlap', `< ${size}, the size of a window`, overlap);
  pages.open();
  return slide(pages, part, size, overlap);
}

function* slide<TArrayBuffer extends ArrayBufferLike>(
  pages: Pages,
  part: PartReader<TArrayBuffer>,
  size: number,
  overlap: number,
): Generator<Window<TArrayBuffer>, void, undefined> {
  for (let offset = 0; offset < pages.length; offset += size - overlap) {
    const length = Math.min(size, pages.length - offset);
    const window = part(offset, length);
    yield Object.defineProperty(window, 'offset', { value: offset }) as Window<TArrayBuffer>;
    if (offset + length === pages.length) return;
  }
}
