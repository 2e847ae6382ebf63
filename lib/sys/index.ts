// 'memmap/sys': the system calls, 1:1. Re-exports only.
export { StateError, SystemError, UnsupportedError } from '../errors.js';
export { FALLOC, MADV, MAP, MCL, MFD, MLOCK, MREMAP, MS, PAGE_SIZE, PROT } from './constants.js';
export {
  type Cachestat,
  cachestat,
  fallocate,
  ftruncate,
  memfd_create,
  pidfd_open,
} from './file.js';
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
export type { AnyBuffer, Where } from './where.js';
