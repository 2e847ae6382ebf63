// One call of the thread pool that reads files into the page cache, and its results.
import type { SystemError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { shownPath, validateFileName } from '../internal/path.js';
import type { Span } from '../internal/range.js';
import { check, systemError } from '../internal/syscall.js';
import { validateIterable } from '../internal/validate.js';

/** Bytes in a piece. A call returns after reading about as many: milliseconds of disk. */
export const PIECE: number = 2 ** 22;

const { errno: ERRNO, step: STEP, size: SIZE, present: PRESENT, read: READ, device: DEVICE, inodeHigh: INODE_HIGH, inodeLow: INODE_LOW, holes: HOLES, nextData: NEXT_DATA, modifiedSeconds: SECONDS, modifiedNanoseconds: NANOSECONDS } = binding.FACTS.touched;

/** How many numbers a call returns for each file. */
export const FIELDS: number = Object.keys(binding.FACTS.touched).length;

/** The result for one file. */
export interface TouchedFile<Path extends string | Uint8Array = string> {
  /** The path as it was given. */
  readonly path: Path;
  /** Bytes in the file. */
  readonly size: number;
  /** Bytes of the part that were in memory; undefined if the kernel does not report it: before Linux 6.5, and for files of other users. */
  readonly present: number | undefined;
  /** Bytes that were missing and have been read; all bytes if `present` is undefined. */
  readonly read: number;
  /** Bytes of the part in holes, which were left alone, if there are any. */
  readonly holes?: number;
  /** Why the file was not read, or not to its end. */
  readonly error?: SystemError;
}

/** Throws unless it is an iterable of paths; an array is checked completely. */
export function validateFiles(files: unknown): asserts files is Iterable<string | Uint8Array> {
  if (Array.isArray(files)) {
    for (const [index, file] of (files as unknown[]).entries()) validateFileName(file, `files[${index}]`);
    return;
  }
  validateIterable(files, 'files', 'paths');
}

/** The bytes of the paths, a NUL after each. */
export function listOf(paths: readonly (string | Uint8Array)[]): Uint8Array {
  if (paths.every((path) => typeof path === 'string')) return Buffer.from(`${paths.join('\0')}\0`);
  return Buffer.concat(paths.flatMap((path) => [typeof path === 'string' ? Buffer.from(path) : path, Uint8Array.of(0)]));
}

/** @returns FIELDS numbers for each file that it got to */
export async function touchAll(paths: readonly (string | Uint8Array)[], { offset, length }: Span, budget: number, holes: boolean): Promise<Float64Array> {
  return check(await binding.touchAsync(listOf(paths), offset, length, budget, holes), 'touch');
}

/** The parts of a file to read, ascending. */
export interface WantedParts {
  readonly path: string | Uint8Array;
  readonly parts: readonly Span[];
}

/** Reads the parts of each file, holes too. @returns FIELDS numbers for each file that it got to */
export async function touchAllParts(files: readonly WantedParts[], budget: number): Promise<Float64Array> {
  const numbers = new Float64Array(files.reduce((sum, { parts }) => sum + 1 + 2 * parts.length, 0));
  let at = 0;
  for (const { parts } of files) {
    numbers[at++] = parts.length;
    for (const { offset, length } of parts) {
      numbers[at++] = offset;
      numbers[at++] = length;
    }
  }
  return check(await binding.touchPartsAsync(listOf(files.map(({ path }) => path)), numbers, budget), 'touch');
}

/** What a call of touchAllParts() did with a file: bytes. */
export interface TouchedParts {
  /** Whether the file was not read, or not to its end. */
  readonly failed: boolean;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  readonly present: number;
  readonly read: number;
}

/** The result for file number `i`; undefined if the call did not get to it. */
export function touchedPartsIn(found: Float64Array, i: number): TouchedParts | undefined {
  const at = i * FIELDS;
  if (at >= found.length) return undefined;
  return {
    failed: found[at + ERRNO] !== 0,
    size: found[at + SIZE] ?? 0,
    modified: milliseconds(found[at + SECONDS] ?? 0, found[at + NANOSECONDS] ?? 0),
    present: found[at + PRESENT] ?? 0,
    read: found[at + READ] ?? 0,
  };
}

/** Milliseconds since 1970, rounded as `mtimeMs` of `node:fs` is. */
export function milliseconds(seconds: number, nanoseconds: number): number {
  return seconds * 1000 + nanoseconds / 1_000_000;
}

/** Reads the part of the file, at most a piece, into memory, holes too, and waits for it. */
export async function touchPart<Path extends string | Uint8Array>(path: Path, part: Span): Promise<TouchedFile<Path>> {
  return touchedIn(await touchAll([path], part, PIECE, true), 0, path);
}

/** The result for file number `i` of a call. */
export function touchedIn<Path extends string | Uint8Array>(found: Float64Array, i: number, path: Path): TouchedFile<Path> {
  const at = i * FIELDS;
  // One by one, not by destructuring: this is most of what a cached file costs here.
  const errno = found[at + ERRNO] ?? 0;
  const size = found[at + SIZE] ?? 0;
  const present = found[at + PRESENT] ?? 0;
  const read = found[at + READ] ?? 0;
  const holes = found[at + HOLES] ?? 0;
  const all = { path, size, present: present < 0 ? undefined : present, read };
  const known = holes === 0 ? all : { ...all, holes };
  return errno === 0 ? known : { ...known, error: systemError(errno, binding.STEPS.touch[found[at + STEP] ?? 0] ?? 'read', { path: shownPath(path) }) };
}

/** The identity of file number `i` of a call, if it has several names. */
export function identityIn(found: Float64Array, i: number): string | undefined {
  const at = i * FIELDS;
  return identityOf(found[at + DEVICE] ?? 0, found[at + INODE_HIGH] ?? 0, found[at + INODE_LOW] ?? 0);
}

/** 'device:inode', or undefined if the inode is 0: the file has one name. */
export function identityOf(device: number, inodeHigh: number, inodeLow: number): string | undefined {
  return inodeHigh === 0 && inodeLow === 0 ? undefined : `${device}:${(BigInt(inodeHigh) << 32n) | BigInt(inodeLow)}`;
}

/** Where the data after the part of file number `i` begins, if the part ends in a hole that was not read; otherwise 0. */
export function nextDataIn(found: Float64Array, i: number): number {
  return found[i * FIELDS + NEXT_DATA] ?? 0;
}

export function readIn(found: Float64Array): number {
  let bytes = 0;
  for (let at = READ; at < found.length; at += FIELDS) bytes += found[at] ?? 0;
  return bytes;
}
