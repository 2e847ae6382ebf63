// Bringing files into the page cache that nobody maps: many small ones, and large ones piece by piece.
import type { SystemError } from '../errors.js';
import { invalidType, validateFunction, validateInteger } from '../internal/validate.js';
import { type Progress, validateBackground } from '../mem/background.js';
import { type RateOption, validateRate } from './pace.js';
import { Touching, validatePath } from './touching.js';

/** What {@link touch} found of a file, and did. */
export interface Touched {
  /** As it was given. */
  readonly path: string;
  /** Bytes in the file. */
  readonly size: number;
  /** Pages in the part of it that was asked for. */
  readonly pages: number;
  /** Bytes of the part that were in memory; undefined if the kernel does not tell: before Linux 6.5, and of files of others. */
  readonly present: number | undefined;
  /** Bytes that were missing and have been read: all, if `present` is not known. */
  readonly read: number;
  /** Of a file that has several names (hard links): which it is, 'device:inode', the same for each of them. */
  readonly identity?: string;
  /** Why the file was not read, or not to its end. */
  readonly error?: SystemError;
}

/** What {@link touch} did altogether. */
export interface TouchTotals {
  /** Files, those that failed among them. */
  readonly files: number;
  readonly failed: number;
  /** Bytes of the parts asked for of files that could be opened. */
  readonly bytes: number;
  /** Bytes that were in memory, as far as the kernel tells. */
  readonly present: number;
  /** Bytes read. */
  readonly read: number;
}

/** How far a large file is, in bytes of the part asked for. */
export interface TouchProgress extends Progress {
  readonly path: string;
}

/** Options of {@link touch}. */
export interface TouchOptions extends RateOption {
  /** Bytes from the start of each file; a file that ends before has nothing to read. @default 0 */
  readonly offset?: number;
  /** Bytes of each file, or fewer where it ends before. @default to its end */
  readonly length?: number;
  /** Stops after the pieces under way, which are small, and ends a pause of the rate at once; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called once for each file, as they are done; `index` says which of `files`. */
  readonly onFile?: (touched: Touched, index: number) => void;
  /** Called after each piece of a file that is longer than one: 4 MiB, less if the rate is low. */
  readonly onProgress?: (progress: TouchProgress) => void;
}

function validateFiles(files: unknown): asserts files is Iterable<string> {
  if (Array.isArray(files)) {
    for (const [index, file] of (files as unknown[]).entries()) validatePath(file, index);
    return;
  }
  const iterable = typeof files === 'object' && files !== null && Symbol.iterator in files;
  if (!iterable || ArrayBuffer.isView(files)) throw invalidType('files', 'an iterable of paths', files);
}

/**
 * Brings files into the page cache, off the main thread, several at a time: reads what is missing
 * and nothing else. Nothing is mapped, nothing is kept open, and the times of last access of the
 * user's own files stay as they are. A file that cannot be read is told of by `onFile` and
 * counted, and does not stop the others: ENOENT, EACCES, EISDIR of a folder, EINVAL of what is
 * no regular file (fifos and devices are never opened), EIO.
 *
 * `files` is an array, or what gives paths as they are needed: a generator that walks folders does
 * so while the files it has found are read. What it throws ends the call, as `signal` does.
 *
 * What is missing the kernel tells since Linux 6.5, cachestat(2), of files the user owns or may
 * write to; others are read through. Calls of libuv's thread pool, each of a few MiB.
 *
 * ```js
 * const { read, failed } = await touch(['/etc/passwd', '/etc/group'], { rate: 2 ** 20 });
 * ```
 *
 * @throws {TypeError} ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 * @throws {RangeError} ERR_OUT_OF_RANGE
 * @throws what `onFile` or `onProgress` throws, which ends it as `signal` does
 */
export async function touch(files: Iterable<string>, options: TouchOptions = {}): Promise<TouchTotals> {
  validateFiles(files);
  const known = ['offset', 'length', 'rate', 'signal', 'onFile', 'onProgress'] as const;
  const { offset = 0, length = Number.MAX_SAFE_INTEGER, rate, signal, onFile, onProgress } = validateBackground(options, known);
  validateInteger(offset, 'options.offset');
  validateInteger(length, 'options.length');
  validateRate(rate);
  if (onFile !== undefined) validateFunction(onFile, 'options.onFile');
  signal?.throwIfAborted();
  return new Touching(files, { offset, length }, { rate, signal, onFile, onProgress }).run();
}
