// The calls on files that mappings are made of, 1:1.
import { binding } from '../internal/binding.js';
import { CallFacts } from '../internal/call-facts.js';
import { missing } from '../internal/remedy.js';
import { invalidType, invalidValue, validateFd, validateInteger, validateOptions, validatePid } from '../internal/validate.js';
import { check } from '../internal/syscall.js';

const MAX_FLAGS = 2 ** 32 - 1;

/** ftruncate(2). Bytes. Views past the new end of a mapped file must not be touched. */
export function ftruncate(fd: number, length: number): void {
  validateFd(fd);
  validateInteger(length, 'length');
  check(binding.ftruncate(fd, length), 'ftruncate');
}

/** fallocate(2). `mode` 0 allocates and grows; others are in FALLOC. Bytes. */
export function fallocate(fd: number, mode: number, offset: number, length: number): void {
  validateFd(fd);
  validateInteger(mode, 'mode', 0, MAX_FLAGS);
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  check(binding.fallocate(fd, mode, offset, length), 'fallocate');
}

/**
 * posix_fadvise(2), Linux 2.6: `advice` of FADV about a range of a file, for which permission to read is
 * enough. Bytes; length 0: to the end of the file. DONTNEED pushes pages out of memory that are clean and in no
 * use, and only whole ones: a page, or a larger folio, that reaches out of the range stays. Of changed pages it
 * starts the writing, and leaves them. WILLNEED starts to read in. NORMAL, RANDOM and SEQUENTIAL are about this
 * open file, whatever the range; so is NOREUSE, which does something since Linux 6.3. EBADF; EINVAL for
 * an unknown advice; ESPIPE for pipes.
 */
export function posix_fadvise(fd: number, offset: number, length: number, advice: number): void {
  validateFd(fd);
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  validateInteger(advice, 'advice', 0, MAX_FLAGS);
  check(binding.posixFadvise(fd, offset, length, advice), 'posix_fadvise');
}

/** Pages of a file in the page cache. */
export interface Cachestat {
  readonly cached: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly evicted: number;
  readonly recentlyEvicted: number;
}

/**
 * cachestat(2), Linux 6.5. `range` in bytes; length 0: to the end of the file. EPERM for
 * a file that the process neither owns nor may write. ENOTSUP for files in persistent memory
 * (DAX), which would crash the kernel: they are in no page cache.
 */
export function cachestat(
  fd: number,
  range: { readonly offset?: number; readonly length?: number } = {},
  flags = 0,
): Cachestat {
  validateFd(fd);
  validateOptions<typeof range>(range, ['offset', 'length'], 'range');
  const { offset = 0, length = 0 } = range;
  validateInteger(offset, 'range.offset');
  validateInteger(length, 'range.length');
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const counts = new CallFacts(binding.FACTS.cachestat);
  check(binding.cachestat(fd, offset, length, flags, counts.numbers), 'cachestat', { remedy: missing('cachestat') });
  return {
    cached: counts.get('cached'),
    dirty: counts.get('dirty'),
    writeback: counts.get('writeback'),
    evicted: counts.get('evicted'),
    recentlyEvicted: counts.get('recentlyEvicted'),
  };
}

/** memfd_create(2): a descriptor of a new, empty, nameless file in memory. The caller closes it. */
export function memfd_create(name: string, flags: number = binding.MFD.CLOEXEC): number {
  validateName(name);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  return check(binding.memfdCreate(name, flags), 'memfd_create');
}

/**
 * memfd_secret(2), Linux 5.14: a descriptor of empty memory that the kernel itself does not
 * map. Give it a length with ftruncate(), once. The caller closes it.
 */
export function memfd_secret(flags: number = binding.O.CLOEXEC): number {
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  return check(binding.memfdSecret(flags), 'memfd_secret', { remedy: missing('secretMemory') });
}

function validateName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw invalidType('name', 'of type string', name);
  if (name.includes('\0')) throw invalidValue('name', 'must be a name without null bytes', name);
}

/**
 * shm_open(3): a descriptor, close-on-exec, of the memory `name` in /dev/shm. `flags` as in
 * `fs.constants`: O_RDWR | O_CREAT | O_EXCL. The caller closes it.
 */
export function shm_open(name: string, flags: number, mode = 0o600): number {
  validateName(name);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  validateInteger(mode, 'mode', 0, 0o7777);
  return check(binding.shmOpen(name, flags, mode), 'shm_open', { path: name });
}

/** shm_unlink(3): removes the name. The memory lives on while somebody has it. */
export function shm_unlink(name: string): void {
  validateName(name);
  check(binding.shmUnlink(name), 'shm_unlink', { path: name });
}

/** fcntl(2) F_ADD_SEALS: what nobody may do to a memfd any more. `seals` of F_SEAL. */
export function fcntl_add_seals(fd: number, seals: number): void {
  validateFd(fd);
  validateInteger(seals, 'seals', 0, MAX_FLAGS);
  check(binding.addSeals(fd, seals), 'fcntl');
}

/** fcntl(2) F_GET_SEALS. EINVAL for what knows no seals. */
export function fcntl_get_seals(fd: number): number {
  validateFd(fd);
  return check(binding.getSeals(fd), 'fcntl');
}

/** pidfd_open(2), Linux 5.3: a descriptor of a process, for process_madvise(). The caller closes it. */
export function pidfd_open(pid: number, flags = 0): number {
  validatePid(pid);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  return check(binding.pidfdOpen(pid, flags), 'pidfd_open');
}
