// Remedies of failed calls, for the end of their messages. Runs only after a failure.
import { binding } from './binding.js';
import { type FeatureName, lacks } from './features.js';
import {
  NODES,
  kilobytesIn,
  hugePageFolder,
  mappingCount,
  mappingLimit,
  memoryLockLimit,
  onlineNodes,
  readNumber,
  readText,
} from './kernel-files.js';

/** The share of the kernel's limit that memmap leaves to the runtime. */
const SHARE_OF_RUNTIME = 1 / binding.LIMIT.SHARE_OF_RUNTIME;

/** A sentence if the process has as many mappings as the kernel, and memmap, allow. */
function atMappingLimit(): string | undefined {
  const limit = mappingLimit();
  // Without /proc, or if it may not be read.
  if (Number.isNaN(limit)) return undefined;
  // The number of mappings may have changed since the call that failed.
  if (!(mappingCount() >= limit * (1 - SHARE_OF_RUNTIME) - 16)) return undefined;
  const counts = binding.census();
  const { census } = binding.FACTS;
  const live = (counts[census.live] ?? 0) - (counts[census.retired] ?? 0);
  return (
    `The process has reached vm.max_map_count (${limit}); ${live} of its mappings are live maps of memmap. ` +
    'Close those no longer needed, or raise the limit: sysctl -w vm.max_map_count=262144'
  );
}

/** Pages so large that the kernel rarely finds contiguous memory for them once the machine has been in use. */
const GIGANTIC = 2 ** 30;

function hasHugePages(size: number): boolean {
  return !Number.isNaN(readNumber(`${hugePageFolder(size)}/nr_hugepages`));
}

function hugePagePool(size: number): string {
  const kilobytes = size / 1024;
  const pool = hugePageFolder(size);
  const count = (name: string): number => readNumber(`${pool}/${name}_hugepages`);
  const free = count('free');
  const nodes = onlineNodes() ?? [];
  const there = `The pool of ${kilobytes} kB huge pages has ${count('nr')} pages: ${free} free, ${count('resv')} of them reserved. `;
  const command = `Enlarge it as root: echo N > ${pool}/nr_hugepages`;
  const onNode = nodes.length < 2 ? '' : `, or on one of the nodes ${nodes.join(', ')}: ${NODES}/nodeX/hugepages/hugepages-${kilobytes}kB/nr_hugepages`;
  const atBoot = size < GIGANTIC ? '' : `. Contiguous memory of that size is rare on a running machine: hugepagesz=${size / GIGANTIC}G hugepages=N on the kernel command line takes it at boot`;
  // If unreserved pages are free, the pool was not short, or not the only limit.
  const limit = free - count('resv') > 0 ? `. A control group may permit less: ${groupLimit(size)}` : '';
  return there + command + onNode + atBoot + limit;
}

/** The limit of huge pages that the process's control group may reserve, and its file. */
function groupLimit(size: number): string {
  const unit = size >= GIGANTIC ? `${size / GIGANTIC}GB` : size >= 2 ** 20 ? `${size / 2 ** 20}MB` : `${size / 1024}KB`;
  const name = `hugetlb.${unit}.rsvd.max`;
  const group = /^0::\/?(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1];
  const path = `/sys/fs/cgroup/${group}/${name}`;
  const value = group === undefined ? undefined : readText(path);
  return value === undefined || value.trim() === 'max' ? name : `${path} is ${value.trim()}`;
}

/** Errors that do not depend on the kind of pages. */
const OF_ANY_PAGES = new Set(['EPERM', 'EMFILE', 'ENFILE', 'EEXIST', 'EAGAIN', 'EACCES', 'EBADF']);

/** Whether the kernel reserves memory for such a mapping, and can be told not to. */
function reserves(flags: number): boolean {
  const { MAP } = binding;
  if ((flags & MAP.NORESERVE) !== 0 || readNumber('/proc/sys/vm/overcommit_memory') === NEVER_OVERCOMMIT) return false;
  return (flags & MAP.SHARED_VALIDATE) === MAP.PRIVATE || (flags & MAP.ANONYMOUS) !== 0;
}

/** Then the kernel ignores MAP_NORESERVE. */
const NEVER_OVERCOMMIT = 2;

/**
 * For a failed mmap(2) or mremap(2) with these flags. `prot`: what was to be permitted. `noReserve`: how the caller
 * asks for MAP_NORESERVE.
 */
export function mapRemedy(flags: number, hugePageSize?: number, prot?: number, noReserve = 'noReserve: true'): (code: string) => string | undefined {
  const { MAP } = binding;
  return (code) => {
    // The error code differs between kernels.
    if (hugePageSize !== undefined && !OF_ANY_PAGES.has(code) && !hasHugePages(hugePageSize)) {
      return `This kernel has no huge pages of ${hugePageSize / 1024} kB; features().hugePageSizes lists those it has`;
    }
    if (code === 'ENOMEM' || code === 'ENOSPC') {
      if (hugePageSize !== undefined) return hugePagePool(hugePageSize);
      if (code === 'ENOSPC') return FULL;
      const also = reserves(flags) ? `; ${noReserve} skips the reservation of memory` : '';
      return atMappingLimit() ?? `There is not enough memory or address space for a mapping of this length${also}`;
    }
    if (code === 'EMFILE' || code === 'ENFILE') return TOO_MANY_OPEN;
    // Node's name for EOPNOTSUPP: one number on Linux.
    if (code === 'ENOTSUP' && (flags & MAP.SYNC) !== 0) {
      return 'sync: true (MAP_SYNC) needs a file on a DAX file system over persistent memory';
    }
    if (code === 'EEXIST') {
      return 'The addresses hold memory that memmap did not map; reserve() gives addresses where fixed placement is safe';
    }
    if (code === 'EACCES') return descriptorRemedy(flags, prot);
    if (code === 'EFAULT') return 'Some of its pages have been unmapped: only whole memory can be resized, moved, or get a buffer';
    if (code === 'ENODEV') return 'This kind of file cannot be mapped; read it with fs.readFile() instead';
    if (code === 'EISDIR') return 'It is a directory; only files can be mapped';
    if (code === 'EAGAIN') return lockLimit();
    if (code === 'EPERM' && (flags & MAP.HUGETLB) !== 0) {
      return 'The process may not use huge pages; see vm.hugetlb_shm_group';
    }
    return undefined;
  };
}

/** How the descriptor must be open, for a failed mmap(2). */
function descriptorRemedy(flags: number, prot: number | undefined): string {
  const { MAP, PROT } = binding;
  const writes = prot !== undefined && (prot & PROT.WRITE) !== 0 && (flags & MAP.SHARED_VALIDATE) !== MAP.PRIVATE;
  return writes ? 'Writing to the file needs a descriptor opened for reading and writing' : 'The descriptor must be open for reading';
}

const FULL = 'The file system is full: df shows how much room it has';
const TOO_MANY_OPEN = 'Too many files are open: close some, or raise ulimit -n';

/** For a call that failed for want of descriptors. */
export function openFilesRemedy(code: string): string | undefined {
  return code === 'EMFILE' || code === 'ENFILE' ? TOO_MANY_OPEN : undefined;
}

/** For a failed fallocate(2), which grows a file. `hugePageSize`: of a file with huge pages. */
export function growRemedy(code: string, hugePageSize?: number): string | undefined {
  if ((code === 'ENOSPC' || code === 'ENOMEM') && hugePageSize !== undefined) return hugePagePool(hugePageSize);
  if (code === 'ENOSPC') return FULL;
  if (code === 'ENOMEM') return 'There is not enough memory for a file of this length in memory';
  if (code === 'EDQUOT') return "The owner's quota of the file system is used up: quota shows it";
  if (code === 'EFBIG') return 'The file system permits no files of this length, or ulimit -f does not';
  if (code === 'EBADF') return 'Growing the file needs a descriptor opened for reading and writing';
  if (code === 'EPERM') return 'A seal of the memory forbids growing it, or the file is immutable: lsattr shows it';
  return undefined;
}

/** How much the process may lock, and has locked. */
function lockLimit(): string {
  const limit = memoryLockLimit() ?? 'unknown';
  const locked = kilobytesIn(readText('/proc/self/status') ?? '', 'VmLck');
  const held = Number.isNaN(locked) ? '' : `, and has locked ${locked}`;
  return `The process may lock RLIMIT_MEMLOCK = ${limit} bytes${held}; raise it with ulimit -l or LimitMEMLOCK=`;
}

/** For a failed mlock(2). */
export function lockRemedy(code: string): string | undefined {
  // Only a limit of 0 forbids it altogether.
  if (code === 'EPERM') return `${lockLimit()}, or give it CAP_IPC_LOCK`;
  if (code === 'EAGAIN') return 'There is not enough memory to read these pages into';
  if (code !== 'ENOMEM') return undefined;
  if (!locksWithoutLimit()) return lockLimit();
  return atMappingLimit() ?? 'RLIMIT_MEMLOCK does not forbid it, but some of these pages cannot be read: the file may have become shorter, or memory has no access';
}

/** Whether the limit on locked memory does not apply to this process. */
function locksWithoutLimit(): boolean {
  if (memoryLockLimit() === 'unlimited') return true;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_IPC_LOCK) & 1n) === 1n;
}

const CAP_IPC_LOCK = 14n;

/** The remedy for a 1:1 call that the kernel lacks: the error stays the kernel's own. */
export function missing(feature: FeatureName): (code: string) => string | undefined {
  return (code) => lacks(feature, code);
}

/** For a failed msync(2). */
export function flushRemedy(code: string): string | undefined {
  if (code !== 'EINVAL') return undefined;
  return 'A device has no cache to flush; to make stores to persistent memory durable, map it with sync: true and call persist()';
}

/** For a failed mseal(2). */
export function sealRemedy(code: string): string | undefined {
  // Our own answer, and Node's name for EOPNOTSUPP.
  if (code !== 'ENOTSUP') return undefined;
  const remedy = binding.hasExternalBuffers() ? "Use buffer: 'array'" : 'Seal the mapping before it has a buffer, and use copyOut() and copyIn()';
  return `Memory under a SharedArrayBuffer of this runtime cannot be sealed: the runtime must be able to free it. ${remedy}`;
}
