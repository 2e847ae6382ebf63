// Lines of a file, in place.
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { Span } from '../internal/range.js';
import type { FileMapping } from './file-mapping.js';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** The class of Buffers, whose constructor takes half the time of `subarray`. */
const Bytes = (Buffer as unknown as { [Symbol.species]: BytesConstructor })[Symbol.species];
type BytesConstructor = new (buffer: ArrayBufferLike, offset: number, length: number) => Buffer;

/** Line ends found by one native call. */
const BATCH = 4096;
/** Bytes that one buffer spans; positions in it are 32-bit. A longer line doubles it. */
const STRETCH = 2 ** 26;

export function* lines(mapping: FileMapping, range: Span): Generator<Buffer, void, undefined> {
  const { pages } = mapping;
  const ends = new Uint32Array(BATCH);
  let stretch = STRETCH;
  // Invariant: `start` is where the next line starts.
  for (let start = range.offset; ; ) {
    // Whoever takes a line may close the mapping, or change its length, before the next.
    const { version } = pages;
    const end = Math.min(range.offset + range.length, mapping.length);
    if (start >= end) return;
    const length = Math.min(stretch, end - start);
    const bytes = mapping.part(start, length);
    const { buffer, byteOffset } = bytes;
    let line = 0; // where in `bytes` the next line starts
    for (let found = BATCH; found === BATCH && pages.version === version; ) {
      const from = mapping.byteOffset + start + line;
      const base = line;
      found = binding.positions(pages.open(), from, length - line, LINE_FEED, ends);
      for (let i = 0; i < found && pages.version === version; i++) {
        const feed = base + (ends[i] as number);
        const stop = feed > line && bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed;
        yield new Bytes(buffer, byteOffset + line, stop - line);
        line = feed + 1;
      }
    }
    if (pages.version === version) {
      if (start + length === end) {
        if (line < length) yield bytes.subarray(line);
        return;
      }
      stretch = line === 0 ? longer(stretch) : STRETCH;
    }
    start += line;
  }
}

/** Positions in a stretch are 32-bit, so that is as long as a line can be. */
function longer(stretch: number): number {
  if (stretch < 2 ** 32) return stretch * 2;
  throw new UnsupportedError('ERR_MEMMAP_LINE_TOO_LONG', `A line has more than ${stretch} bytes`);
}
