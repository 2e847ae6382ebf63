// Keeping what is cached of a file over a restart: dump() says which pages are in memory,
// restore() brings those back that are missing.
import { statSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { Span } from '../internal/range.js';
import { invalidType, validateInteger, validateOptions } from '../internal/validate.js';
import { type BackgroundOptions, validateBackground } from '../mem/background.js';
import type { FileMapping } from './file-mapping.js';
import { mapFile } from './map-file.js';
import type { FileLike } from './open-file.js';
import { piecesOf, touchPart } from './touching.js';

/** Which pages of a file were in memory. Plain data: `JSON.stringify()` keeps it. */
export interface CacheDump {
  /** Absolute. */
  readonly path: string;
  /** Bytes in the file. */
  readonly size: number;
  /** When the file was last changed: milliseconds since 1970. */
  readonly modified: number;
  /** What was in memory: bytes of the file, ascending. */
  readonly runs: readonly Span[];
}

/** Options of {@link restore}. */
export type RestoreOptions = Pick<BackgroundOptions, 'signal' | 'onProgress'>;

/** What {@link restore} did. Bytes. */
export interface Restored {
  /** Read from the disk. */
  readonly read: number;
  /** Were in memory already. */
  readonly present: number;
  /** Were in memory once, of a part that the file no longer has. */
  readonly gone: number;
  /** The file has another size or date than it had: what is restored may not be what was wanted. */
  readonly changed: boolean;
}

/** Pieces read at a time: as many as libuv has threads. */
const AT_ONCE = 4;
/** Pieces that the disk is asked for before they are waited for: it likes company. */
const AHEAD = 64;

/**
 * Which pages of a file are in the page cache now, for {@link restore} after a restart.
 *
 * @throws {SystemError} as `mapFile()`
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED if the kernel does not tell: neither the
 * file's owner, nor permitted to write to it
 */
export function dump(file: FileLike): CacheDump {
  const mapping = mapFile(file, { noReserve: true });
  try {
    const { runs, trust } = mapping.residency();
    if (trust === 'claimed') {
      throw new UnsupportedError(
        'ERR_MEMMAP_UNSUPPORTED',
        `The kernel does not tell what of '${mapping.path}' is in memory to those who neither own the file nor may write to it`,
      );
    }
    return { path: mapping.path, size: mapping.length, modified: modified(mapping), runs: resident(runs) };
  } finally {
    mapping.close();
  }
}

function modified({ path }: FileMapping): number {
  return statSync(path).mtimeMs;
}

/** Neighbours that differ otherwise are one. */
function resident(runs: readonly (Span & { readonly resident: boolean })[]): Span[] {
  const spans: { offset: number; length: number }[] = [];
  for (const { offset, length, resident: is } of runs) {
    if (!is) continue;
    const last = spans.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else spans.push({ offset, length });
  }
  return spans;
}

function validateDump(cached: unknown): asserts cached is CacheDump {
  validateOptions<CacheDump>(cached, ['path', 'size', 'modified', 'runs'], 'cached');
  if (typeof cached.path !== 'string') throw invalidType('cached.path', 'of type string', cached.path);
  validateInteger(cached.size, 'cached.size');
  if (typeof cached.modified !== 'number') throw invalidType('cached.modified', 'of type number', cached.modified);
  if (!Array.isArray(cached.runs)) throw invalidType('cached.runs', 'an Array', cached.runs);
  for (const [i, run] of (cached.runs as unknown[]).entries()) {
    validateOptions<Span>(run, ['offset', 'length'], `cached.runs[${i}]`);
    validateInteger(run.offset, `cached.runs[${i}].offset`, 0, cached.size);
    validateInteger(run.length, `cached.runs[${i}].length`, 1, cached.size - run.offset);
  }
}

/**
 * Brings the pages of a {@link dump} back into memory that are not there, off the main thread.
 * Nothing else is read.
 *
 * @throws {SystemError} as `mapFile()`; EIO
 */
export async function restore(cached: CacheDump, options: RestoreOptions = {}): Promise<Restored> {
  validateDump(cached);
  const { signal, onProgress } = validateBackground(options, ['signal', 'onProgress']);
  signal?.throwIfAborted();
  const mapping = mapFile(cached.path, { noReserve: true });
  try {
    const changed = mapping.length !== cached.size || modified(mapping) !== cached.modified;
    const wanted = within(cached.runs, mapping.length);
    const missing = absent(mapping, wanted);
    const total = sum(missing);
    const pieces = missing.flatMap(piecesOf);
    let [next, asked, read] = [0, 0, 0];
    const reads = async (): Promise<void> => {
      signal?.throwIfAborted();
      while (next < pieces.length) {
        const piece = pieces[next++] as Span;
        for (const ahead of pieces.slice(asked, next + AHEAD)) startReading(mapping, ahead);
        asked = Math.max(asked, next + AHEAD);
        const { error } = await touchPart(mapping.path, piece);
        if (error !== undefined) throw error;
        signal?.throwIfAborted();
        read += piece.length;
        onProgress?.({ done: read, total });
      }
    };
    const stop = (error: unknown): never => {
      next = pieces.length;
      throw error;
    };
    // A failure, or the signal, ends them all; none is under way when the promise settles.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => reads().catch(stop)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return { read, present: sum(wanted) - total, gone: sum(cached.runs) - sum(wanted), changed };
  } finally {
    mapping.close();
  }
}

function sum(spans: readonly Span[]): number {
  return spans.reduce((bytes, { length }) => bytes + length, 0);
}

function within(spans: readonly Span[], size: number): Span[] {
  return spans.flatMap(({ offset, length }) => (offset < size ? [{ offset, length: Math.min(length, size - offset) }] : []));
}

/** The parts of `wanted` that are not in memory, as far as the kernel tells. */
function absent(mapping: FileMapping, wanted: readonly Span[]): readonly Span[] {
  const { runs, trust } = mapping.residency();
  if (trust === 'claimed') return wanted;
  const holes = resident(runs.map(({ offset, length, resident: is }) => ({ offset, length, resident: !is })));
  return wanted.flatMap((span) => overlap(holes, span));
}

/** The parts of `span` that lie in `holes`, which ascend. */
function overlap(holes: readonly Span[], span: Span): Span[] {
  const ends = ({ offset, length }: Span): number => offset + length;
  let [low, high] = [0, holes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const hole = holes[middle];
    if (hole !== undefined && ends(hole) <= span.offset) low = middle + 1;
    else high = middle;
  }
  const parts: Span[] = [];
  for (let hole = holes[low]; hole !== undefined && hole.offset < ends(span); hole = holes[++low]) {
    const offset = Math.max(hole.offset, span.offset);
    parts.push({ offset, length: Math.min(ends(hole), ends(span)) - offset });
  }
  return parts;
}

/** Asks the disk for the first of it at least. No failure matters: reading it tells. */
function startReading({ pages }: FileMapping, { offset, length }: Span): void {
  binding.madvise(pages.open(), offset, length, binding.MADV.WILLNEED);
}
