// Advice. Hints cannot change a byte; calls that can are separate methods.
import { binding } from '../internal/binding.js';
import type { FeatureName } from '../internal/features.js';
import { HINT, type Hint } from '../internal/enums.js';
import type { Range, Span } from '../internal/range.js';
import { invalidType, validateEnum } from '../internal/validate.js';
import type { Pages } from './pages.js';
import { check, type ErrorContext } from '../internal/syscall.js';

const { MADV } = binding;

/** Hints that not all kernels know. */
const FEATURE: Partial<Record<Hint, FeatureName>> = { cold: 'cold', wipeonfork: 'wipeOnFork', keeponfork: 'wipeOnFork' };

export function advise(pages: Pages, hint: Hint, range: Range | undefined): void {
  validateEnum(hint, 'hint', HINT);
  hintPages(pages, HINT[hint], range, FEATURE[hint]);
}

export function evict(pages: Pages, range: Range | undefined): void {
  hintPages(pages, MADV.PAGEOUT, range, 'pageOut');
}

export function collapse(pages: Pages, range: Range | undefined): void {
  madvise(pages, MADV.COLLAPSE, pages.span(range), {
    feature: 'collapse',
    remedy: (code) => (code === 'EINVAL' ? 'The range holds no whole aligned huge page, or is memory of a kind that cannot use huge pages' : undefined),
  });
}

export function discard(pages: Pages, range: Range): void {
  const huge = pages.pageSize !== binding.pageSize;
  destroyPages(pages, MADV.DONTNEED, range, (code) =>
    code === 'EINVAL' ? `Locked pages cannot be discarded: unlock() them first${huge ? '. Huge pages of a pool can be discarded since Linux 5.18' : ''}` : undefined,
  );
}

export function punchHole(pages: Pages, range: Range): void {
  destroyPages(pages, MADV.REMOVE, range, (code) =>
    code === 'EINVAL' || code === 'EACCES' || code === 'ENOTSUP'
      ? 'Holes can be punched only in unlocked, writable, shared mappings, on file systems that support holes'
      : undefined,
  );
}

function madvise(pages: Pages, advice: number, { offset, length }: Span, context: ErrorContext): void {
  const handle = pages.pinnedHandle();
  if (length > 0) check(binding.madvise(handle, offset, length, advice), 'madvise', context);
}

function hintPages(pages: Pages, advice: number, range: Range | undefined, feature?: FeatureName): void {
  madvise(pages, advice, pages.span(range), feature === undefined ? {} : { feature });
}

function destroyPages(pages: Pages, advice: number, range: Range, remedy: (code: string) => string | undefined): void {
  // Must be given: { offset: 0 } destroys everything.
  if (typeof range !== 'object' || range === null) throw invalidType('range', 'of type object', range);
  madvise(pages, advice, pages.exact(range), { remedy });
}
