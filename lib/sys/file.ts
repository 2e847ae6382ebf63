// System calls on the files behind mappings, 1:1.
import { binding } from '../internal/binding.js';
import { CallFacts } from '../internal/call-facts.js';
import { demandAccess } from '../internal/path.js';
import { missing } from '../internal/remedy.js';
import { invalidType, invalidValue, validateFd, validateInteger, validateOptions, validatePid } from '../internal/validate.js';
import { check } from '../internal/syscall.js';

const MAX_FLAGS = 2 ** 32 - 1;

/**
 * ftruncate(2): gives the file a length, in bytes. Accesses to a mapping of it past the new end fault.
 *
 * @throws {SystemError} EBADF, EINVAL, EFBIG, EPERM: a seal forbids it
 */
export function ftruncate(fd: number, length: number): void {
  validateFd(fd);
  validateInteger(length, 'length');
  check(binding.ftruncate(fd, length), 'ftruncate');
}

/**
 * fallocate(2): `mode` 0 allocates the bytes `offset` to `offset + length` and grows the file; FALLOC has the other modes.
 *
 * @throws {SystemError} ENOSPC, EOPNOTSUPP (Node: ENOTSUP) if the file system lacks the mode, EBADF, EINVAL
 */
export function fallocate(fd: number, mode: number, offset: number, length: number): void {
  validateFd(fd);
  validateInteger(mode, 'mode', 0, MAX_FLAGS);
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  check(binding.fallocate(fd, mode, offset, length), 'fallocate');
}

/**
 * posix_fadvise(2), Linux 2.6: gives an `advice` of FADV for a range of a file, in bytes; length 0: to the end.
 * Read permission is enough.
 *
 * DONTNEED drops clean, unused pages from the page cache, whole ones only: a page, or a larger folio, that
 * reaches past the range stays. It starts writing dirty pages, which stay. WILLNEED starts reading. NORMAL,
 * RANDOM, SEQUENTIAL and NOREUSE (which has an effect since Linux 6.3) apply to this open file, whatever the range.
 *
 * @throws {SystemError} EBADF; EINVAL for an unknown advice; ESPIPE for a pipe
 */
export function posix_fadvise(fd: number, offset: number, length: number, advice: number): void {
  validateFd(fd);
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  validateInteger(advice, 'advice', 0, MAX_FLAGS);
  check(binding.posixFadvise(fd, offset, length, advice), 'posix_fadvise');
}

/** Counts of pages of a file, from {@link cachestat}. */
export interface Cachestat {
  readonly cached: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly evicted: number;
  readonly recentlyEvicted: number;
}

/**
 * cachestat(2), Linux 6.5: counts the pages of a file in the page cache. `range` in bytes; length 0: to the end
 * of the file.
 *
 * @throws {SystemError} EPERM for a file that the process neither owns nor may write; ENOTSUP for a file in
 * persistent memory (DAX), which is in no page cache and would crash some kernels; ENOSYS on an older kernel
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

/**
 * memfd_create(2): a descriptor of a new, empty file in memory. `name` only appears in /proc. The caller closes it.
 *
 * @throws {SystemError} EMFILE, EINVAL for a name of more than 249 bytes or unknown flags
 */
export function memfd_create(name: string, flags: number = binding.MFD.CLOEXEC): number {
  validateName(name);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  return check(binding.memfdCreate(name, flags), 'memfd_create');
}

/**
 * memfd_secret(2), Linux 5.14: a descriptor of empty memory that the kernel itself does not
 * map. Give it a length with {@link ftruncate}, once. The caller closes it.
 *
 * @throws {SystemError} ENOSYS on an older kernel, or before 6.5 without secretmem.enable=1
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
 * shm_open(3): opens or creates the memory `name` in /dev/shm and returns a close-on-exec descriptor. `flags`
 * of `fs.constants`, such as O_RDWR | O_CREAT | O_EXCL. The caller closes it.
 *
 * @throws {SystemError} ENOENT, EEXIST, EACCES, EINVAL for a name with a slash inside
 */
export function shm_open(name: string, flags: number, mode = 0o600): number {
  validateName(name);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  validateInteger(mode, 'mode', 0, 0o7777);
  demandAccess(`/dev/shm/${name.replace(/^\/+/, '')}`, 'fs.read', 'fs.write');
  return check(binding.shmOpen(name, flags, mode), 'shm_open', { path: name });
}

/** shm_unlink(3): removes the name. The memory lives until the last process has closed and unmapped it. @throws {SystemError} ENOENT, EACCES */
export function shm_unlink(name: string): void {
  validateName(name);
  demandAccess(`/dev/shm/${name.replace(/^\/+/, '')}`, 'fs.write');
  check(binding.shmUnlink(name), 'shm_unlink', { path: name });
}

/**
 * fcntl(2) F_ADD_SEALS: forbids operations on a memfd for good, in every process. `seals` of F_SEAL.
 *
 * @throws {SystemError} EPERM if it takes no more seals, EBUSY for F_SEAL.WRITE while it is mapped writable, EINVAL
 */
export function fcntl_add_seals(fd: number, seals: number): void {
  validateFd(fd);
  validateInteger(seals, 'seals', 0, MAX_FLAGS);
  check(binding.addSeals(fd, seals), 'fcntl');
}

/** fcntl(2) F_GET_SEALS: the seals of a memfd, bits of F_SEAL. @throws {SystemError} EINVAL for a file that cannot have seals */
export function fcntl_get_seals(fd: number): number {
  validateFd(fd);
  return check(binding.getSeals(fd), 'fcntl');
}

/** pidfd_open(2), Linux 5.3: a descriptor of a process, for {@link process_madvise}. The caller closes it. @throws {SystemError} ESRCH */
export function pidfd_open(pid: number, flags = 0): number {
  validatePid(pid);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  return check(binding.pidfdOpen(pid, flags), 'pidfd_open');
}
