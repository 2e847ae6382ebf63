// Which pages of a mapping are in memory, and in what state, from every source the kernel has:
// mincore(2), cachestat(2), /proc/self/pagemap and PAGEMAP_SCAN, move_pages(2).
import { check } from '../errors.js';
import { binding } from '../internal/binding.js';
import { parseList, readNumber, readText } from '../internal/kernel-files.js';
import type { Span } from '../internal/range.js';
import type { Pages } from './pages.js';

/**
 * `'exact'`: the kernel has looked. `'claimed'`: it calls pages resident without having looked,
 * because the process neither owns the file nor may write to it (Linux 5.2 and later).
 */
export type Trust = 'exact' | 'claimed';

/** Pages that are alike, one after the other. Undefined: this kernel does not tell. */
export interface ResidencyRun extends Span {
  /** In memory: reading them needs no disk. If {@link trust} is `'exact'`. */
  readonly resident: boolean;
  /** In the page tables of this process: touching them costs no fault either. */
  readonly mapped: boolean | undefined;
  /** In swap. Also `resident` while the swap cache still holds them. */
  readonly swapped: boolean | undefined;
  /** Changed, and not yet on the disk. Linux 6.5. */
  readonly dirty: boolean | undefined;
  /** On their way to the disk. Linux 6.5. */
  readonly writeback: boolean | undefined;
  /** Were in memory, and have been pushed out. Linux 6.5. */
  readonly evicted: boolean | undefined;
  /** So lately that the kernel would rather have kept them: memory is short. Linux 6.5. */
  readonly recentlyEvicted: boolean | undefined;
  /** Bytes of the huge page they are mapped by; 0 for ordinary pages. Of transparent ones Linux 6.7. */
  readonly hugeSize: number | undefined;
  /** The NUMA node they are on. Known of mapped pages, and where there is only one. */
  readonly node: number | undefined;
  readonly trust: Trust;
}

/** What of a range is in memory. All counts are pages. See {@link Mapping.residency}. */
export interface Residency {
  /** Bytes in a page of the machine, which is what is counted, of huge pages too. */
  readonly pageSize: number;
  /** Pages the range touches. */
  readonly pages: number;
  /** Of them in memory: a read of these needs no disk. */
  readonly resident: number;
  /** `'exact'` if all of the runs are. */
  readonly trust: Trust;
  readonly mapped: number | undefined;
  readonly swapped: number | undefined;
  readonly dirty: number | undefined;
  readonly writeback: number | undefined;
  readonly evicted: number | undefined;
  readonly recentlyEvicted: number | undefined;
  /** The whole range, ascending, without gaps; clipped to it. Bytes of the mapping. */
  readonly runs: readonly ResidencyRun[];
}

/** The file behind a mapping. */
export interface FileBehind {
  /** -1: there is none, or it cannot be opened. */
  readonly fd: number;
  /** Of the first page, bytes into the file. */
  readonly offset: number;
  /** Bytes in each of its pages, if it is on hugetlbfs. */
  readonly hugeSize?: number;
  /** There is a file, but it cannot be opened any more. */
  readonly lost?: boolean;
}

/** Bits of a state. Twin of core/residency.h. */
const BIT = {
  resident: 1, mapped: 2, swapped: 4, huge: 8, dirty: 16, writeback: 32, evicted: 64, recentlyEvicted: 128,
} as const;

/** Of no bytes everything is known. */
const NOTHING = new Float64Array([Object.values(BIT).reduce((all, bit) => all | bit, 0), 0]);

/** The node of all memory, if there is but one. */
function onlyNode(): number | undefined {
  const [node = 0, another] = parseList(readText('/sys/devices/system/node/has_memory') ?? '0');
  return another === undefined ? node : undefined;
}

/** Bytes in a transparent huge page that one page table entry maps. */
function transparentSize(): number {
  return readNumber('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size');
}

/** What the native call has found: known bits, whether residency is claimed, then the runs. */
class Found {
  readonly #numbers: Float64Array;
  readonly #known: number;
  readonly claimed: boolean;

  constructor(numbers: Float64Array, lost: boolean) {
    this.#numbers = numbers;
    [this.#known = 0] = numbers;
    // Without its file the kernel cannot be tested; but a page that is not there is the truth.
    this.claimed = numbers[1] !== 0 || (lost && !this.some((state) => (state & BIT.resident) === 0));
  }

  knows(bit: number): boolean {
    return (this.#known & bit) !== 0;
  }

  tell(state: number, bit: number): boolean | undefined {
    return this.knows(bit) ? (state & bit) !== 0 : undefined;
  }

  *runs(): Generator<{ size: number; state: number; node: number }, void, undefined> {
    for (let i = 2; i < this.#numbers.length; i += 3) {
      const [size = 0, state = 0, node = -1] = this.#numbers.subarray(i, i + 3);
      yield { size, state, node };
    }
  }

  some(is: (state: number) => boolean): boolean {
    for (const { state } of this.runs()) if (is(state)) return true;
    return false;
  }

  /** Pages with the bit; undefined if the kernel does not tell. */
  count(bit: number): number | undefined {
    if (!this.knows(bit)) return undefined;
    let bytes = 0;
    for (const { size, state } of this.runs()) if ((state & bit) !== 0) bytes += size;
    return bytes / binding.pageSize;
  }
}

/** The state of the pages that hold bytes [offset, offset + length) of the mapping. */
export function residency(pages: Pages, range: Span, file: FileBehind): Residency {
  const { pageSize } = binding;
  const handle = pages.open();
  const start = pages.byteOffset + range.offset;
  const from = start - (start % pageSize);
  const length = range.length === 0 ? 0 : start + range.length - from;
  const only = onlyNode();
  const numbers = length === 0 ? NOTHING : binding.residency(handle, from, length, file.fd, file.offset + from, only === undefined);
  const found = new Found(check(numbers, 'mincore'), file.lost === true);
  const hugeSize = file.hugeSize ?? (pages.pageSize === pageSize ? undefined : pages.pageSize);
  const transparent = found.some((state) => (state & BIT.huge) !== 0) ? transparentSize() : 0;

  const runs: ResidencyRun[] = [];
  const end = range.offset + range.length;
  let at = from - pages.byteOffset;
  for (const { size, state, node } of found.runs()) {
    const resident = (state & BIT.resident) !== 0;
    const huge = found.tell(state, BIT.huge);
    const offset = Math.max(at, range.offset);
    at += size;
    runs.push({
      offset,
      length: Math.min(at, end) - offset,
      resident,
      mapped: found.tell(state, BIT.mapped),
      swapped: found.tell(state, BIT.swapped),
      dirty: found.tell(state, BIT.dirty),
      writeback: found.tell(state, BIT.writeback),
      evicted: found.tell(state, BIT.evicted),
      recentlyEvicted: found.tell(state, BIT.recentlyEvicted),
      hugeSize: hugeSize ?? (huge === true ? transparent : huge === false ? 0 : undefined),
      node: node >= 0 ? node : resident ? only : undefined,
      trust: found.claimed && (state & BIT.mapped) === 0 ? 'claimed' : 'exact',
    });
  }
  return {
    pageSize,
    pages: Math.ceil(length / pageSize),
    resident: found.count(BIT.resident) ?? 0,
    trust: runs.some((run) => run.trust === 'claimed') ? 'claimed' : 'exact',
    mapped: found.count(BIT.mapped),
    swapped: found.count(BIT.swapped),
    dirty: found.count(BIT.dirty),
    writeback: found.count(BIT.writeback),
    evicted: found.count(BIT.evicted),
    recentlyEvicted: found.count(BIT.recentlyEvicted),
    runs,
  };
}
