// The pools of huge pages that mmap(2) MAP_HUGETLB takes from.
// https://docs.kernel.org/admin-guide/mm/hugetlbpage.html
import { hugePageFolder, hugePageSizes, kilobytesIn, onlineNodes, readNumber, readText } from '../../internal/kernel-files.js';

/** Huge pages of one size on one node, in pages. */
export interface NodeHugePages {
  /** The node's number. */
  readonly node: number;
  readonly total: number;
  readonly free: number;
  /** Pages of `total` beyond the pool's size: see {@link HugePagePool.overcommit}. */
  readonly surplus: number;
}

/** A pool of huge pages. All counts are pages of `size` bytes. */
export interface HugePagePool {
  /** Bytes in a page. */
  readonly size: number;
  /** Pages in the pool, including `surplus`. */
  readonly total: number;
  /** Unused pages, including `reserved`. */
  readonly free: number;
  /** Free pages promised to a mapping: a new mapping can get `free - reserved`, and what `overcommit` permits. */
  readonly reserved: number;
  /** Pages beyond the pool's size, which the kernel takes back when they are free. */
  readonly surplus: number;
  /** How many surplus pages the kernel may allocate, if there is memory: nr_overcommit_hugepages. */
  readonly overcommit: number;
  /** Where the pages are, by ascending node. One entry without NUMA. */
  readonly nodes: readonly NodeHugePages[];
  /** Whether this is the pool that MAP_HUGETLB without a size uses. */
  readonly default: boolean;
}

/**
 * The pools of huge pages of this machine now, by ascending size; empty on a kernel without
 * hugetlbfs. A control group may permit less: hugetlb.2MB.max.
 *
 * ```js
 * const pool = hugePagePools().find(({ size }) => size === 2 ** 21);
 * const available = pool === undefined ? 0 : pool.free - pool.reserved;
 * ```
 *
 * The numbers are read one after the other, so they may not match while other processes allocate
 * and free pages. Linux 2.6.27.
 */
export function hugePagePools(): HugePagePool[] {
  const standard = kilobytesIn(readText('/proc/meminfo') ?? '', 'Hugepagesize');
  const nodes = onlineNodes();
  return hugePageSizes().map((size) => {
    const folder = hugePageFolder(size);
    const { total, free, surplus } = counts(folder);
    return {
      size,
      total,
      free,
      surplus,
      reserved: readNumber(`${folder}/resv_hugepages`),
      overcommit: readNumber(`${folder}/nr_overcommit_hugepages`),
      nodes: nodes === undefined ? [{ node: 0, total, free, surplus }] : counted(nodes.map((node) => ({ node })), ({ node }) => hugePageFolder(size, node)),
      default: size === standard,
    };
  });
}

interface Counts {
  readonly total: number;
  readonly free: number;
  readonly surplus: number;
}

function counts(folder: string): Counts {
  return {
    total: readNumber(`${folder}/nr_hugepages`),
    free: readNumber(`${folder}/free_hugepages`),
    surplus: readNumber(`${folder}/surplus_hugepages`),
  };
}

/** Each of these with the counts of its folder, if that is there. */
function counted<Of extends object>(these: readonly Of[], folderOf: (one: Of) => string): (Of & Counts)[] {
  return these.map((one) => Object.assign(one, counts(folderOf(one)))).filter(({ total }) => !Number.isNaN(total));
}

/** The pools of one node, by ascending size. */
export function hugePagesOf(node: number): (Counts & { readonly size: number })[] {
  return counted(hugePageSizes().map((size) => ({ size })), ({ size }) => hugePageFolder(size, node));
}
