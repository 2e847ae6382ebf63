// What code may do with a mapping and with parts of it: mprotect(2).
import { binding } from '../internal/binding.js';
import { PROTECTION, type Protection } from '../internal/enums.js';
import type { Span } from '../internal/range.js';
import { check } from '../internal/syscall.js';
import type { Pages } from './pages.js';

/** What code may do with the bytes of a mapping. `'copy-on-write'`: writes stay in this mapping. */
export type Access = Protection | 'copy-on-write';

interface ProtectedPart {
  /** Bytes from the first page; both whole pages. */
  readonly offset: number;
  readonly end: number;
  readonly access: Protection;
}

export class Protections {
  readonly #pages: Pages;
  /** Whether writes make copies: protect() does not change that. */
  readonly #copies: boolean;
  #access: Access;
  /** Oldest first. */
  #parts: ProtectedPart[] = [];

  constructor(pages: Pages, access: Access) {
    this.#pages = pages;
    this.#copies = access === 'copy-on-write';
    this.#access = access;
  }

  /** The access of the whole mapping. */
  get access(): Access {
    return this.#access;
  }

  /** The access of the whole mapping, as flags of mmap(2). */
  get prot(): number {
    return PROTECTION[this.#access === 'copy-on-write' ? 'read-write' : this.#access];
  }

  /** The protection of a byte, counted from the first page, and the end of the part that has the same. */
  at(offset: number): { readonly prot: number; readonly end: number } {
    const part = this.#parts.findLast((one) => one.offset <= offset && offset < one.end);
    let end = part?.end ?? this.#pages.extent;
    for (const other of this.#parts) if (other.offset > offset) end = Math.min(end, other.offset);
    return { prot: part === undefined ? this.prot : PROTECTION[part.access], end };
  }

  /** Calls of set() that give another mapping the same protections. */
  *asSet(): Generator<{ readonly access: Protection; readonly span: Span }> {
    const whole = this.#access === 'copy-on-write' ? 'read-write' : this.#access;
    yield { access: whole, span: { offset: 0, length: this.#pages.extent } };
    for (const { access, offset, end } of this.#parts) yield { access, span: { offset, length: end - offset } };
  }

  /** Protects whole pages. */
  set(access: Protection, { offset, length }: Span): void {
    check(binding.mprotect(this.#pages.pinnedHandle(), offset, length, PROTECTION[access]), 'mprotect', { remedy: protectRemedy(access) });
    const end = this.#wholePages(offset + length);
    this.#parts = this.#parts.filter((part) => part.offset < offset || part.end > end);
    if (length < this.#pages.extent) {
      this.#parts.push({ offset, end, access });
      return;
    }
    this.#access = this.#copies && access === 'read-write' ? 'copy-on-write' : access;
  }

  /** `bytes` rounded up to whole pages. */
  #wholePages(bytes: number): number {
    const { pageSize } = this.#pages;
    return Math.ceil(bytes / pageSize) * pageSize;
  }

  /** Called after a resize from `before` bytes: cuts parts off at the new end, and gives new pages the protection of the whole. */
  follow(before: number): void {
    const [had, has] = [this.#wholePages(before), this.#wholePages(this.#pages.extent)];
    const inside = this.#parts.filter(({ offset }) => offset < has);
    this.#parts = inside.map(({ offset, end, access }) => ({ offset, end: Math.min(end, has), access }));
    if (has <= had || this.at(had - 1).prot === this.prot) return;
    // The kernel gave them the protection of the last page.
    check(binding.mprotect(this.#pages.open(), had, has - had, this.prot), 'mprotect');
  }
}

function protectRemedy(access: Protection): (code: string) => string | undefined {
  if ((PROTECTION[access] & binding.PROT.EXEC) === 0) return readOnlyFile;
  return (code) =>
    code === 'EACCES' || code === 'EPERM' ? 'The file system is mounted without permission to run programs (noexec), or a security policy forbids executable memory' : undefined;
}

/** For a failed mprotect(2) that would permit writing. */
export function readOnlyFile(code: string): string | undefined {
  return code === 'EACCES' ? "The file is open for reading only: map it with access: 'read-write'" : undefined;
}
