// What touch() does: calls of the thread pool, a few at a time, each a batch of files or a piece
// of a large one.
import { binding } from '../internal/binding.js';
import type { Range, Span } from '../internal/range.js';
import { invalidType, invalidValue } from '../internal/validate.js';
import { Pace, wholePages } from './pace.js';
import type { TouchOptions, TouchTotals, Touched } from './touch.js';
import { check, systemError } from '../internal/syscall.js';

/** Bytes in a piece, and about as many are read before a call returns: milliseconds of disk. */
const PIECE = 2 ** 22;

/** Files in a call: what a call costs is little beside them. */
const BATCH = 64;

/** Calls at a time: as many as libuv has threads. */
const AT_ONCE = 4;

/** Numbers for each file. Twin of napi/touch.cc. */
const FIELDS = 8;

/** Where of these the bytes read are. */
const READ = 4;

/** The calls that can fail, in the order of core::Touched::Step. */
const STEPS = ['stat', 'open', 'read'];

/** Files of one call. */
interface Batch {
  readonly paths: readonly string[];
  /** Of the first. */
  readonly index: number;
}

/** A file of several pieces. */
interface Large {
  readonly path: string;
  readonly index: number;
  readonly identity: string | undefined;
  readonly size: number;
  readonly part: Span;
  /** Bytes into the part: handed out. */
  next: number;
  /** Bytes of which the result is there. */
  done: number;
  present: number | undefined;
  read: number;
  failed?: true;
}

export function validatePath(file: unknown, index: number): asserts file is string {
  if (typeof file !== 'string') throw invalidType(`files[${index}]`, 'of type string', file);
  if (file === '' || file.includes('\0')) throw invalidValue(`files[${index}]`, 'must be a path without null bytes', file);
}

type Wishes = { readonly [Name in Exclude<keyof TouchOptions, keyof Range>]: TouchOptions[Name] | undefined };

/** One call of touch(). */
export class Touching {
  readonly #files: Iterator<string>;
  readonly #part: Span;
  readonly #wishes: Wishes;
  readonly #pace: Pace | undefined;
  readonly #piece: number;
  readonly #batch: number;
  readonly #large: Large[] = [];
  /** Files that a call did not get to. */
  readonly #left: Batch[] = [];
  /** Files taken from the iterator, which may have come to its end. */
  #taken = 0;
  #atEnd = false;
  #stopped = false;
  readonly #totals = { files: 0, failed: 0, bytes: 0, present: 0, read: 0 };

  constructor(files: Iterable<string>, part: Span, wishes: Wishes) {
    this.#files = files[Symbol.iterator]();
    this.#part = part;
    this.#wishes = wishes;
    this.#pace = Pace.of(wishes.rate);
    this.#piece = Math.min(PIECE, this.#pace?.step ?? PIECE);
    // A few files are work for all threads too.
    this.#batch = Array.isArray(files) ? Math.min(BATCH, Math.ceil(files.length / AT_ONCE)) : BATCH;
  }

  async run(): Promise<TouchTotals> {
    const { signal } = this.#wishes;
    const running = new Set<Promise<void>>();
    try {
      for (;;) {
        signal?.throwIfAborted();
        while (running.size < (this.#pace === undefined ? AT_ONCE : 1)) {
          const job = this.#begin();
          if (job === undefined) break;
          const ending = job.finally(() => running.delete(ending));
          running.add(ending);
        }
        if (running.size === 0) return this.#totals;
        await Promise.race(running);
        await this.#pace?.pause(signal);
      }
    } finally {
      // After a failure: nothing is told of later.
      this.#stopped = true;
      await Promise.allSettled(running);
      if (!this.#atEnd) this.#files.return?.();
    }
  }

  /** What is next; undefined if there is nothing left to begin. */
  #begin(): Promise<void> | undefined {
    const large = this.#large[0];
    if (large !== undefined) return this.#touchPiece(large);
    const batch = this.#left.pop() ?? this.#take();
    return batch && this.#touchFiles(batch);
  }

  #take(): Batch | undefined {
    const paths: string[] = [];
    const index = this.#taken;
    while (paths.length < this.#batch && !this.#atEnd) {
      const next = this.#next();
      if (next === undefined) break;
      paths.push(next);
    }
    return paths.length === 0 ? undefined : { paths, index };
  }

  #next(): string | undefined {
    // What throws is not to be asked again, nor told to return.
    this.#atEnd = true;
    const { done, value } = this.#files.next();
    if (done === true) return undefined;
    this.#atEnd = false;
    validatePath(value, this.#taken);
    this.#taken += 1;
    return value;
  }

  /** The first piece of each file, and so all of most. */
  async #touchFiles({ paths, index }: Batch): Promise<void> {
    const { offset, length } = this.#part;
    const first = Math.min(length, this.#upTo(offset));
    const found = await this.#call(paths, offset, first);
    if (this.#stopped) return;
    const count = found.length / FIELDS;
    if (count < paths.length) this.#left.push({ paths: paths.slice(count), index: index + count });
    for (let i = 0; i < count; i++) {
      const touched = resultOf(found, i, paths[i] ?? '');
      const identity = identityIn(found, i);
      const part = { offset, length: Math.max(0, Math.min(length, touched.size - offset)) };
      if (touched.error === undefined && part.length > first) {
        const { path, size, present, read } = touched;
        const large = { path, index: index + i, identity, size, part, next: first, done: first, present, read };
        this.#large.push(large);
        this.#tellProgress(large);
      } else {
        this.#tell(touched, part, index + i, identity);
      }
    }
  }

  async #touchPiece(large: Large): Promise<void> {
    const { path, index, identity, part, size } = large;
    const offset = part.offset + large.next;
    const length = Math.min(part.length - large.next, this.#upTo(offset));
    large.next += length;
    if (large.next === part.length) this.#drop(large);
    const found = await this.#call([path], offset, length);
    if (this.#stopped || large.failed === true) return;
    const { present, read, error } = resultOf(found, 0, path);
    large.present = large.present === undefined || present === undefined ? undefined : large.present + present;
    large.read += read;
    large.done += length;
    if (error === undefined) {
      this.#tellProgress(large);
      if (large.done < part.length) return;
    } else {
      // Pieces of it may be under way.
      large.failed = true;
      this.#drop(large);
    }
    this.#tell({ path, size, present: large.present, read: large.read, ...(error && { error }) }, part, index, identity);
  }

  #drop(large: Large): void {
    const at = this.#large.indexOf(large);
    if (at !== -1) this.#large.splice(at, 1);
  }

  /** Bytes from `offset` to the end of a piece that ends with a page. */
  #upTo(offset: number): number {
    return this.#piece - (offset % binding.pageSize);
  }

  async #call(paths: readonly string[], offset: number, length: number): Promise<Float64Array> {
    const begun = performance.now();
    const found = await touchAll(paths, { offset, length }, this.#piece);
    this.#pace?.spend(readIn(found), begun);
    return found;
  }

  #tell(touched: Found, part: Span, index: number, identity: string | undefined): void {
    const totals = this.#totals;
    totals.files += 1;
    totals.failed += touched.error === undefined ? 0 : 1;
    totals.bytes += part.length;
    totals.present += touched.present ?? 0;
    totals.read += touched.read;
    const { onFile } = this.#wishes;
    if (onFile === undefined) return;
    // No copy by `...`: that takes longer than all else here.
    const { path, size, present, read, error } = touched;
    const told = { path, size, pages: pagesOf(part), present, read };
    const ordinary = error === undefined && identity === undefined;
    onFile(ordinary ? told : { ...told, ...(identity !== undefined && { identity }), ...(error && { error }) }, index);
  }

  #tellProgress({ path, done, part }: Large): void {
    this.#wishes.onProgress?.({ path, done, total: part.length });
  }
}

type Found = Omit<Touched, 'pages' | 'identity'>;

/** @returns FIELDS numbers for each file, of as many files as it got to */
async function touchAll(paths: readonly string[], { offset, length }: Span, budget: number): Promise<Float64Array> {
  return check(await binding.touchAsync(Buffer.from(`${paths.join('\0')}\0`), offset, length, budget), 'touch');
}

/** Brings in the part of the file, at most a piece, and waits for it. */
export async function touchPart(path: string, part: Span): Promise<Found> {
  return resultOf(await touchAll([path], part, PIECE), 0, path);
}

/** The span, in pieces of `most` bytes at most, and no longer than touchPart() permits. */
export function piecesOf({ offset, length }: Span, most: number): Span[] {
  const piece = Math.min(PIECE, most);
  const pieces: Span[] = [];
  for (let done = 0; done < length; done += piece) pieces.push({ offset: offset + done, length: Math.min(piece, length - done) });
  return pieces;
}

/** Of the file number `i` of a call. */
function resultOf(found: Float64Array, i: number, path: string): Found {
  const at = i * FIELDS;
  // One by one, not by destructuring: this is most of what a cached file costs here.
  const errno = found[at] ?? 0;
  const size = found[at + 2] ?? 0;
  const present = found[at + 3] ?? 0;
  const read = found[at + 4] ?? 0;
  const known = { path, size, present: present < 0 ? undefined : present, read };
  return errno === 0 ? known : { ...known, error: systemError(errno, STEPS[found[at + 1] ?? 0] ?? 'read', { path }) };
}

/** Of a file with several names. */
function identityIn(found: Float64Array, i: number): string | undefined {
  const at = (i + 1) * FIELDS - 3;
  const high = found[at + 1] ?? 0;
  const low = found[at + 2] ?? 0;
  return high === 0 && low === 0 ? undefined : `${found[at]}:${(BigInt(high) << 32n) | BigInt(low)}`;
}

function readIn(found: Float64Array): number {
  let bytes = 0;
  for (let at = READ; at < found.length; at += FIELDS) bytes += found[at] ?? 0;
  return bytes;
}

function pagesOf({ offset, length }: Span): number {
  return length === 0 ? 0 : wholePages((offset % binding.pageSize) + length) / binding.pageSize;
}
