// The residency of many files: a few calls of the thread pool instead of several system calls on this thread for each.
import { validateInteger } from '../../internal/validate.js';
import { type Residency, surveyedResidency } from '../../mem/residency.js';
import type { Span } from '../../internal/range.js';
import { statsOf } from '../file-mapping.js';
import { mapFile } from '../map-file.js';
import { validateFiles } from '../touch-call.js';
import { type PathLike, validateMany } from './in-order.js';
import { type FileCounts, type Surveyed, surveyAll } from './survey-call.js';

/** The result of {@link residencyOfAll} for one file. */
export interface FileResidency<Path extends string | Uint8Array = string> {
  /** The path as it was given. */
  readonly path: Path;
  /** Bytes in the file, or in the block device; undefined if there is an error. */
  readonly size: number | undefined;
  /** When the file was last changed: milliseconds since 1970, as `mtimeMs` of `node:fs`; undefined if there is an error. */
  readonly modified: number | undefined;
  /** For a file with several names (hard links): 'device:inode', the same for each name. */
  readonly identity?: string;
  /** The pages of the requested part, as far as the file has it; undefined if there is an error. */
  readonly residency: Residency | undefined;
  /** Why the pages are not known. */
  readonly error?: Error;
}

/** Options of {@link residencyOfAll}. */
export interface ResidencyOfAllOptions<Path extends string | Uint8Array = string> {
  /** Where to start in each file, in bytes. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes of each file to look at; fewer if it ends before. @default to its end */
  readonly length?: number | undefined;
  /** Stops after the calls under way; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each file, in the order of `files`; `index` is its place there. */
  readonly onFile?: ((found: FileResidency<Path>, index: number) => void) | undefined;
}

function describe<Path extends PathLike>(path: Path, found: Surveyed, part: Span): FileResidency<Path> {
  const offset = Math.min(part.offset, found.size);
  const { size, modified, identity } = found;
  const residency = surveyedResidency(found, { offset, length: Math.min(part.length, size - offset) });
  return identity === undefined ? { path, size, modified, residency } : { path, size, modified, identity, residency };
}

/** As describe(), for files of which only a mapping knows the pages, or why they are not known. */
function describeMapped<Path extends PathLike>(path: Path, part: Span): FileResidency<Path> {
  try {
    const mapping = mapFile(path, { noReserve: true });
    try {
      const size = mapping.length;
      const offset = Math.min(part.offset, size);
      const residency = mapping.residency({ offset, length: Math.min(part.length, size - offset) });
      return { path, size, modified: statsOf(mapping).mtimeMs, residency };
    } finally {
      mapping.close();
    }
  } catch (error) {
    return { path, size: undefined, modified: undefined, residency: undefined, error: error as Error };
  }
}

/**
 * Reports which pages of many files are in memory, as `residencyOf()` does for one, off the main thread, several files
 * at a time. Maps nothing and keeps nothing open. An empty file has no pages, and is not looked at further. A file whose
 * pages cannot be known has an `error`, as `residencyOf()` throws it, and does not stop the others.
 *
 * `files` is an array or another iterable of paths, strings or bytes: a generator that walks folders runs while the
 * files it has found are looked at. If it throws, the call stops, as with `signal`. Uses libuv's thread pool.
 *
 * ```js
 * const inMemory = new Map();
 * await residencyOfAll(['/etc/passwd', '/etc/group'], {
 *   onFile: ({ path, residency }) => inMemory.set(path, residency?.resident),
 * });
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 * @throws {RangeError} ERR_OUT_OF_RANGE
 * @throws whatever `files` or `onFile` throws, which stops the call as `signal` does
 */
export async function residencyOfAll<Path extends string | Uint8Array>(files: Iterable<Path>, options: ResidencyOfAllOptions<Path> = {}): Promise<FileCounts> {
  validateFiles(files);
  const { offset = 0, length = Number.MAX_SAFE_INTEGER, signal, onFile } = validateMany(options, ['offset', 'length', 'signal', 'onFile']);
  validateInteger(offset, 'options.offset');
  validateInteger(length, 'options.length');
  const part = { offset, length };
  return surveyAll(files, part, { signal, onFile }, (path, found) => (found.failed ? describeMapped(path, part) : describe(path, found, part)));
}
