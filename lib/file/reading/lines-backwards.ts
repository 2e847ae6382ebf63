// Lines of a file, in place, from the last to the first.
import type { Span } from '../../internal/range.js';
import type { Pages } from '../../mem/pages.js';
import {
  type BreakFinder, CARRIAGE_RETURN, CHUNK, LINE_FEED, LONGEST, STRETCH,
  type Line, type LineBreaks, type LineTerminator, type Lines, line, lineTooLong, startsWithMark,
} from './line.js';
import type { PartReader } from './windows.js';

/** @param strip - whether to leave out a byte order mark at the start of the range */
export function linesBackwards(pages: Pages, range: Span, part: PartReader, finder: BreakFinder, breaks: LineBreaks, strip: boolean): Lines {
  return new BackwardLineReader(pages, range, part, finder, breaks === 'any', strip) as unknown as Lines;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Offsets are bytes from the start of the mapping. */
class BackwardLineReader {
  readonly #pages: Pages;
  readonly #part: PartReader;
  readonly #finder: BreakFinder;
  /** Whether a carriage return alone ends a line. */
  readonly #any: boolean;
  readonly #strip: boolean;
  /** Where the range starts. */
  readonly #first: number;
  /** Where the bytes end that were not returned yet. */
  #end: number;
  /** The first `#left` breaks of the finder, counted from `#base`, are not used. Those from `#base` on are known. */
  #left = 0;
  #base: number;
  /** The stretch: where it starts, and its bytes. It holds the end of the next line. */
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);
  /** The version of the pages when the stretch was taken. */
  #version = -1;

  constructor(pages: Pages, { offset, length }: Span, part: PartReader, finder: BreakFinder, any: boolean, strip: boolean) {
    this.#pages = pages;
    this.#part = part;
    this.#finder = finder;
    this.#any = any;
    this.#strip = strip;
    this.#first = offset;
    this.#end = this.#base = offset + length;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Line, undefined> {
    if (this.#end <= this.#first) return DONE;
    // The loop body may have closed or resized the mapping, or transferred the buffer.
    if (this.#pages.version !== this.#version || this.#bytes.length === 0) {
      this.#end = this.#base = Math.min(this.#end, this.#pages.length);
      this.#left = 0;
      if (this.#end <= this.#first) return DONE;
      this.#take(this.#end);
    }
    const end = this.#end;
    // The stretch must show the last two bytes, which may end the line.
    if (this.#start > Math.max(this.#first, end - 2)) this.#take(end);
    const terminator = this.#terminatorBefore(end);
    const stop = end - terminator.length;
    const start = this.#lineStart(Math.min(stop, end - 1));
    if (start < this.#start) this.#take(start);
    this.#end = start;
    const at = start - this.#start;
    const mark = start === this.#first && this.#strip && startsWithMark(this.#bytes.subarray(at, stop - this.#start)) ? 3 : 0;
    const length = stop - start - mark;
    if (length === 0 && terminator === '') return DONE;
    return { done: false, value: line(this.#bytes.buffer, this.#bytes.byteOffset + at + mark, length, start + mark, terminator) };
  }

  return(): IteratorReturnResult<undefined> {
    this.#end = this.#first;
    return DONE;
  }

  /** Takes the stretch that ends with the next line, and has at least the bytes from `start` on. */
  #take(start: number): void {
    this.#version = this.#pages.version;
    this.#start = Math.max(this.#first, Math.min(start, this.#end - STRETCH));
    this.#bytes = this.#part(this.#start, this.#end - this.#start);
  }

  #terminatorBefore(end: number): LineTerminator {
    const last = this.#bytes[end - 1 - this.#start];
    if (last === LINE_FEED) {
      return end - 2 >= this.#first && this.#bytes[end - 2 - this.#start] === CARRIAGE_RETURN ? '\r\n' : '\n';
    }
    return this.#any && last === CARRIAGE_RETURN ? '\r' : '';
  }

  /** Where the line starts that is before `stop`: after the last break there, which stays for the next call. */
  #lineStart(stop: number): number {
    for (;;) {
      for (; this.#left > 0; this.#left -= 1) {
        const at = this.#base + (this.#finder.found[this.#left - 1] as number);
        if (at < stop) return at + 1;
      }
      if (this.#base === this.#first) return this.#first;
      if (this.#end - this.#base > LONGEST) throw lineTooLong();
      const length = Math.min(CHUNK, this.#base - this.#first);
      this.#left = this.#finder.find(this.#pages.open(), this.#pages.byteOffset + this.#base - length, length);
      this.#base -= length;
    }
  }
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object;
Object.setPrototypeOf(BackwardLineReader.prototype, iteratorPrototype);
