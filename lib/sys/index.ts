// 'memmap/sys': the system calls, 1:1. Re-exports only.
export { FaultError, StateError, SystemError, UnsupportedError } from '../errors.js';
export { FADV, FALLOC, F_SEAL, MADV, MAP, MCL, MFD, MLOCK, MPOL, MREMAP, MS, PAGE_SIZE, PROT } from './constants.js';
export {
  type Cachestat,
  cachestat,
  fallocate,
  fcntl_add_seals,
  fcntl_get_seals,
  ftruncate,
  memfd_create,
  memfd_secret,
  pidfd_open,
  posix_fadvise,
  shm_open,
  shm_unlink,
} from './file.js';
export { type FutexWaiter, futex_wait, futex_waitv, futex_wake } from './futex.js';
export {
  type RemoteRange,
  madvise,
  mincore,
  mlock,
  mlock2,
  mlockall,
  mprotect,
  mseal,
  msync,
  munlock,
  munlockall,
  process_madvise,
} from './memory.js';
export { type MmapOptions, mmap, mremap, munmap } from './mmap.js';
export {
  type Mempolicy,
  get_mempolicy,
  mbind,
  migrate_pages,
  move_pages,
  set_mempolicy,
  set_mempolicy_home_node,
} from './numa.js';
export type { AnyBuffer, Where } from './where.js';
