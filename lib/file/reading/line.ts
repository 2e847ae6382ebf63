// A line of a file: its bytes, in place, with where they are and what ends them.
import { UnsupportedError } from '../../errors.js';
import { type Handle, binding } from '../../internal/binding.js';
import { Bytes } from '../../internal/bytes.js';
import type { Range } from '../../internal/range.js';
import { soundBuffer } from '../../mem/text/long-buffer.js';

export const LINE_FEED = 10;
export const CARRIAGE_RETURN = 13;

/** Bytes that one buffer spans while its lines are made. Positions in it are 32-bit. */
export const STRETCH: number = 2 ** 26;
/** Bytes of the longest line, with what ends it: with the rest of its first page, even a huge one, 4 GiB. */
export const LONGEST: number = 2 ** 32 - 2 ** 21;

/** What ends a line; empty for a last line that nothing ends. */
export type LineTerminator = '' | '\n' | '\r\n' | '\r';

/** The bytes of a line, in place and without what ends it. */
export type Line = Buffer & {
  /** Where the line starts: bytes from the start of the mapping. */
  readonly offset: number;
  /** What ends it. Not among its bytes. */
  readonly terminator: LineTerminator;
};

/** An iterator over lines; since Node 22 it has iterator helpers: `lines().filter(...)`. */
export type Lines = IteratorObject<Line, undefined>;

/** What ends lines: {@link LineOptions.breaks}. */
export type LineBreaks = 'lf' | 'any';

/** Options of {@link FileMapping.lines}. */
export interface LineOptions extends Range {
  /** The last line first. Reads only what the lines asked for need. @default false */
  readonly reverse?: boolean | undefined;
  /** Leave out a UTF-8 byte order mark at byte 0 of the mapping: the first line then starts at byte 3. @default false */
  readonly stripBom?: boolean | undefined;
  /**
   * `'lf'`: a line feed ends a line, and a carriage return right before it belongs to the end; other
   * carriage returns are bytes of the line. `'any'`: a carriage return alone ends a line, too.
   * @default 'lf'
   */
  readonly breaks?: LineBreaks | undefined;
}

/** A Buffer with two fields of its own: a class makes them many times as fast as defineProperty. */
class LineBytes extends Bytes {
  readonly offset: number;
  readonly terminator: LineTerminator;

  constructor(buffer: ArrayBufferLike, byteOffset: number, length: number, offset: number, terminator: LineTerminator) {
    super(buffer, byteOffset, length);
    this.offset = offset;
    this.terminator = terminator;
  }
}
// To everyone else it is a Buffer: its name, and what map() and filter() make of it.
Object.defineProperty(LineBytes.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });

/** @param offset - bytes from the start of the mapping */
export function line(buffer: ArrayBufferLike, byteOffset: number, length: number, offset: number, terminator: LineTerminator): Line {
  const bytes = new LineBytes(buffer, byteOffset, length, offset, terminator) as unknown as Line;
  return length > STRETCH ? soundBuffer(bytes) : bytes;
}

export function lineTooLong(): UnsupportedError {
  return new UnsupportedError('ERR_MEMMAP_LINE_TOO_LONG', `A line is longer than ${LONGEST} bytes, the most that lines() can return. Use windows() instead`);
}

/** Whether bytes that start at byte 0 of the mapping start with a byte order mark. */
export function startsWithMark(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Bytes in which {@link BreakFinder} searches at once. */
export const CHUNK: number = 2 ** 14;

/** Finds the bytes that can end a line in at most CHUNK bytes. */
export class BreakFinder {
  readonly #feeds: Uint32Array<ArrayBuffer>;
  readonly #returns: Uint32Array<ArrayBuffer> | undefined;
  /** What find() has found: ascending, from the start of the chunk. */
  readonly found: Uint32Array<ArrayBuffer> = new Uint32Array(CHUNK);

  constructor(breaks: LineBreaks) {
    this.#feeds = breaks === 'any' ? new Uint32Array(CHUNK) : this.found;
    this.#returns = breaks === 'any' ? new Uint32Array(CHUNK) : undefined;
  }

  /** Fills `found`, and returns how many there are. `offset`: from the first page of the mapping. */
  find(handle: Handle, offset: number, length: number): number {
    const feeds = binding.positions(handle, offset, length, LINE_FEED, this.#feeds);
    if (this.#returns === undefined) return feeds;
    const returns = binding.positions(handle, offset, length, CARRIAGE_RETURN, this.#returns);
    return merge(this.#feeds, feeds, this.#returns, returns, this.found);
  }
}

/** Merges the first numbers of two ascending arrays. They have none in common. */
function merge(some: Uint32Array, someLength: number, others: Uint32Array, othersLength: number, out: Uint32Array): number {
  let [i, j] = [0, 0];
  const length = someLength + othersLength;
  for (let k = 0; k < length; k++) {
    const takesSome = j === othersLength || (i < someLength && (some[i] as number) < (others[j] as number));
    out[k] = (takesSome ? some[i++] : others[j++]) as number;
  }
  return length;
}
