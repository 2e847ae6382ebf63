// The kernel's flags by their C names without the prefix: PROT.READ is PROT_READ. The numbers
// come from the system's headers.
import { type Binding, binding } from '../internal/binding.js';

/** Protection: mmap(2), mprotect(2). */
export const PROT: Binding['PROT'] = binding.PROT;
/** Flags of mmap(2). */
export const MAP: Binding['MAP'] = binding.MAP;
/** Flags of msync(2). */
export const MS: Binding['MS'] = binding.MS;
/** Advice: madvise(2). */
export const MADV: Binding['MADV'] = binding.MADV;
/** Flags of mremap(2). */
export const MREMAP: Binding['MREMAP'] = binding.MREMAP;
/** Flags of mlock2(2). */
export const MLOCK: Binding['MLOCK'] = binding.MLOCK;
/** Flags of mlockall(2). */
export const MCL: Binding['MCL'] = binding.MCL;
/** Flags of memfd_create(2). */
export const MFD: Binding['MFD'] = binding.MFD;
/** Modes and flags of memory policies: set_mempolicy(2), get_mempolicy(2), mbind(2), move_pages(2). */
export const MPOL: Binding['MPOL'] = binding.MPOL;
/** Modes of fallocate(2): FALLOC_FL_ in C. */
export const FALLOC: Binding['FALLOC'] = binding.FALLOC;
/** Advice: posix_fadvise(2). POSIX_FADV_ in C. */
export const FADV: Binding['FADV'] = binding.FADV;
/** Seals of memfds: fcntl(2) F_ADD_SEALS. */
export const F_SEAL: Binding['F_SEAL'] = binding.F_SEAL;
/** Bytes in a page of this machine. */
export const PAGE_SIZE: number = binding.pageSize;
