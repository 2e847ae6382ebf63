// Which pages of a mapping are in memory.
import { check } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { Span } from '../internal/range.js';
import type { Pages } from './pages.js';

/** What of a range is in memory. See {@link Mapping.residency}. */
export interface Residency {
  /** Bytes in a page. */
  readonly pageSize: number;
  /** Pages the range touches. */
  readonly pages: number;
  /** Of them in memory: a read of these needs no disk. */
  readonly resident: number;
  /** The resident parts, ascending, whole pages, clipped to the range; bytes of the mapping. */
  readonly runs: readonly Span[];
}

/** The residency of the pages that hold bytes [offset, offset + length) of the mapping. */
export function residency(pages: Pages, range: Span): Residency {
  const { pageSize } = binding;
  const { offset, length } = pages.span(range);
  const handle = pages.settled();
  if (length === 0) return { pageSize, pages: 0, resident: 0, runs: [] };
  const found = check(binding.residentRuns(handle, offset, length), 'mincore');
  const end = range.offset + range.length;
  const runs: Span[] = [];
  let bytes = 0;
  for (let i = 0; i < found.length; i += 2) {
    const from = offset + (found[i] ?? 0) - pages.byteOffset;
    const size = found[i + 1] ?? 0;
    bytes += size;
    const start = Math.max(from, range.offset);
    runs.push({ offset: start, length: Math.min(from + size, end) - start });
  }
  return {
    pageSize,
    pages: Math.ceil(length / pageSize),
    resident: bytes / pageSize,
    runs,
  };
}
