// The way out of a failed call, for the end of its message. Runs only after a failure.
import { readFileSync } from 'node:fs';
import { binding } from './binding.js';

function readNumber(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1'));
  } catch {
    return NaN;
  }
}

function mappingCount(): number {
  return readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1;
}

/** Of the kernel's limit, what is left to the runtime. Twin of core/headroom.cc. */
const SHARE_OF_RUNTIME = 1 / 64;

/** Set if the process has as many mappings as the kernel, and memmap, let it have. */
function mappingLimit(): string | undefined {
  const limit = readNumber('/proc/sys/vm/max_map_count');
  // The count of lines may be off by the special mappings of the process.
  if (!(mappingCount() >= limit * (1 - SHARE_OF_RUNTIME) - 16)) return undefined;
  const [ranges = 0, closed = 0] = binding.census();
  const live = ranges - closed;
  return (
    `The process has reached vm.max_map_count (${limit}); ${live} of its mappings are live maps of memmap. ` +
    'Close those no longer needed, or raise the limit: sysctl -w vm.max_map_count=262144'
  );
}

function hugePagePool(size: number): string {
  const kilobytes = size / 1024;
  const pool = `/sys/kernel/mm/hugepages/hugepages-${kilobytes}kB`;
  const free = readNumber(`${pool}/free_hugepages`);
  if (Number.isNaN(free)) return `This kernel has no huge pages of ${kilobytes} kB`;
  return `The pool of ${kilobytes} kB huge pages has ${free} free. Enlarge it as root: echo N > ${pool}/nr_hugepages`;
}

/** For a failed mmap(2) or mremap(2) with these flags. */
export function mapRemedy(flags: number, hugePageSize?: number): (code: string) => string | undefined {
  const { MAP } = binding;
  return (code) => {
    if (code === 'ENOMEM' || code === 'ENOSPC') {
      if (hugePageSize !== undefined) return hugePagePool(hugePageSize);
      return mappingLimit() ?? 'Neither memory nor address space for a mapping of this length; noReserve: true skips the reservation of private memory';
    }
    // Node's name for EOPNOTSUPP: one number on Linux.
    if (code === 'ENOTSUP' && (flags & MAP.SYNC) !== 0) {
      return 'sync: true (MAP_SYNC) needs a file on a DAX file system over persistent memory';
    }
    if (code === 'EEXIST') {
      return 'The addresses are taken by memory that memmap did not map; reserve() gives addresses where fixed placement is safe';
    }
    if (code === 'EACCES') return 'Writing to the file needs a descriptor opened for reading and writing';
    if (code === 'ENODEV') return 'It has no pages to map; read it with fs.readFile() instead';
    if (code === 'EISDIR') return 'Only files can be mapped';
    if (code === 'EAGAIN') return lockLimit();
    if (code === 'EINVAL' && (flags & MAP.DROPPABLE) === MAP.DROPPABLE) {
      return 'droppable: true (MAP_DROPPABLE) needs Linux 6.11';
    }
    if (code === 'EPERM' && (flags & MAP.HUGETLB) !== 0) {
      return 'The process may not use huge pages; see vm.hugetlb_shm_group';
    }
    return undefined;
  };
}

function lockLimit(): string {
  const limit = /Max locked memory\s+(\S+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return `The process may lock RLIMIT_MEMLOCK = ${limit ?? 'unknown'} bytes; raise it with ulimit -l or LimitMEMLOCK=`;
}

/** For a failed mlock(2). */
export function lockRemedy(code: string): string | undefined {
  return code === 'ENOMEM' || code === 'EAGAIN' || code === 'EPERM' ? lockLimit() : undefined;
}

/** For a call that older kernels lack. */
export function since(kernel: string, what: string): (code: string) => string | undefined {
  return (code) =>
    code === 'EINVAL' || code === 'ENOSYS' || code === 'ENOTSUP'
      ? `${what} needs Linux ${kernel}, and memory it applies to`
      : undefined;
}

/** For a failed memfd_secret(2). */
export function secretRemedy(code: string): string | undefined {
  if (code !== 'ENOSYS') return undefined;
  return 'Secret memory needs Linux 5.14, and before 6.5 secretmem.enable=1 on its command line. Memory with lock() and advise(\'dontdump\') is the next best';
}

/** For a failed mseal(2). */
export function sealRemedy(code: string): string | undefined {
  // Our own answer, and Node's name for EOPNOTSUPP.
  if (code !== 'ENOTSUP') return since('6.10', 'mseal(2)')(code);
  return "Memory under a SharedArrayBuffer of this runtime cannot be sealed: the runtime must be able to free it. Use buffer: 'array'";
}
