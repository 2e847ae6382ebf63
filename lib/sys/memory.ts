// The calls on memory that is mapped, 1:1. Offsets and lengths are bytes; what the kernel
// demands of them it says itself, as EINVAL. Each is described in its man page:
// https://man7.org/linux/man-pages/dir_section_2.html
import { type Target, binding } from '../internal/binding.js';
import { lockRemedy, sealRemedy } from '../internal/remedy.js';
import {
  invalidType,
  outOfRange,
  validateBoolean,
  validateInteger,
  validateOptions,
  validateFd,
} from '../internal/validate.js';
import { validateProt } from './mmap.js';
import { type Where, addressOf, locate } from './where.js';
import { NOT_OURS, check } from '../internal/syscall.js';

const { MADV } = binding;
const MAX_FLAGS = 2 ** 32 - 1;

type Call = (target: Target, offset: number, length: number, flags: number) => number;
type Remedy = (code: string) => string | undefined;

function onRange(name: string, call: Call, addr: Where, length: number | undefined, flags: number, remedy?: Remedy): void {
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const range = locate(addr, length);
  check(call(range.target, 0, range.length, flags), name, remedy === undefined ? {} : { remedy });
}

/** mprotect(2). PROT.WRITE | PROT.EXEC must be permitted. */
export function mprotect(
  addr: Where,
  length: number | undefined,
  prot: number,
  options: { readonly allowWriteExec?: boolean | undefined } = {},
): void {
  validateInteger(prot, 'prot', 0, MAX_FLAGS);
  validateOptions(options, ['allowWriteExec']);
  if (options.allowWriteExec !== undefined) validateBoolean(options.allowWriteExec, 'options.allowWriteExec');
  validateProt(prot, options.allowWriteExec);
  onRange('mprotect', binding.mprotect, addr, length, prot);
}

/** msync(2): MS.SYNC or MS.ASYNC, and MS.INVALIDATE. */
export function msync(addr: Where, length: number | undefined, flags: number): void {
  onRange('msync', binding.msync, addr, length, flags);
}

/** madvise(2). Some of MADV destroy bytes: DONTNEED, FREE, REMOVE, WIPEONFORK, GUARD_INSTALL. */
export function madvise(addr: Where, length: number | undefined, advice: number): void {
  onRange('madvise', binding.madvise, addr, length, advice);
}

/** mlock(2). */
export function mlock(addr: Where, length?: number): void {
  onRange('mlock', binding.mlock, addr, length, 0, lockRemedy);
}

/** mlock2(2), Linux 4.4: with MLOCK.ONFAULT pages are locked as they are touched. */
export function mlock2(addr: Where, length: number | undefined, flags: number): void {
  onRange('mlock2', binding.mlock2, addr, length, flags, lockRemedy);
}

/** munlock(2). */
export function munlock(addr: Where, length?: number): void {
  onRange('munlock', binding.munlock, addr, length, 0);
}

/** mlockall(2): MCL.CURRENT, MCL.FUTURE, MCL.ONFAULT. The whole process, not only our maps. */
export function mlockall(flags: number): void {
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  check(binding.mlockall(flags), 'mlockall', { remedy: lockRemedy });
}

/** munlockall(2). */
export function munlockall(): void {
  check(binding.munlockall(), 'munlockall');
}

/** mseal(2), Linux 6.10. For the rest of the process's life: munmap() is EPERM then. */
export function mseal(addr: Where, length?: number, flags = 0): void {
  onRange('mseal', binding.mseal, addr, length, flags, sealRemedy);
}

/**
 * mincore(2): one byte a page, bit 0 set if it is in memory. For a file that the process
 * neither owns nor may write, the kernel says so of every page.
 */
export function mincore(addr: Where, length?: number, vec?: Uint8Array): Uint8Array {
  const range = locate(addr, length);
  const pages = Math.ceil(range.length / binding.pageSize);
  if (vec !== undefined && !(vec instanceof Uint8Array)) throw invalidType('vec', 'a Uint8Array', vec);
  const out = vec ?? new Uint8Array(pages);
  if (out.length < pages) throw outOfRange('vec.length', `>= ${pages}, one byte a page`, out.length);
  check(binding.mincore(range.target, 0, range.length, out), 'mincore');
  return out;
}

/** A range of a process's memory. */
export interface RemoteRange {
  readonly address: Where;
  /** Bytes. */
  readonly length: number;
}

const DESTRUCTIVE = new Set([
  MADV.DONTNEED, MADV.FREE, MADV.REMOVE, MADV.DONTNEED_LOCKED, MADV.HWPOISON, MADV.GUARD_INSTALL,
  // Of a forked child: it has no use for a heap or a stack that is wiped or missing.
  MADV.WIPEONFORK, MADV.DONTFORK,
]);

/**
 * process_madvise(2), Linux 5.10: advice about the memory of the process behind `pidfd`, in
 * its addresses. What destroys bytes is limited to memory that memmap mapped here.
 *
 * @returns bytes advised, which can be fewer than asked
 */
export function process_madvise(pidfd: number, ranges: readonly RemoteRange[], advice: number, flags = 0): number {
  validateFd(pidfd, 'pidfd');
  if (!Array.isArray(ranges)) throw invalidType('ranges', 'an array of { address, length }', ranges);
  validateInteger(advice, 'advice', 0, MAX_FLAGS);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const numbers = new BigUint64Array(ranges.length * 2);
  for (const [i, range] of (ranges as RemoteRange[]).entries()) {
    validateOptions<RemoteRange>(range, ['address', 'length'], `ranges[${i}]`);
    const { address, length } = range;
    validateInteger(length, `ranges[${i}].length`);
    const start = addressOf(address);
    if (DESTRUCTIVE.has(advice) && !binding.owns(start, 0, length)) check(NOT_OURS, 'process_madvise');
    numbers[i * 2] = start;
    numbers[i * 2 + 1] = BigInt(length);
  }
  return check(binding.processMadvise(pidfd, numbers, advice, flags), 'process_madvise');
}
