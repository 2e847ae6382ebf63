// Guarded: memory whose accesses may fail, and what one can do about it.
import { type FaultErrorKind } from '../errors.js';
import { type Handle, binding } from '../internal/binding.js';
import { PROTECTION, type Protection } from '../internal/literals.js';
import type { Range } from '../internal/range.js';
import { type OURS, validateBoolean, validateFunction, validateOptions, validateOurs, validateWord } from '../internal/validate.js';
import { copyIn, copyOut } from './copy.js';
import type { Fault, Faults } from './faults.js';
import { maps } from './maps.js';
import { Pages, type PagesOptions } from './pages.js';
import { check } from '../internal/syscall.js';

const { MAP } = binding;

const EVENTS = { fault: true };

/** What code may do with a mapping's bytes. */
export type Access = Protection | 'copy-on-write';

/** The base of {@link Mapping}: who may do what with the bytes, and what came of it. */
export abstract class Guarded {
  /** @internal */
  readonly pages: Pages;
  #access: Access;
  /** What `protect()` did to parts, oldest first. */
  #protected: { readonly offset: number; readonly end: number; readonly prot: number }[] = [];

  /** @internal */
  constructor(key: typeof OURS, pages: PagesOptions, access: Access) {
    validateOurs(key);
    this.pages = new Pages({ ...pages });
    this.#access = access;
  }

  /** What the bytes allow now; `protect()` over the whole mapping changes it. */
  get access(): Access {
    return this.#access;
  }

  /**
   * Changes what code may do with whole pages: mprotect(2). Memory both writable and
   * executable is refused unless `allowWriteExec` is set.
   *
   * @throws {SystemError} EACCES to make writable what was mapped from a read-only file
   */
  protect(access: Protection, range?: Range, options: { readonly allowWriteExec?: boolean } = {}): void {
    validateWord(access, 'access', PROTECTION);
    validateOptions(options, ['allowWriteExec']);
    if (options.allowWriteExec !== undefined) validateBoolean(options.allowWriteExec, 'options.allowWriteExec');
    refuseWriteExec(access, options.allowWriteExec);
    const { offset, length } = this.pages.exact(range);
    const handle = this.pages.settled();
    if (length === 0) return;
    this.permit(access);
    this.repair();
    const prot = PROTECTION[access];
    check(binding.mprotect(handle, offset, length, prot), 'mprotect', { remedy: readOnlyFile });
    const end = offset + length;
    this.#protected = this.#protected.filter((part) => part.offset < offset || part.end > end);
    if (length === this.pages.extent) {
      const keeps = this.#access === 'copy-on-write' && access === 'read-write';
      this.#access = keeps ? 'copy-on-write' : access;
    } else {
      this.#protected.push({ offset, end, prot });
    }
  }

  /**
   * How often an access met something the guard had to fix up, since the mapping was made.
   * Counts go on after `close()`, of views that are left.
   */
  get faults(): Faults {
    const faults = { ...this.pages.log.faults };
    for (const piece of this.pieces()) {
      for (const [kind, count] of Object.entries(piece.faults)) faults[kind as keyof Faults] += count;
    }
    return faults;
  }

  /**
   * Throws if what was read through the mapping may not be what it should be. It goes on
   * throwing until `refresh()` or `protect()` has put the pages right. Costs a load from
   * memory while nothing is wrong: call it after each batch of reads.
   *
   * It knows of faults that have happened. Of a file that shrank where nobody has looked since, and
   * of system calls that got EFAULT for a view, it knows nothing: `size()` and `refresh()` ask the file.
   *
   * @throws {StateError} ERR_MEMMAP_DETACHED if another buffer has taken the memory of `buffer`
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, ERR_MEMMAP_NO_SPACE, ERR_MEMMAP_MEMORY_FAILURE,
   * ERR_MEMMAP_READ_ONLY, ERR_MEMMAP_NO_ACCESS
   */
  check(): void {
    this.pages.open();
    this.pages.refuseDetached();
    this.pages.log.check();
    for (const piece of this.pieces()) piece.check();
  }

  /**
   * Calls `listener` after faults of this mapping, on whatever thread they were: once for all
   * of a kind that came together. Does not keep the process, or the mapping, alive.
   *
   * @throws {SystemError} EAGAIN if the thread that tells of them cannot be started
   */
  on(event: 'fault', listener: (fault: Fault) => void): this {
    validateWord(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.pages.open();
    this.pages.log.on(listener);
    return this;
  }

  /** Undoes {@link on}. Works after `close()`. */
  off(event: 'fault', listener: (fault: Fault) => void): this {
    validateWord(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.pages.log.off(listener);
    return this;
  }

  /**
   * Copies bytes out of the mapping, without a signal whatever happens to the memory: what
   * cannot be had is an error here, not a fault of a view. Needs no buffer, and goes on when one
   * was taken. process_vm_readv(2).
   *
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, with the `offset` it got to
   */
  copyOut(offset: number, length: number): Buffer {
    return copyOut(this, offset, length);
  }

  /**
   * Copies `bytes` into the mapping, as {@link copyOut} does out of it. process_vm_writev(2).
   *
   * @throws {FaultError} ERR_MEMMAP_READ_ONLY if the mapping is not to be written
   */
  copyIn(offset: number, bytes: Uint8Array): void {
    copyIn(this, offset, bytes);
  }

  /** @internal Throws if the memory may not have this access, though the kernel would give it. */
  protected permit(_access: Protection): void {}

  /** @internal Mappings of parts, where the whole is too long for one buffer. */
  protected pieces(): readonly Guarded[] {
    return [];
  }

  /** @internal Memory that the kernel does not copy for anybody: memfd_secret(2). */
  get secret(): boolean {
    return false;
  }

  /** @internal Bytes of the mapping that have memory or a file behind them now. */
  backed(): number {
    return this.pages.length;
  }

  /** @internal Why memory that is there and may be used cannot be reached. */
  unreachable(writes: boolean, offset: number): FaultErrorKind {
    const { pages } = this;
    const [entry] = maps({ at: pages.address + BigInt(offset) }).mappings;
    if (entry === undefined || !(writes ? entry.writable : entry.readable)) return 'no-access';
    return pages.pageSize === binding.pageSize ? 'memory-failure' : 'no-space';
  }

  /** @internal The protection at a byte, counted from the first page, and up to where it is the same. */
  protectionAt(offset: number): { readonly prot: number; readonly end: number } {
    const part = this.#protected.findLast((one) => one.offset <= offset && offset < one.end);
    let end = part?.end ?? this.pages.extent;
    for (const other of this.#protected) if (other.offset > offset) end = Math.min(end, other.offset);
    return { prot: part?.prot ?? this.prot, end };
  }

  /** @internal Puts pages that the guard has replaced back in place. */
  repair(): void {
    for (const piece of this.pieces()) piece.repair();
    const { pages } = this;
    if (pages.fixedUp === -1) return;
    const prot = this.prot;
    const handle = pages.settled();
    // What other threads meet from here on may come after the repair.
    const counts = pages.log.counted();
    // What strays took is back without the file; what it has lost, or nobody could keep, comes from there.
    check(binding.restore(handle, -1, 0, prot, 0, false), 'mprotect');
    if (pages.fixedUp !== -1) this.restore(handle, prot);
    for (const part of this.#protected) {
      check(binding.mprotect(pages.open(), part.offset, part.end - part.offset, part.prot), 'mprotect');
    }
    pages.log.forgive(counts);
  }

  /** @internal The protection of the whole, but for parts that were protected apart. */
  get prot(): number {
    return PROTECTION[this.#access === 'copy-on-write' ? 'read-write' : this.#access];
  }

  /** @internal Takes the right pages back into the mapping. */
  protected restore(handle: Handle, prot: number): void {
    check(binding.restore(handle, this.pages.descriptor, 0, prot, MAP.SHARED, false), 'mmap');
  }
}

/** The way out of a failed mprotect(2). */
export function readOnlyFile(code: string): string | undefined {
  return code === 'EACCES' ? "The file is open for reading only: map it with access: 'read-write'" : undefined;
}

/** Code that one can write and then run is an attacker's wish: only by name. */
export function refuseWriteExec(access: Access, allowed: boolean | undefined): void {
  if (access !== 'read-write-execute' || allowed === true) return;
  throw Object.assign(
    new TypeError('Memory that is both writable and executable needs allowWriteExec: true'),
    { code: 'ERR_MEMMAP_WRITE_EXEC' },
  );
}

