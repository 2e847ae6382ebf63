// Which pages of a mapping are in memory, and in what state, from every source the kernel has:
// mincore(2), cachestat(2), /proc/self/pagemap and PAGEMAP_SCAN, move_pages(2).
import { binding } from '../internal/binding.js';
import { parseList, readNumber, readText } from '../internal/kernel-files.js';
import type { Span } from '../internal/range.js';
import type { Pages } from './pages.js';
import { check } from '../internal/syscall.js';

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

const BIT = binding.PAGE_STATE;

/** Of no bytes everything is known. */
const NOTHING = new Float64Array([Object.values(BIT).reduce((all, bit) => all | bit, 0), 0]);

/** How long the nodes are remembered, in ms: memory comes and goes, but who asks of many files asks of one moment. */
const NODES_LAST = 1000;

let [nodes, nodesRead]: [readonly number[], number] = [[], -Infinity];

/** The node of all memory, if there is but one. */
function onlyNode(): number | undefined {
  const now = performance.now();
  if (now - nodesRead > NODES_LAST) [nodes, nodesRead] = [parseList(readText('/sys/devices/system/node/has_memory') ?? '0'), now];
  const [node = 0, another] = nodes;
  return another === undefined ? node : undefined;
}

/** Bytes in a transparent huge page that one page table entry maps. */
function transparentSize(): number {
  return readNumber('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size');
}

/** Where the runs begin, and numbers of each. */
const RUNS = Object.keys(binding.FACTS.residency).length;
const FIELDS = Object.keys(binding.FACTS.run).length;
const { length: LENGTH, state: STATE, node: NODE } = binding.FACTS.run;

/** What the native call has found: known bits, whether residency is claimed, then the runs. */
class FoundPages {
  readonly #numbers: Float64Array;
  readonly #known: number;
  readonly claimed: boolean;

  constructor(numbers: Float64Array, lost: boolean) {
    this.#numbers = numbers;
    this.#known = numbers[binding.FACTS.residency.known] ?? 0;
    // Without its file the kernel cannot be tested; but a page that is not there is the truth.
    this.claimed = numbers[binding.FACTS.residency.faked] !== 0 || (lost && this.runs.every(({ state }) => (state & BIT.resident) !== 0));
  }

  tell(state: number, bit: number): boolean | undefined {
    return (this.#known & bit) === 0 ? undefined : (state & bit) !== 0;
  }

  get runs(): { readonly size: number; readonly state: number; readonly node: number }[] {
    const numbers = this.#numbers;
    const runs = [];
    for (let i = RUNS; i < numbers.length; i += FIELDS) {
      runs.push({ size: numbers[i + LENGTH] ?? 0, state: numbers[i + STATE] ?? 0, node: numbers[i + NODE] ?? -1 });
    }
    return runs;
  }

  /** Pages with the bit; undefined if the kernel does not tell. */
  count(bit: number): number | undefined {
    if ((this.#known & bit) === 0) return undefined;
    const numbers = this.#numbers;
    let bytes = 0;
    for (let i = RUNS; i < numbers.length; i += FIELDS) if (((numbers[i + STATE] ?? 0) & bit) !== 0) bytes += numbers[i + LENGTH] ?? 0;
    return bytes / binding.pageSize;
  }
}

/** What a native call was asked. */
interface Question {
  /** Bytes of the mapping, or of the file. */
  readonly range: Span;
  /** Of the range's first page: where it begins, in the same bytes. */
  readonly from: number;
  /** Bytes in each page of a mapping by huge pages of a pool. */
  readonly hugeSize?: number | undefined;
  /** There was a file, but it could not be asked. */
  readonly lost?: boolean;
}

function describe(numbers: Float64Array, { range, from, hugeSize, lost = false }: Question, only: number | undefined): Residency {
  const { pageSize } = binding;
  const found = new FoundPages(numbers, lost);
  const parts = found.runs;
  const transparent = parts.some(({ state }) => (state & BIT.huge) !== 0) ? transparentSize() : 0;
  const end = range.offset + range.length;
  const runs: ResidencyRun[] = [];
  let at = from;
  for (const { size, state, node } of parts) {
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
    pages: range.length === 0 ? 0 : Math.ceil((end - from) / pageSize),
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

/** The state of the pages that hold bytes [offset, offset + length) of the mapping. */
export function residency(pages: Pages, range: Span, file: FileBehind): Residency {
  const { pageSize } = binding;
  const handle = pages.open();
  const start = pages.byteOffset + range.offset;
  const from = start - (start % pageSize);
  const length = start + range.length - from;
  const only = onlyNode();
  const numbers = range.length === 0 ? NOTHING : binding.residency(handle, from, length, file.fd, file.offset + from, only === undefined);
  const hugeSize = file.hugeSize ?? (pages.pageSize === pageSize ? undefined : pages.pageSize);
  return describe(check(numbers, 'mincore'), { range, from: from - pages.byteOffset, hugeSize, lost: file.lost === true }, only);
}

/** Filled by the native call, read right after it. */
const facts = new Float64Array(1);

/**
 * The same of bytes [offset, offset + length) of a file that is not mapped, which takes a fifth of the time; length -1:
 * to its end. Undefined where it takes a mapping to answer, or to say why there is no answer.
 */
export function unmappedResidency(file: string | number, offset: number, length: number): Residency | undefined {
  const numbers = binding.residencyOf(file, offset, length, facts);
  if (typeof numbers === 'number') return undefined;
  const range = { offset, length: facts[0] ?? 0 };
  return describe(numbers, { range, from: offset - (offset % binding.pageSize) }, onlyNode());
}
