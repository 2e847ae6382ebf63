// Keeping the cached part of a file over a restart: dump() reports which pages are in memory,
// restore() reads the missing ones again.
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { type PathName, shownPath, validateFileName } from '../internal/path.js';
import { type Span, clippedSpans, intersectSpans, mergedSpans, spansLength, splitSpan } from '../internal/range.js';
import { invalidType, invalidValue, validateInteger, validateOptions } from '../internal/validate.js';
import { type Progress, validateBackground } from '../mem/background.js';
import { memoryOf } from '../mem/mapping.js';
import type { Residency } from '../mem/residency.js';
import { type FileMapping, statsOf } from './file-mapping.js';
import { mapFile } from './map-file.js';
import type { FileLike } from './open-file.js';
import { RateLimiter, type RateOption, validateRate } from './rate-limiter.js';
import { PIECE, touchPart } from './touch-call.js';

/** Which pages of a file were in memory. Plain data: `JSON.stringify()` keeps it. */
export interface CacheDump {
  /** The absolute path of the file. */
  readonly path: string;
  /** The bytes of the path in base64, if they are not UTF-8: `path` then has U+FFFD in their place. */
  readonly pathBytes?: string | undefined;
  /** Bytes in the file. */
  readonly size: number;
  /** When the file was last changed: milliseconds since 1970. */
  readonly modified: number;
  /** The parts that were in memory: bytes of the file, ascending. */
  readonly runs: readonly Span[];
}

/** Options of {@link restore}. */
export interface RestoreOptions extends RateOption {
  /** Stops after the pieces under way, and at once during a pause of `rate`; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each piece that was read: 4 MiB, less if the rate is low. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The result of {@link restore}, in bytes. */
export interface Restored {
  /** Bytes read from the disk. */
  readonly read: number;
  /** Bytes that were in memory already. */
  readonly present: number;
  /** Bytes of the dump past the present end of the file. */
  readonly gone: number;
  /** The size or date of the file has changed since the dump, so other pages may be worth reading. */
  readonly changed: boolean;
}

/** Pieces read at a time: as many as libuv has threads. */
const AT_ONCE = 4;
/** Pieces requested from the disk before they are waited for: a disk is faster with several requests at a time. */
const AHEAD = 64;

type ResolvedRestoreOptions = { readonly [Name in keyof RestoreOptions]: RestoreOptions[Name] | undefined };

/** One call of restore(). The caller owns the mapping and keeps it open. */
class RestoreRun {
  readonly #mapping: FileMapping;
  readonly #missing: readonly Span[];
  readonly #options: ResolvedRestoreOptions;
  readonly #limiter: RateLimiter | undefined;
  readonly #total: number;
  #done = 0;
  #read = 0;

  /** @param missing - bytes of the file, ascending */
  constructor(mapping: FileMapping, missing: readonly Span[], options: ResolvedRestoreOptions) {
    this.#mapping = mapping;
    this.#missing = missing;
    this.#options = options;
    this.#limiter = RateLimiter.of(options.rate);
    this.#total = spansLength(missing);
  }

  /** @returns bytes read; none are under way when it settles */
  async run(): Promise<number> {
    for (const step of this.#steps()) {
      const [begun, before] = [performance.now(), this.#read];
      await this.#readAll(step);
      this.#limiter?.consume(this.#read - before, begun);
      await this.#limiter?.wait(this.#options.signal);
    }
    return this.#read;
  }

  /** All pieces, or as many at a time as the rate permits. */
  *#steps(): Generator<readonly Span[], void, undefined> {
    const most = this.#limiter?.step ?? Infinity;
    let [step, room]: [Span[], number] = [[], most];
    for (const span of this.#missing) {
      for (const piece of splitSpan(span, Math.min(PIECE, most))) {
        if (piece.length > room) {
          yield step;
          [step, room] = [[], most];
        }
        step.push(piece);
        room -= piece.length;
      }
    }
    yield step;
  }

  async #readAll(pieces: readonly Span[]): Promise<void> {
    let [next, asked] = [0, 0];
    const reads = async (): Promise<void> => {
      while (next < pieces.length) {
        const piece = pieces[next++] as Span;
        // With a rate, no piece is requested before its missing bytes are counted.
        if (this.#limiter === undefined) {
          for (const ahead of pieces.slice(asked, next + AHEAD)) startReading(this.#mapping, ahead);
          asked = Math.max(asked, next + AHEAD);
        }
        await this.#readPiece(piece);
      }
    };
    const stop = (error: unknown): never => {
      next = pieces.length;
      throw error;
    };
    // A failure, or the signal, ends them all.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => reads().catch(stop)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async #readPiece(piece: Span): Promise<void> {
    const { signal, onProgress } = this.#options;
    const { read, error } = await touchPart(this.#mapping.path, piece);
    if (error !== undefined) throw error;
    signal?.throwIfAborted();
    // Without a rate some of the piece was requested ahead and is in memory by now: it was read as well.
    this.#read += this.#limiter === undefined ? piece.length : read;
    this.#done += piece.length;
    onProgress?.({ done: this.#done, total: this.#total });
  }
}

/** Requests at least the beginning of it from the disk. Ignores failures: reading the piece will report them. */
function startReading(mapping: FileMapping, { offset, length }: Span): void {
  binding.madvise(memoryOf(mapping).pages.open(), offset, length, binding.MADV.WILLNEED);
}

/**
 * Reports which pages of a file are in the page cache now, for {@link restore} after a restart.
 *
 * @throws {SystemError} as `mapFile()`
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED if the kernel does not report it, because the process
 * neither owns the file nor may write to it
 */
export function dump(file: FileLike): CacheDump {
  const mapping = mapFile(file, { noReserve: true });
  try {
    const residency = mapping.residency();
    if (residency.trust === 'claimed') throw notReported(mapping.path);
    return { ...pathsOf(mapping.path), size: mapping.length, modified: statsOf(mapping).mtimeMs, runs: runsOf(residency, true) };
  } finally {
    mapping.close();
  }
}

/** The error for a file whose pages the kernel only claims to be in memory. */
export function notReported(path: PathName): UnsupportedError {
  return new UnsupportedError(
    'ERR_MEMMAP_UNSUPPORTED',
    `The kernel does not report which pages of '${shownPath(path)}' are in memory, because this process neither owns the file nor may write to it`,
  );
}

/** The fields of a dump for an absolute path. */
export function pathsOf(path: PathName): Pick<CacheDump, 'path' | 'pathBytes'> {
  return typeof path === 'string' ? { path } : { path: path.toString(), pathBytes: path.toString('base64') };
}

/** The path of a dump, from its bytes if it has them. */
export function pathIn({ path, pathBytes }: CacheDump): PathName {
  return pathBytes === undefined ? path : Buffer.from(pathBytes, 'base64');
}

/** The runs that are in memory, or those that are not. */
function runsOf({ runs }: Residency, inMemory: boolean): Span[] {
  return mergedSpans(runs.filter(({ resident }) => resident === inMemory));
}

const KEYS = ['path', 'pathBytes', 'size', 'modified', 'runs'] as const;

function validateBase64(value: unknown, name: string): void {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  if (Buffer.from(value, 'base64').toString('base64') !== value) throw invalidValue(name, 'must be a path in base64', value);
  validateFileName(Buffer.from(value, 'base64'), name);
}

/** Throws unless it is a dump. `name`: of the argument. */
export function validateDump(cached: unknown, name = 'cached'): asserts cached is CacheDump {
  validateOptions<CacheDump>(cached, KEYS, name);
  if (typeof cached.path !== 'string') throw invalidType(`${name}.path`, 'of type string', cached.path);
  if (cached.pathBytes !== undefined) validateBase64(cached.pathBytes, `${name}.pathBytes`);
  validateInteger(cached.size, `${name}.size`);
  if (typeof cached.modified !== 'number') throw invalidType(`${name}.modified`, 'of type number', cached.modified);
  if (!Array.isArray(cached.runs)) throw invalidType(`${name}.runs`, 'an Array', cached.runs);
  for (const [i, run] of (cached.runs as unknown[]).entries()) {
    validateOptions<Span>(run, ['offset', 'length'], `${name}.runs[${i}]`);
    validateInteger(run.offset, `${name}.runs[${i}].offset`, 0, cached.size);
    validateInteger(run.length, `${name}.runs[${i}].length`, 1, cached.size - run.offset);
  }
}

/**
 * Reads the pages of a {@link dump} that are no longer in memory, off the main thread, and nothing
 * else. With `rate`, pages that other processes have read meanwhile are skipped, and the promise resolves
 * once the rate would permit more, so that consecutive calls keep it too. The file stays mapped until the
 * promise settles; then no read is under way.
 *
 * ```js
 * await restore(JSON.parse(readFileSync('db.dump', 'utf8')), { rate: 50 * 2 ** 20 });
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE
 * @throws {RangeError} ERR_OUT_OF_RANGE
 * @throws {SystemError} as `mapFile()`; EIO
 * @throws whatever `onProgress` throws, which stops the call as `signal` does
 */
export async function restore(cached: CacheDump, options: RestoreOptions = {}): Promise<Restored> {
  validateDump(cached);
  const { rate, signal, onProgress } = validateBackground(options, ['rate', 'signal', 'onProgress']);
  validateRate(rate);
  signal?.throwIfAborted();
  const mapping = mapFile(pathIn(cached), { noReserve: true });
  try {
    const changed = mapping.length !== cached.size || statsOf(mapping).mtimeMs !== cached.modified;
    const wanted = clippedSpans(cached.runs, { offset: 0, length: mapping.length });
    const read = await new RestoreRun(mapping, absent(mapping, wanted), { rate, signal, onProgress }).run();
    return { read, present: spansLength(wanted) - read, gone: spansLength(cached.runs) - spansLength(wanted), changed };
  } finally {
    mapping.close();
  }
}

/** The parts of `wanted` that are not in memory; all if the kernel does not report it. */
function absent(mapping: FileMapping, wanted: readonly Span[]): readonly Span[] {
  const residency = mapping.residency();
  if (residency.trust === 'claimed') return wanted;
  const missing = runsOf(residency, false);
  return wanted.flatMap((span) => intersectSpans(missing, span));
}
