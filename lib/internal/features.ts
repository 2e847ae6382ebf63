// What a kernel may lack, and its name. The kernel is asked each time and versions are never
// compared: features are ported back, compiled out, and forbidden by sandboxes.
import { binding } from './binding.js';

/** A feature that some kernels lack or some sandboxes forbid: a key of `features().supports`. */
export type FeatureName =
  | 'lockOnFault' | 'wipeOnFork' | 'fixedNoReplace' | 'cold' | 'pageOut' | 'populate' | 'discardLocked'
  | 'collapse' | 'guardPages' | 'poison' | 'remapKeeping' | 'remapKeepingFiles' | 'droppable' | 'seal' | 'secretMemory' | 'noExecSeal'
  | 'checkedCopy' | 'processAdvice' | 'cachestat' | 'pagemap' | 'pagemapScan' | 'mapsQuery'
  | 'multiFutex' | 'ringFutex' | 'numa' | 'preferredMany' | 'weightedInterleave' | 'homeNode';

interface Origin {
  /** The first kernel of kernel.org that has it. */
  readonly since: string;
  /** The call, as its man page names it. */
  readonly call: string;
  /** A further sentence for the error where it is missing. */
  readonly also?: string;
}

/** Twin of the table in core/probe.cc, which asks the kernel. */
export const ORIGIN: Readonly<Record<FeatureName, Origin>> = {
  lockOnFault: { since: '4.4', call: 'mlock2(2) MLOCK_ONFAULT' },
  wipeOnFork: { since: '4.14', call: 'madvise(2) MADV_WIPEONFORK' },
  fixedNoReplace: { since: '4.17', call: 'mmap(2) MAP_FIXED_NOREPLACE' },
  cold: { since: '5.4', call: 'madvise(2) MADV_COLD' },
  pageOut: { since: '5.4', call: 'madvise(2) MADV_PAGEOUT' },
  populate: { since: '5.14', call: 'madvise(2) MADV_POPULATE_READ' },
  discardLocked: { since: '5.18', call: 'madvise(2) MADV_DONTNEED_LOCKED' },
  collapse: { since: '6.1', call: 'madvise(2) MADV_COLLAPSE' },
  guardPages: { since: '6.13', call: 'madvise(2) MADV_GUARD_INSTALL' },
  poison: { since: '2.6.32', call: 'madvise(2) MADV_HWPOISON' },
  remapKeeping: { since: '5.7', call: 'mremap(2) MREMAP_DONTUNMAP' },
  remapKeepingFiles: { since: '5.13', call: 'mremap(2) MREMAP_DONTUNMAP of files' },
  droppable: { since: '6.11', call: 'mmap(2) MAP_DROPPABLE' },
  seal: { since: '6.10', call: 'mseal(2)' },
  secretMemory: {
    since: '5.14',
    call: 'memfd_secret(2)',
    also: "Before 6.5 it also takes secretmem.enable=1 on the kernel's command line. Memory with lock() and advise('dontdump') is the next best",
  },
  noExecSeal: { since: '6.3', call: 'memfd_create(2) MFD_NOEXEC_SEAL' },
  checkedCopy: { since: '3.2', call: 'process_vm_readv(2)' },
  processAdvice: { since: '5.10', call: 'process_madvise(2)' },
  cachestat: { since: '6.5', call: 'cachestat(2)' },
  pagemap: { since: '2.6.25', call: '/proc/self/pagemap' },
  pagemapScan: { since: '6.7', call: 'ioctl(2) PAGEMAP_SCAN' },
  mapsQuery: { since: '6.11', call: 'ioctl(2) PROCMAP_QUERY' },
  multiFutex: { since: '5.16', call: 'futex_waitv(2)' },
  ringFutex: { since: '6.7', call: 'io_uring(7) IORING_OP_FUTEX_WAIT' },
  numa: { since: '2.6.7', call: 'get_mempolicy(2)' },
  preferredMany: { since: '5.15', call: 'mbind(2) MPOL_PREFERRED_MANY' },
  weightedInterleave: { since: '6.9', call: 'mbind(2) MPOL_WEIGHTED_INTERLEAVE' },
  homeNode: { since: '5.17', call: 'set_mempolicy_home_node(2)' },
};

/** Error codes that kernels give for unknown calls, and sandboxes for forbidden ones. */
const REFUSALS: ReadonlySet<string> = new Set(['ENOSYS', 'EINVAL', 'ENOTTY', 'ENOTSUP', 'EPERM']);

/**
 * A sentence if the kernel lacks the feature, or forbids it, given the error `code` of a call
 * that wanted it. Undefined if the call failed for another reason.
 */
export function lacks(feature: FeatureName, code: string): string | undefined {
  if (!REFUSALS.has(code) || binding.probe(feature) === 0) return undefined;
  const { call, since, also } = ORIGIN[feature];
  return `This kernel, or a sandbox, does not offer ${call}: it needs Linux ${since}${also === undefined ? '' : `. ${also}`}`;
}
