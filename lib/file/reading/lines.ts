// Lines of a file, in place, from the first to the last.
import { binding } from '../../internal/binding.js';
import type { Span } from '../../internal/range.js';
import type { Pages } from '../../mem/pages.js';
import { validateBoolean, validateEnum } from '../../internal/validate.js';
import {
  BreakFinder, CARRIAGE_RETURN, CHUNK, LINE_FEED, LONGEST, STRETCH,
  type Line, type LineOptions, type Lines, line, lineTooLong, startsWithMark,
} from './line.js';
import { linesBackwards } from './lines-backwards.js';
import type { PartReader } from './windows.js';

/** Line ends found by one native call: their lines are still in the cache when they are used. */
const BATCH = 512;

const BREAKS = { lf: true, any: true };

/** @param range - the part that `options` names */
export function lines(pages: Pages, range: Span, part: PartReader, options: LineOptions = {}): Lines {
  const { reverse = false, stripBom = false, breaks = 'lf' } = options;
  validateBoolean(reverse, 'range.reverse');
  validateBoolean(stripBom, 'range.stripBom');
  validateEnum(breaks, 'range.breaks', BREAKS);
  pages.open();
  const finder = reverse || breaks === 'any' ? new BreakFinder(breaks) : undefined;
  const strip = stripBom && range.offset === 0;
  if (reverse) return linesBackwards(pages, range, part, finder as BreakFinder, breaks, strip);
  return new LineReader(pages, range, part, finder, strip) as unknown as Lines;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Not a generator: saving and restoring its state would take a third of the time of a line. */
class LineReader {
  readonly #pages: Pages;
  readonly #part: PartReader;
  /** Finds both kinds of break; undefined: only line feeds end lines. */
  readonly #finder: BreakFinder | undefined;
  /** Where the range ends, whatever the mapping's length. */
  readonly #limit: number;
  readonly #ends: Uint32Array;
  /** How many of `#ends` are valid and how many are used. */
  #found = 0;
  #used = 0;
  /** Where in the stretch `#ends` counts from, and up to where it is searched. */
  #base = 0;
  #searched = 0;
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
  /** Whether a byte order mark may come now, and is to be left out. */
  #strip: boolean;

  constructor(pages: Pages, { offset, length }: Span, part: PartReader, finder: BreakFinder | undefined, strip: boolean) {
    this.#pages = pages;
    this.#part = part;
    this.#start = offset;
    this.#limit = offset + length;
    this.#finder = finder;
    this.#ends = finder?.found ?? new Uint32Array(BATCH);
    this.#strip = strip;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Line, undefined> {
    // A stretch has bytes, unless the loop body has transferred the buffer: then take it again.
    if (this.#bytes.length === 0) this.#version = -1;
    for (;;) {
      while (this.#used === this.#found || this.#pages.version !== this.#version) {
        if (this.#done) return DONE;
        if (this.#pages.version !== this.#version) this.#take();
        else if (this.#searched < this.#bytes.length) this.#search();
        else if (this.#reachesEnd()) return this.#last();
        else this.#takeMore();
      }
      const start = this.#line;
      const end = this.#base + (this.#ends[this.#used++] as number);
      if (this.#finder === undefined) {
        this.#line = end + 1;
        return end > start && this.#bytes[end - 1] === CARRIAGE_RETURN
          ? { done: false, value: line(this.#buffer, this.#byteOffset + start, end - 1 - start, this.#start + start, '\r\n') }
          : { done: false, value: line(this.#buffer, this.#byteOffset + start, end - start, this.#start + start, '\n') };
      }
      // The line feed of a carriage return that was returned already.
      if (end < start) continue;
      if (this.#bytes[end] === LINE_FEED) return this.#yield(end, '\n', 1);
      if (end + 1 < this.#bytes.length) return this.#bytes[end + 1] === LINE_FEED ? this.#yield(end, '\r\n', 2) : this.#yield(end, '\r', 1);
      if (this.#reachesEnd()) return this.#yield(end, '\r', 1);
      // Whether a line feed follows is in the next stretch.
      this.#takeMore();
    }
  }

  return(): IteratorReturnResult<undefined> {
    this.#done = true;
    this.#used = this.#found;
    this.#version = this.#pages.version;
    return DONE;
  }

  #yield(end: number, terminator: '\n' | '\r\n' | '\r', length: number): IteratorResult<Line, undefined> {
    const start = this.#line;
    this.#line = end + length;
    return { done: false, value: line(this.#buffer, this.#byteOffset + start, end - start, this.#start + start, terminator) };
  }

  #end(): number {
    return Math.min(this.#limit, this.#pages.length);
  }

  #reachesEnd(): boolean {
    return this.#start + this.#bytes.length === this.#end();
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
    if (this.#strip && startsWithMark(this.#bytes)) this.#line = 3;
    this.#strip = false;
    this.#searched = this.#line;
  }

  /** Takes a stretch that reaches further: a longer one, if the line is as long as this one. */
  #takeMore(): void {
    if (this.#line > 0) this.#size = STRETCH;
    else if (this.#size < LONGEST) this.#size = Math.min(this.#size * 2, LONGEST);
    else throw lineTooLong();
    this.#take();
  }

  #search(): void {
    const handle = this.#pages.open();
    const from = this.#pages.byteOffset + this.#start + this.#searched;
    const left = this.#bytes.length - this.#searched;
    this.#base = this.#searched;
    this.#used = 0;
    if (this.#finder === undefined) {
      this.#found = binding.positions(handle, from, left, LINE_FEED, this.#ends);
      // Fewer than a batch: no more follow in the stretch.
      this.#searched = this.#found === BATCH ? this.#base + (this.#ends[BATCH - 1] as number) + 1 : this.#bytes.length;
    } else {
      const length = Math.min(left, CHUNK);
      this.#found = this.#finder.find(handle, from, length);
      this.#searched += length;
    }
  }

  /** The bytes after the last break. */
  #last(): IteratorResult<Line, undefined> {
    this.#done = true;
    const start = this.#line;
    const length = this.#bytes.length - start;
    return length > 0 ? { done: false, value: line(this.#buffer, this.#byteOffset + start, length, this.#start + start, '') } : DONE;
  }
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object;
Object.setPrototypeOf(LineReader.prototype, iteratorPrototype);
