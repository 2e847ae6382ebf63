// The words of the API and the kernel's numbers for them.
import { binding } from './binding.js';
import type { FeatureName } from './features.js';

const { PROT, MADV, MAP, MFD, MPOL } = binding;

/** What code may do with mapped memory: mprotect(2). */
export type Protection = 'none' | 'read' | 'read-write' | 'read-execute' | 'read-write-execute';
export const PROTECTION: Readonly<Record<Protection, number>> = {
  none: PROT.NONE,
  read: PROT.READ,
  'read-write': PROT.READ | PROT.WRITE,
  'read-execute': PROT.READ | PROT.EXEC,
  'read-write-execute': PROT.READ | PROT.WRITE | PROT.EXEC,
};

/** Advice that changes speed or bookkeeping, never the bytes this process sees. */
export type Hint =
  | 'normal' | 'random' | 'sequential' | 'willneed' | 'cold'
  | 'hugepage' | 'nohugepage' | 'mergeable' | 'unmergeable'
  | 'dontfork' | 'dofork' | 'dontdump' | 'dodump' | 'wipeonfork' | 'keeponfork';
export const HINT: Readonly<Record<Hint, number>> = {
  normal: MADV.NORMAL,
  random: MADV.RANDOM,
  sequential: MADV.SEQUENTIAL,
  willneed: MADV.WILLNEED,
  cold: MADV.COLD,
  hugepage: MADV.HUGEPAGE,
  nohugepage: MADV.NOHUGEPAGE,
  mergeable: MADV.MERGEABLE,
  unmergeable: MADV.UNMERGEABLE,
  dontfork: MADV.DONTFORK,
  dofork: MADV.DOFORK,
  dontdump: MADV.DONTDUMP,
  dodump: MADV.DODUMP,
  wipeonfork: MADV.WIPEONFORK,
  keeponfork: MADV.KEEPONFORK,
};

/** The type of `mapping.buffer`: a SharedArrayBuffer, or a detachable ArrayBuffer. */
export type BufferKind = 'shared' | 'array';
export const BUFFER_KIND: Readonly<Record<BufferKind, true>> = { shared: true, array: true };

/** `'2MB'`, `'1GB'`: huge pages from a pool. `'transparent'`: the kernel uses huge pages where it can. */
export type HugePages = '2MB' | '1GB' | 'transparent';
interface HugePageFlags {
  /** For mmap(2). */
  readonly map: number;
  /** For memfd_create(2). */
  readonly memfd: number;
  /** Bytes in a page of the pool. */
  readonly size?: number;
}
export const HUGE_PAGES: Readonly<Record<HugePages, HugePageFlags>> = {
  '2MB': { map: MAP.HUGETLB | MAP.HUGE_2MB, memfd: MFD.HUGETLB | MFD.HUGE_2MB, size: 2 ** 21 },
  '1GB': { map: MAP.HUGETLB | MAP.HUGE_1GB, memfd: MFD.HUGETLB | MFD.HUGE_1GB, size: 2 ** 30 },
  transparent: { map: 0, memfd: 0 },
};

/** How the kernel chooses the NUMA node of new pages: {@link MemoryPolicy.mode} explains each. */
export type PolicyMode =
  | 'default' | 'local' | 'preferred' | 'preferred-many' | 'bind' | 'interleave' | 'weighted-interleave';
interface Policing {
  /** MPOL_ in C. */
  readonly mode: number;
  /** How many nodes it names. */
  readonly nodes: 'none' | 'one' | 'some';
  readonly feature: FeatureName;
}
export const POLICY_MODE: Readonly<Record<PolicyMode, Policing>> = {
  default: { mode: MPOL.DEFAULT, nodes: 'none', feature: 'numa' },
  local: { mode: MPOL.LOCAL, nodes: 'none', feature: 'numa' },
  preferred: { mode: MPOL.PREFERRED, nodes: 'one', feature: 'numa' },
  'preferred-many': { mode: MPOL.PREFERRED_MANY, nodes: 'some', feature: 'preferredMany' },
  bind: { mode: MPOL.BIND, nodes: 'some', feature: 'numa' },
  interleave: { mode: MPOL.INTERLEAVE, nodes: 'some', feature: 'numa' },
  'weighted-interleave': { mode: MPOL.WEIGHTED_INTERLEAVE, nodes: 'some', feature: 'weightedInterleave' },
};
