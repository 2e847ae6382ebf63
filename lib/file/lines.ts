// Lines of a file, in place.
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { Bytes } from '../internal/bytes.js';
import type { Span } from '../internal/range.js';
import type { Pages } from '../mem/pages.js';
import type { PartReader } from './windows.js';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Line ends found by one native call: their lines are still in the cache when they are used. */
const BATCH = 512;
/** Bytes that one buffer spans; positions in it are 32-bit. A longer line doubles it. */
const STRETCH = 2 ** 26;

/** An iterator over lines; since Node 22 it has iterator helpers: `lines().filter(...)`. */
export type Lines = IteratorObject<Buffer, undefined>;

/** Not a generator: saving and restoring its state would take a third of the time of a line. */
export function lines(pages: Pages, range: Span, part: PartReader): Lines {
  return new LineReader(pages, range, part) as unknown as Lines;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

class LineReader {
  readonly #pages: Pages;
  readonly #part: PartReader;
  /** Where the range ends, whatever the mapping's length. */
  readonly #limit: number;
  readonly #ends = new Uint32Array(BATCH);
  /** How many of `#ends` are valid and how many are used. Fewer than BATCH: no more follow in the stretch. */
  #found = 0;
  #used = 0;
  /** Where in the stretch `#ends` counts from. */
  #base = 0;
  /** The stretch: where it starts in the mapping, and its bytes. */
  #start: number;
  #bytes: Buffer = Buffer.alloc(0);
  #buffer: ArrayBufferLike = this.#bytes.buffer;
  #byteOffset = 0;
  #size = STRETCH;
  /** Where in the stretch the next line starts. */
  #line = 0;
  /** The version of the pages when the stretch was taken: the loop body may close or resize the mapping. */
  #version = -1;
  #done = false;

  constructor(pages: Pages, { offset, length }: Span, part: PartReader) {
    this.#pages = pages;
    this.#part = part;
    this.#start = offset;
    this.#limit = offset + length;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Buffer, undefined> {
    // A stretch has bytes, unless the loop body has transferred the buffer: then take it again.
    if (this.#bytes.length === 0) this.#version = -1;
    while (this.#used === this.#found || this.#pages.version !== this.#version) {
      if (this.#done) return DONE;
      if (this.#pages.version !== this.#version) this.#take();
      else if (this.#found === BATCH) this.#search();
      else if (this.#start + this.#bytes.length === this.#end()) return this.#last();
      else {
        this.#size = this.#line === 0 ? longer(this.#size) : STRETCH;
        this.#take();
      }
    }
    const line = this.#line;
    const feed = this.#base + (this.#ends[this.#used++] as number);
    const stop = feed > line && this.#bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed;
    this.#line = feed + 1;
    return { done: false, value: new Bytes(this.#buffer, this.#byteOffset + line, stop - line) };
  }

  return(): IteratorReturnResult<undefined> {
    this.#done = true;
    this.#used = this.#found;
    this.#version = this.#pages.version;
    return DONE;
  }

  #end(): number {
    return Math.min(this.#limit, this.#pages.length);
  }

  /** Takes the stretch that begins with the next line. */
  #take(): void {
    this.#start += this.#line;
    this.#line = 0;
    this.#version = this.#pages.version;
    const left = this.#end() - this.#start;
    this.#done = left <= 0;
    this.#used = this.#found = 0;
    if (this.#done) return;
    this.#bytes = this.#part(this.#start, Math.min(this.#size, left));
    this.#buffer = this.#bytes.buffer;
    this.#byteOffset = this.#bytes.byteOffset;
    this.#search();
  }

  #search(): void {
    const from = this.#pages.byteOffset + this.#start + this.#line;
    const length = this.#bytes.length - this.#line;
    this.#base = this.#line;
    this.#used = 0;
    this.#found = binding.positions(this.#pages.open(), from, length, LINE_FEED, this.#ends);
  }

  /** The bytes after the last line feed. */
  #last(): IteratorResult<Buffer, undefined> {
    this.#done = true;
    return this.#line < this.#bytes.length ? { done: false, value: this.#bytes.subarray(this.#line) } : DONE;
  }
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object;
Object.setPrototypeOf(LineReader.prototype, iteratorPrototype);

/** Positions in a stretch are 32-bit, so that is as long as a line can be. */
function longer(size: number): number {
  if (size < 2 ** 32) return size * 2;
  throw new UnsupportedError('ERR_MEMMAP_LINE_TOO_LONG', `A line is longer than ${size} bytes, the most that lines() can return. Use windows() instead`);
}
