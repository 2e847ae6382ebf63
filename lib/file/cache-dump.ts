// Keeping what is cached of a file over a restart: dump() says which pages are in memory,
// restore() brings those back that are missing.
import { statSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { FeatureName } from '../internal/features.js';
import type { Span } from '../internal/range.js';
import { invalidType, validateInteger, validateOptions } from '../internal/validate.js';
import { type BackgroundOptions, inBackground, validateBackground } from '../mem/background.js';
import type { FileMapping } from './file-mapping.js';
import { mapFile } from './map-file.js';
import type { FileLike } from './open-file.js';

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

const { MADV } = binding;

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

/** Runs read at a time: each takes a hop to another thread, and the disk likes company. */
const AT_ONCE = 16;

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
 * @throws {SystemError} as `mapFile()`; EFAULT if the file shrinks meanwhile
 */
export async function restore(cached: CacheDump, options: RestoreOptions = {}): Promise<Restored> {
  validateDump(cached);
  const { signal, onProgress } = validateBackground(options, ['signal', 'onProgress']);
  signal?.throwIfAborted();
  const mapping = mapFile(cached.path, { noReserve: true });
  try {
    mapping.pages.rooted(); // no buffer will be made
    mapping.advise('random'); // no page beside those asked for
    const changed = mapping.length !== cached.size || modified(mapping) !== cached.modified;
    const wanted = within(cached.runs, mapping.length);
    const missing = absent(mapping, wanted);
    const total = sum(missing);
    let read = 0;
    for (let next = 0; next < missing.length; next += AT_ONCE) {
      signal?.throwIfAborted();
      const runs = missing.slice(next, next + AT_ONCE);
      await Promise.all(runs.map((run) => bringIn(mapping, run, signal)));
      read += sum(runs);
      onProgress?.({ done: read, total });
    }
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

/** Reads ahead exactly what is asked for, and waits for it. */
async function bringIn({ pages }: FileMapping, run: Span, signal: AbortSignal | undefined): Promise<void> {
  const options = { ...run, ...(signal && { signal }) };
  const inSteps = (advice: number, feature?: FeatureName): Promise<void> =>
    inBackground(pages, options, 'madvise', (handle, offset, length) => binding.madviseAsync(handle, offset, length, advice), feature);
  await inSteps(MADV.WILLNEED);
  try {
    await inSteps(MADV.POPULATE_READ, 'populate');
  } catch (error) {
    // Linux before 5.14 reads ahead all the same, but does not say when it has.
    if (!(error instanceof UnsupportedError)) throw error;
  }
}
