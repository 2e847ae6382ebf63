// System calls on mapped memory, 1:1. Lengths are bytes; the kernel checks alignment itself and
// returns EINVAL. Each call is described in its man page:
// https://man7.org/linux/man-pages/dir_section_2.html
import { isUint8Array } from '../internal/realms/kinds.js';
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

/**
 * mprotect(2): changes the protection of whole pages, flags of PROT. PROT.WRITE | PROT.EXEC needs `allowWriteExec`.
 *
 * @throws {SystemError} EACCES to make a file writable that is open for reading only; EINVAL if not page-aligned
 * @throws {TypeError} ERR_MEMMAP_WRITE_EXEC
 */
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

/** msync(2): writes changed pages to the file. MS.SYNC waits for the disk, MS.ASYNC does not; MS.INVALIDATE. @throws {SystemError} EIO, EBUSY, EINVAL */
export function msync(addr: Where, length: number | undefined, flags: number): void {
  onRange('msync', binding.msync, addr, length, flags);
}

/**
 * madvise(2): advises the kernel about whole pages, with an advice of MADV. Some destroy bytes: DONTNEED, FREE,
 * REMOVE, WIPEONFORK, GUARD_INSTALL.
 *
 * @throws {SystemError} EINVAL for an advice that this kernel does not know, and others
 */
export function madvise(addr: Where, length: number | undefined, advice: number): void {
  onRange('madvise', binding.madvise, addr, length, advice);
}

/** mlock(2): reads the pages into memory and keeps them there. @throws {SystemError} ENOMEM, EPERM, EAGAIN: RLIMIT_MEMLOCK */
export function mlock(addr: Where, length?: number): void {
  onRange('mlock', binding.mlock, addr, length, 0, lockRemedy);
}

/** mlock2(2), Linux 4.4: as {@link mlock}; with MLOCK.ONFAULT each page is locked when it is first touched. */
export function mlock2(addr: Where, length: number | undefined, flags: number): void {
  onRange('mlock2', binding.mlock2, addr, length, flags, lockRemedy);
}

/** munlock(2): undoes {@link mlock}. */
export function munlock(addr: Where, length?: number): void {
  onRange('munlock', binding.munlock, addr, length, 0);
}

/**
 * mlockall(2): locks all memory of the process, not only that of memmap: MCL.CURRENT, MCL.FUTURE, MCL.ONFAULT.
 *
 * V8 ends the process (`Check failed: 0 == ret`) when it discards memory of its own that is locked: seen on Node 20, 24 and 26,
 * within seconds or at exit, though not with each of the flags on each. Lock what matters with {@link mlock} or `Mapping.lock()` instead.
 *
 * @throws {SystemError} ENOMEM, EPERM
 */
export function mlockall(flags: number): void {
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  check(binding.mlockall(flags), 'mlockall', { remedy: lockRemedy });
}

/** munlockall(2): undoes {@link mlockall} and {@link mlock}, for all memory of the process. */
export function munlockall(): void {
  check(binding.munlockall(), 'munlockall');
}

/** mseal(2), Linux 6.10: until the process ends, munmap(), mprotect() and mremap() of the pages fail with EPERM. @throws {SystemError} ENOSYS on an older kernel */
export function mseal(addr: Where, length?: number, flags = 0): void {
  onRange('mseal', binding.mseal, addr, length, flags, sealRemedy);
}

/**
 * mincore(2): one byte per page, bit 0 set if the page is in memory. For a file that the process
 * neither owns nor may write, the kernel sets every bit. Fills `vec` if given, and returns it.
 */
export function mincore(addr: Where, length?: number, vec?: Uint8Array): Uint8Array {
  const range = locate(addr, length);
  const pages = Math.ceil(range.length / binding.pageSize);
  if (vec !== undefined && !isUint8Array(vec)) throw invalidType('vec', 'a Uint8Array', vec);
  // Before an array is made for pages that are not there.
  if (!binding.owns(range.target, 0, range.length)) check(NOT_OURS, 'mincore');
  const out = vec ?? new Uint8Array(pages);
  if (out.length < pages) throw outOfRange('vec.length', `>= ${pages}, one byte per page`, out.length);
  check(binding.mincore(range.target, 0, range.length, out), 'mincore');
  return out;
}

/** A range of the memory of a process, for {@link process_madvise}. */
export interface RemoteRange {
  readonly address: Where;
  /** Bytes. */
  readonly length: number;
}

const DESTRUCTIVE = new Set([
  MADV.DONTNEED, MADV.FREE, MADV.REMOVE, MADV.DONTNEED_LOCKED, MADV.HWPOISON, MADV.GUARD_INSTALL,
  // These take effect in a forked child, which cannot run with a heap or a stack wiped or missing.
  MADV.WIPEONFORK, MADV.DONTFORK,
]);

/**
 * process_madvise(2), Linux 5.10: gives an advice of MADV for memory of the process `pidfd`, in the addresses of
 * that process. Advice that destroys bytes is limited to memory that memmap mapped in this process.
 *
 * @returns bytes advised, which can be fewer than asked
 * @throws {SystemError} EPERM without the right to trace the process; EBADF, ESRCH, EINVAL
 * @throws {RangeError} ERR_MEMMAP_FOREIGN_ADDRESS
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
