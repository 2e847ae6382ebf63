// Dumps of many files: as dump() of each, but in a few calls of the thread pool.
import { binding } from '../../internal/binding.js';
import { absolutePath, pathName } from '../../internal/path.js';
import type { Span } from '../../internal/range.js';
import { type CacheDump, dump, notReported, pathsOf } from '../cache-dump.js';
import { validateFiles } from '../touch-call.js';
import { type PathLike, validateMany } from './in-order.js';
import { type FileCounts, type Surveyed, surveyAll } from './survey-call.js';

/** The result of {@link dumpAll} for one file. */
export interface DumpedFile<Path extends string | Uint8Array = string> {
  /** The path as it was given. */
  readonly path: Path;
  /** For a file with several names (hard links): 'device:inode', the same for each name. */
  readonly identity?: string;
  /** Undefined if there is an error. */
  readonly cached: CacheDump | undefined;
  /** Why the file has no dump. */
  readonly error?: Error;
}

/** Options of {@link dumpAll}. */
export interface DumpAllOptions<Path extends string | Uint8Array = string> {
  /** Stops after the calls under way; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each file, in the order of `files`; `index` is its place there. */
  readonly onFile?: ((dumped: DumpedFile<Path>, index: number) => void) | undefined;
}

const WHOLE: Span = { offset: 0, length: Number.MAX_SAFE_INTEGER };
const { length: LENGTH, state: STATE } = binding.FACTS.run;
const FIELDS = Object.keys(binding.FACTS.run).length;

/** The parts of the file that are in memory. */
function residentSpans({ numbers, start, end, size }: Surveyed): Span[] {
  const spans: { offset: number; length: number }[] = [];
  let last: { offset: number; length: number } | undefined;
  let offset = 0;
  for (let at = start; at < end; at += FIELDS) {
    const length = Math.min(numbers[at + LENGTH] ?? 0, size - offset);
    if (((numbers[at + STATE] ?? 0) & binding.PAGE_STATE['resident']) === 0) {
      last = undefined;
    } else if (last === undefined) {
      last = { offset, length };
      spans.push(last);
    } else {
      last.length += length;
    }
    offset += length;
  }
  return spans;
}

function dumpFound<Path extends PathLike>(path: Path, found: Surveyed): DumpedFile<Path> {
  const { size, modified, identity } = found;
  try {
    // Only a mapping knows whether an empty file can be mapped.
    if (found.failed || size === 0) return { path, ...(identity !== undefined && { identity }), cached: dump(path) };
    const located = absolutePath(typeof path === 'string' ? path : pathName(path));
    if (found.faked) throw notReported(located);
    const runs = residentSpans(found);
    // Not copied with `...`, which takes longer than everything else here.
    const cached = typeof located === 'string' ? { path: located, size, modified, runs } : { ...pathsOf(located), size, modified, runs };
    return identity === undefined ? { path, cached } : { path, identity, cached };
  } catch (error) {
    return { path, ...(identity !== undefined && { identity }), cached: undefined, error: error as Error };
  }
}

/**
 * Reports which pages of many files are in the page cache now, as `dump()` does for one, for `restoreAll()` after a
 * restart. Works off the main thread, several files at a time; maps nothing and keeps nothing open. A file that cannot
 * be dumped has an `error`, as `dump()` throws it, and does not stop the others.
 *
 * `files` is an array or another iterable of paths, strings or bytes: a generator that walks folders runs while the
 * files it has found are looked at. If it throws, the call stops, as with `signal`. Uses libuv's thread pool.
 *
 * ```js
 * const dumps = [];
 * await dumpAll(['/etc/passwd', '/etc/group'], { onFile: ({ cached }) => cached && dumps.push(cached) });
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 * @throws whatever `files` or `onFile` throws, which stops the call as `signal` does
 */
export async function dumpAll<Path extends string | Uint8Array>(files: Iterable<Path>, options: DumpAllOptions<Path> = {}): Promise<FileCounts> {
  validateFiles(files);
  return surveyAll(files, WHOLE, validateMany(options, ['signal', 'onFile']), dumpFound);
}
