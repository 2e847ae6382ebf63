// Reads files into the page cache: many small ones per call, and large ones piece by piece, in a
// few calls of the thread pool at a time.
import type { SystemError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { demandAccess, validateFileName } from '../internal/path.js';
import type { Range, Span } from '../internal/range.js';
import { validateBoolean, validateFunction, validateInteger } from '../internal/validate.js';
import { type Progress, validateBackground } from '../mem/background.js';
import { type RateOption, RateLimiter, validateRate, wholePages } from './rate-limiter.js';
import { FIELDS, PIECE, type TouchedFile, identityIn, nextDataIn, readIn, touchedIn, touchAll, validateFiles } from './touch-call.js';

/** The result of {@link touch} for one file. */
export interface Touched<Path extends string | Uint8Array = string> extends TouchedFile<Path> {
  /** Pages in the requested part of the file. */
  readonly pages: number;
  /** For a file with several names (hard links): 'device:inode', the same for each name. */
  readonly identity?: string;
}

/** The totals of {@link touch}. */
export interface TouchTotals {
  /** All files, including those that failed. */
  readonly files: number;
  /** Files that could not be read. */
  readonly failed: number;
  /** Bytes in the requested parts of files that could be opened. */
  readonly bytes: number;
  /** Bytes that were in memory, as far as the kernel reports it. */
  readonly present: number;
  /** Bytes read. */
  readonly read: number;
  /** Bytes in holes, which were left alone. */
  readonly holes: number;
}

/** The progress of a large file, in bytes of the requested part. */
export interface TouchProgress<Path extends string | Uint8Array = string> extends Progress {
  /** The path as it was given. */
  readonly path: Path;
}

/** Options of {@link touch}. */
export interface TouchOptions<Path extends string | Uint8Array = string> extends RateOption {
  /** Where to start in each file, in bytes; shorter files are not read. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes to read of each file; fewer if it ends before. @default to its end */
  readonly length?: number | undefined;
  /**
   * Also read the holes of sparse files, which makes pages of zeros for them. They hold nothing that a disk
   * would have to deliver. @default false
   */
  readonly holes?: boolean | undefined;
  /**
   * Stops after the pieces under way, and at once during a pause of `rate`; the promise rejects with the signal's
   * reason. If that is an object, its property `totals` then has the {@link TouchTotals} so far; files under way
   * count with the bytes that are done, but not as files.
   */
  readonly signal?: AbortSignal | undefined;
  /** Called once for each file when it is done; `index` is its place in `files`. */
  readonly onFile?: ((touched: Touched<Path>, index: number) => void) | undefined;
  /** Called after each piece of a file with several: 4 MiB each, less if the rate is low. */
  readonly onProgress?: ((progress: TouchProgress<Path>) => void) | undefined;
}

const NOTHING = { files: 0, failed: 0, bytes: 0, present: 0, read: 0, holes: 0 };

/** Files in a call: enough to make the cost of the call itself small. */
const BATCH = 64;

/** Calls at a time: as many as libuv has threads. */
const AT_ONCE = 4;

/** Files of one call. */
interface Batch<Path> {
  readonly paths: readonly Path[];
  /** The index of the first. */
  readonly index: number;
}

/** A file of several pieces. */
interface Large<Path> {
  readonly path: Path;
  readonly index: number;
  readonly identity: string | undefined;
  readonly size: number;
  readonly part: Span;
  /** Where the next piece begins: bytes into the part. */
  next: number;
  /** Bytes of pieces that are done. */
  done: number;
  present: number | undefined;
  read: number;
  holes: number;
  failed?: true;
}

type ResolvedTouchOptions<Path extends string | Uint8Array> = {
  readonly [Name in Exclude<keyof TouchOptions, keyof Range>]: TouchOptions<Path>[Name] | undefined;
};

/** One call of touch(). */
class TouchRun<Path extends string | Uint8Array> {
  readonly #files: Iterator<Path>;
  readonly #part: Span;
  readonly #options: ResolvedTouchOptions<Path>;
  readonly #limiter: RateLimiter | undefined;
  readonly #piece: number;
  readonly #batch: number;
  readonly #large: Large<Path>[] = [];
  /** Files that a call did not get to. */
  readonly #left: Batch<Path>[] = [];
  /** Files taken from the iterator, which may have come to its end. */
  #taken = 0;
  #atEnd = false;
  #stopped = false;
  readonly #totals = { ...NOTHING };
  /** Large files that are not done. */
  readonly #unfinished = new Set<Large<Path>>();

  constructor(files: Iterable<Path>, part: Span, options: ResolvedTouchOptions<Path>) {
    this.#files = files[Symbol.iterator]();
    this.#part = part;
    this.#options = options;
    this.#limiter = RateLimiter.of(options.rate);
    this.#piece = Math.min(PIECE, this.#limiter?.step ?? PIECE);
    // Split even a few files between all threads.
    this.#batch = Array.isArray(files) ? Math.min(BATCH, Math.ceil(files.length / AT_ONCE)) : BATCH;
  }

  async run(): Promise<TouchTotals> {
    const { signal } = this.#options;
    const running = new Set<Promise<void>>();
    try {
      for (;;) {
        signal?.throwIfAborted();
        while (running.size < (this.#limiter === undefined ? AT_ONCE : 1)) {
          const job = this.#begin();
          if (job === undefined) break;
          const ending = job.finally(() => running.delete(ending));
          running.add(ending);
        }
        if (running.size === 0) return this.#totals;
        await Promise.race(running);
        await this.#limiter?.wait(signal);
      }
    } catch (error) {
      await this.#stop(running);
      if (signal?.aborted === true && error === signal.reason) leaveTotals(error, this.#totalsSoFar());
      throw error;
    } finally {
      await this.#stop(running);
      if (!this.#atEnd) this.#files.return?.();
    }
  }

  /** After this nothing more is reported. */
  async #stop(running: ReadonlySet<Promise<void>>): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(running);
  }

  #totalsSoFar(): TouchTotals {
    const totals = { ...this.#totals };
    for (const { done, present = 0, read, holes } of this.#unfinished) {
      totals.bytes += done;
      totals.present += present;
      totals.read += read;
      totals.holes += holes;
    }
    return totals;
  }

  /** Starts the next call; undefined if nothing is left to start. */
  #begin(): Promise<void> | undefined {
    const large = this.#large[0];
    if (large !== undefined) return this.#touchPiece(large);
    const batch = this.#left.pop() ?? this.#take();
    return batch && this.#touchFiles(batch);
  }

  #take(): Batch<Path> | undefined {
    const paths: Path[] = [];
    const index = this.#taken;
    while (paths.length < this.#batch && !this.#atEnd) {
      const next = this.#next();
      if (next === undefined) break;
      paths.push(next);
    }
    return paths.length === 0 ? undefined : { paths, index };
  }

  #next(): Path | undefined {
    // An iterator that throws must not be called again, not even its return().
    this.#atEnd = true;
    const { done, value } = this.#files.next();
    if (done === true) return undefined;
    this.#atEnd = false;
    validateFileName(value, `files[${this.#taken}]`);
    demandAccess(value, 'fs.read');
    this.#taken += 1;
    return value;
  }

  /** Reads the first piece of each file, which is all of most files. */
  async #touchFiles({ paths, index }: Batch<Path>): Promise<void> {
    const { offset, length } = this.#part;
    const first = Math.min(length, this.#upTo(offset));
    const found = await this.#call(paths, offset, first);
    const count = found.length / FIELDS;
    if (count < paths.length) this.#left.push({ paths: paths.slice(count), index: index + count });
    for (let i = 0; i < count; i++) {
      const touched = touchedIn(found, i, paths[i] as Path);
      const identity = identityIn(found, i);
      const part = { offset, length: Math.max(0, Math.min(length, touched.size - offset)) };
      if (touched.error === undefined && part.length > first) {
        const { path, size, present, read, holes = 0 } = touched;
        const large = { path, index: index + i, identity, size, part, next: first, done: first, present, read, holes };
        this.#unfinished.add(large);
        this.#large.push(large);
        this.#pass(large, nextDataIn(found, i));
        this.#endPiece(large);
      } else {
        this.#tell(touched, part, index + i, identity);
      }
    }
  }

  async #touchPiece(large: Large<Path>): Promise<void> {
    const { path, part } = large;
    const offset = part.offset + large.next;
    const length = Math.min(part.length - large.next, this.#upTo(offset));
    large.next += length;
    if (large.next === part.length) this.#drop(large);
    const found = await this.#call([path], offset, length);
    if (large.failed === true) return;
    const { present, read, holes = 0, error } = touchedIn(found, 0, path);
    large.present = large.present === undefined || present === undefined ? undefined : large.present + present;
    large.read += read;
    large.holes += holes;
    if (error !== undefined) {
      // Other pieces of it may be under way.
      large.failed = true;
      this.#drop(large);
      this.#end(large, error);
      return;
    }
    large.done += length;
    this.#pass(large, nextDataIn(found, 0));
    this.#endPiece(large);
  }

  /** Passes over the hole up to `nextData`, bytes into the file, or 0. */
  #pass(large: Large<Path>, nextData: number): void {
    const to = Math.min(nextData - large.part.offset, large.part.length);
    const hole = to - large.next;
    if (hole <= 0) return;
    large.next = to;
    large.done += hole;
    large.holes += hole;
    if (to === large.part.length) this.#drop(large);
  }

  #endPiece(large: Large<Path>): void {
    this.#tellProgress(large);
    if (large.done === large.part.length) this.#end(large);
  }

  #end(large: Large<Path>, error?: SystemError): void {
    const { path, size, present, read, holes, part, index, identity } = large;
    this.#unfinished.delete(large);
    this.#tell({ path, size, present, read, ...(holes > 0 && { holes }), ...(error && { error }) }, part, index, identity);
  }

  #drop(large: Large<Path>): void {
    const at = this.#large.indexOf(large);
    if (at !== -1) this.#large.splice(at, 1);
  }

  /** Bytes from `offset` to the end of a piece that ends with a page. */
  #upTo(offset: number): number {
    return this.#piece - (offset % binding.pageSize);
  }

  async #call(paths: readonly Path[], offset: number, length: number): Promise<Float64Array> {
    const begun = performance.now();
    const found = await touchAll(paths, { offset, length }, this.#piece, this.#options.holes === true);
    this.#limiter?.consume(readIn(found), begun);
    return found;
  }

  #tell(touched: TouchedFile<Path>, part: Span, index: number, identity: string | undefined): void {
    const totals = this.#totals;
    totals.files += 1;
    totals.failed += touched.error === undefined ? 0 : 1;
    totals.bytes += part.length;
    totals.present += touched.present ?? 0;
    totals.read += touched.read;
    totals.holes += touched.holes ?? 0;
    const { onFile } = this.#options;
    if (onFile === undefined || this.#stopped) return;
    // Not copied with `...`, which takes longer than everything else here.
    const { path, size, present, read, holes, error } = touched;
    const told = { path, size, pages: pagesOf(part), present, read };
    const ordinary = error === undefined && identity === undefined && holes === undefined;
    onFile(ordinary ? told : { ...told, ...(holes !== undefined && { holes }), ...(identity !== undefined && { identity }), ...(error && { error }) }, index);
  }

  #tellProgress({ path, done, part }: Large<Path>): void {
    if (!this.#stopped) this.#options.onProgress?.({ path, done, total: part.length });
  }
}

/** Gives the reason of an aborted call its totals, if it is an object that accepts them. */
function leaveTotals(reason: unknown, totals: TouchTotals): void {
  if (typeof reason !== 'object' || reason === null) return;
  Reflect.defineProperty(reason, 'totals', { value: totals, enumerable: true, writable: true, configurable: true });
}

function pagesOf({ offset, length }: Span): number {
  return length === 0 ? 0 : wholePages((offset % binding.pageSize) + length) / binding.pageSize;
}

/**
 * Reads the missing pages of files into the page cache, off the main thread, several files at a time.
 * Maps nothing and keeps nothing open; the access times of the user's own files do not change. A file
 * that cannot be read is reported to `onFile` and counted, and does not stop the others: ENOENT, EACCES,
 * EISDIR for a folder, EINVAL for other files that are not regular (fifos and devices are never opened), EIO.
 *
 * `files` is an array or another iterable of paths, strings or bytes: a generator that walks folders runs while the files
 * it has found are read. If it throws, the call stops, as with `signal`.
 *
 * Holes of sparse files are left alone: reading one makes pages of zeros.
 *
 * Which pages are missing is known since Linux 6.5 (cachestat(2)), for files that the user owns or may
 * write to; other files are read completely. Uses libuv's thread pool, in calls of a few MiB.
 *
 * ```js
 * const { read, failed } = await touch(['/etc/passwd', '/etc/group'], { rate: 2 ** 20 });
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 * @throws {RangeError} ERR_OUT_OF_RANGE
 * @throws whatever `files`, `onFile` or `onProgress` throws, which stops the call as `signal` does
 */
export async function touch<Path extends string | Uint8Array>(files: Iterable<Path>, options: TouchOptions<Path> = {}): Promise<TouchTotals> {
  validateFiles(files);
  const known = ['offset', 'length', 'holes', 'rate', 'signal', 'onFile', 'onProgress'] as const;
  const { offset = 0, length = Number.MAX_SAFE_INTEGER, holes, rate, signal, onFile, onProgress } = validateBackground(options, known);
  validateInteger(offset, 'options.offset');
  validateInteger(length, 'options.length');
  if (holes !== undefined) validateBoolean(holes, 'options.holes');
  validateRate(rate);
  if (onFile !== undefined) validateFunction(onFile, 'options.onFile');
  if (signal?.aborted === true) leaveTotals(signal.reason, NOTHING);
  signal?.throwIfAborted();
  return new TouchRun(files, { offset, length }, { holes, rate, signal, onFile, onProgress }).run();
}
