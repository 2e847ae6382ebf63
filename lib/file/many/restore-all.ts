// Restores many dumps: as restore() of each, but small files in a few calls of the thread pool.
import { demandAccess } from '../../internal/path.js';
import { clippedSpans, spansLength } from '../../internal/range.js';
import { validateFunction, validateIterable } from '../../internal/validate.js';
import type { Progress } from '../../mem/background.js';
import { type CacheDump, type Restored, pathIn, restore, validateDump } from '../cache-dump.js';
import { locateFile } from '../open-file.js';
import { type RateOption, validateRate } from '../rate-limiter.js';
import { PIECE, touchAllParts, touchedPartsIn } from '../touch-call.js';
import { validateMany } from './in-order.js';
import type { FileCounts } from './survey-call.js';

/** The result of {@link restoreAll} for one file. */
export interface RestoredFile {
  /** The dump as it was given. */
  readonly cached: CacheDump;
  /** Undefined if there is an error. */
  readonly restored: Restored | undefined;
  /** Why the file was not restored, or not to its end. */
  readonly error?: Error;
}

/** The progress of a large file, in bytes that were missing. */
export interface RestoreProgress extends Progress {
  /** The dump as it was given. */
  readonly cached: CacheDump;
}

/** Options of {@link restoreAll}. */
export interface RestoreAllOptions extends RateOption {
  /** Stops after the pieces under way, and at once during a pause of `rate`; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once for each file when it is done; `index` is its place in `dumps`. */
  readonly onFile?: ((restored: RestoredFile, index: number) => void) | undefined;
  /** Called after each piece of a file with several: 4 MiB each, less if the rate is low. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

/** Files in a call. */
const BATCH = 256;
/** Calls at a time: as many as libuv has threads. */
const AT_ONCE = 4;

/** A dump, and its place in the list. */
interface Item {
  readonly cached: CacheDump;
  readonly index: number;
}

class RestoreAllRun {
  readonly counts = { files: 0, failed: 0 };
  readonly #dumps: Iterator<CacheDump>;
  readonly #options: RestoreAllOptions;
  /** Dumps that were taken from the iterator, and that no call has got to. */
  #left: Item[] = [];
  #taken = 0;
  #atEnd = false;
  #stopped = false;

  constructor(dumps: Iterable<CacheDump>, options: RestoreAllOptions) {
    this.#dumps = dumps[Symbol.iterator]();
    this.#options = options;
  }

  async run(): Promise<FileCounts> {
    const workers = this.#options.rate === undefined ? AT_ONCE : 1;
    const stop = (error: unknown): never => {
      this.#stopped = true;
      throw error;
    };
    // A failure, or the signal, ends them all.
    const ends = await Promise.allSettled(Array.from({ length: workers }, () => this.#work().catch(stop)));
    if (!this.#atEnd) this.#dumps.return?.();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return this.counts;
  }

  async #work(): Promise<void> {
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const small: Item[] = [];
      let large: Item | undefined;
      while (small.length < BATCH && large === undefined) {
        const item = this.#take();
        if (item === undefined) break;
        if (this.#options.rate === undefined && spansLength(item.cached.runs) <= PIECE) small.push(item);
        else large = item;
      }
      if (small.length === 0 && large === undefined) return;
      if (small.length > 0) await this.#restoreSmall(small);
      if (large !== undefined) await this.#restoreOne(large);
      if (this.#stopped) return;
    }
  }

  #take(): Item | undefined {
    const left = this.#left.pop();
    if (left !== undefined || this.#atEnd || this.#stopped) return left;
    // An iterator that throws must not be called again, not even its return().
    this.#atEnd = true;
    const { done, value } = this.#dumps.next();
    if (done === true) return undefined;
    this.#atEnd = false;
    validateDump(value, `dumps[${this.#taken}]`);
    return { cached: value, index: this.#taken++ };
  }

  async #restoreSmall(items: readonly Item[]): Promise<void> {
    const wanted = items.map(({ cached }) => {
      const { path } = locateFile(pathIn(cached));
      demandAccess(path, 'fs.read');
      return { path, parts: cached.runs };
    });
    const found = await touchAllParts(wanted, PIECE);
    this.#options.signal?.throwIfAborted();
    for (const [i, item] of items.entries()) {
      const touched = touchedPartsIn(found, i);
      if (touched === undefined) {
        this.#left.push(...items.slice(i).toReversed());
        return;
      }
      if (touched.failed) {
        // It may have to be mapped, and has the right words for the error.
        await this.#restoreOne(item);
        continue;
      }
      const { cached } = item;
      const { size, modified, present, read } = touched;
      const gone = spansLength(cached.runs) - spansLength(clippedSpans(cached.runs, { offset: 0, length: size }));
      const changed = size !== cached.size || modified !== cached.modified;
      this.#tell(item, { read, present, gone, changed });
    }
  }

  async #restoreOne(item: Item): Promise<void> {
    const { cached } = item;
    const { rate, signal, onProgress } = this.#options;
    try {
      const restored = await restore(cached, {
        ...(rate !== undefined && { rate }),
        signal,
        ...(onProgress !== undefined && { onProgress: (progress: Progress) => this.#tellProgress(() => onProgress({ cached, ...progress })) }),
      });
      this.#tell(item, restored);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Thrown) throw error.reason;
      this.#tell(item, undefined, error as Error);
    }
  }

  /** What a callback throws is not a failure of the file. */
  #tellProgress(tell: () => void): void {
    if (this.#stopped) return;
    try {
      tell();
    } catch (error) {
      throw new Thrown(error);
    }
  }

  #tell({ cached, index }: Item, restored: Restored | undefined, error?: Error): void {
    if (this.#stopped) return;
    this.counts.files += 1;
    if (error !== undefined) this.counts.failed += 1;
    this.#options.onFile?.(error === undefined ? { cached, restored } : { cached, restored, error }, index);
  }
}

/** What a callback has thrown. */
class Thrown extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('a callback has thrown');
    this.reason = reason;
  }
}

/**
 * Reads the pages of many dumps that are no longer in memory, off the main thread, several files at a time, as
 * `restore()` does for one. A file that cannot be read has an `error`, as `restore()` throws it, and does not stop the
 * others. With `rate`, the files are restored one after the other.
 *
 * `dumps` is an array or another iterable of what `dump()` or `dumpAll()` has made. If it throws, or has something
 * else, the call stops, as with `signal`. Uses libuv's thread pool, in calls of a few MiB.
 *
 * ```js
 * const { failed } = await restoreAll(JSON.parse(readFileSync('warm.json', 'utf8')));
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE
 * @throws {RangeError} ERR_OUT_OF_RANGE
 * @throws whatever `dumps`, `onFile` or `onProgress` throws, which stops the call as `signal` does
 */
export async function restoreAll(dumps: Iterable<CacheDump>, options: RestoreAllOptions = {}): Promise<FileCounts> {
  validateIterable(dumps, 'dumps', 'dumps');
  const { rate, signal, onFile, onProgress } = validateMany(options, ['rate', 'signal', 'onFile', 'onProgress']);
  validateRate(rate);
  if (onProgress !== undefined) validateFunction(onProgress, 'options.onProgress');
  return new RestoreAllRun(dumps, { rate, signal, onFile, onProgress }).run();
}
