// Advice. Hints cannot change a byte; what can has a verb of its own.
import { check } from '../errors.js';
import { binding } from '../internal/binding.js';
import { HINT, type Hint } from '../internal/literals.js';
import type { Range } from '../internal/range.js';
import { since } from '../internal/remedy.js';
import { invalidType, validateWord } from '../internal/validate.js';
import type { Pages } from './pages.js';

const { MADV } = binding;

/** Kernels that brought what is not in all of them. */
const SINCE: Partial<Record<Hint, string>> = { cold: '5.4', wipeonfork: '4.14', keeponfork: '4.14' };

export function advise(pages: Pages, hint: Hint, range: Range | undefined): void {
  validateWord(hint, 'hint', HINT);
  const kernel = SINCE[hint];
  hintPages(pages, HINT[hint], range, kernel === undefined ? undefined : since(kernel, `'${hint}'`));
}

export function evict(pages: Pages, range: Range | undefined): void {
  hintPages(pages, MADV.PAGEOUT, range, since('5.4', 'evict()'));
}

export function collapse(pages: Pages, range: Range | undefined): void {
  hintPages(pages, MADV.COLLAPSE, range, since('6.1', 'collapse()'));
}

export function discard(pages: Pages, range: Range): void {
  destroyPages(pages, MADV.DONTNEED, range, (code) =>
    code === 'EINVAL' ? 'Locked pages cannot be discarded: unlock() them first' : undefined,
  );
}

export function punchHole(pages: Pages, range: Range): void {
  destroyPages(pages, MADV.REMOVE, range, (code) =>
    code === 'EINVAL' || code === 'EACCES' || code === 'ENOTSUP'
      ? 'Holes can be punched in unlocked, writable, shared mappings on file systems that know them'
      : undefined,
  );
}

type Remedy = ((code: string) => string | undefined) | undefined;

function madvise(pages: Pages, advice: number, offset: number, length: number, remedy: Remedy): void {
  const handle = pages.settled();
  if (length === 0) return;
  check(binding.madvise(handle, offset, length, advice), 'madvise', remedy === undefined ? {} : { remedy });
}

function hintPages(pages: Pages, advice: number, range: Range | undefined, remedy?: Remedy): void {
  const { offset, length } = pages.span(range);
  madvise(pages, advice, offset, length, remedy);
}

function destroyPages(pages: Pages, advice: number, range: Range, remedy: Remedy): void {
  // Named, never assumed: to destroy everything one says { offset: 0 }.
  if (typeof range !== 'object' || range === null) throw invalidType('range', 'of type object', range);
  const { offset, length } = pages.exact(range);
  madvise(pages, advice, offset, length, remedy);
}
