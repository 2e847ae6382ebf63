// Which pages of a mapping are in memory, and in what state, from every source the kernel has:
// mincore(2), cachestat(2), /proc/self/pagemap and PAGEMAP_SCAN, move_pages(2).
import { type NativeFile, binding } from '../internal/binding.js';
import { parseList, readNumber, readText } from '../internal/kernel-files.js';
import type { Span } from '../internal/range.js';
import type { Pages } from './pages.js';
import { check } from '../internal/syscall.js';

/**
 * `'exact'`: the kernel has looked. `'claimed'`: it reports pages as resident without having looked,
 * because the process neither owns the file nor may write to it (Linux 5.2 and later).
 */
export type Trust = 'exact' | 'claimed';

/** Consecutive pages in the same state. A field is undefined if this kernel does not report it. */
export interface ResidencyRun extends Span {
  /** In memory, so that reading them needs no disk. Reliable if {@link trust} is `'exact'`. */
  readonly resident: boolean;
  /** In the page tables of this process, so that accesses cost no page fault either. */
  readonly mapped: boolean | undefined;
  /** In swap. Also `resident` while the swap cache still holds them. */
  readonly swapped: boolean | undefined;
  /** Changed, and not yet on the disk. Linux 6.5. */
  readonly dirty: boolean | undefined;
  /** Being written to the disk. Linux 6.5. */
  readonly writeback: boolean | undefined;
  /** Were in memory, and were pushed out. Linux 6.5. */
  readonly evicted: boolean | undefined;
  /** Were pushed out so recently that memory is short: the kernel would have kept them otherwise. Linux 6.5. */
  readonly recentlyEvicted: boolean | undefined;
  /** Bytes of the huge page that maps them; 0 for ordinary pages. Transparent huge pages are reported since Linux 6.7. */
  readonly hugeSize: number | undefined;
  /** The NUMA node they are on. Known for mapped pages, and on machines with one node. */
  readonly node: number | undefined;
  /** Whether `resident` is reliable. */
  readonly trust: Trust;
}

/** Which pages of a range are in memory. Counts are pages, undefined if the kernel does not report them. See {@link Mapping.residency}. */
export interface Residency {
  /** Bytes in a page of the machine, the unit of the counts, also for huge pages. */
  readonly pageSize: number;
  /** Pages that the range touches. */
  readonly pages: number;
  /** Pages in memory, so that reading them needs no disk. */
  readonly resident: number;
  /** `'exact'` if all of the runs are. */
  readonly trust: Trust;
  readonly mapped: number | undefined;
  readonly swapped: number | undefined;
  readonly dirty: number | undefined;
  readonly writeback: number | undefined;
  readonly evicted: number | undefined;
  readonly recentlyEvicted: number | undefined;
  /** The state of the whole range, ascending and without gaps, clipped to the range. Offsets and lengths are bytes of the mapping. */
  readonly runs: readonly ResidencyRun[];
}

/** The file behind a mapping. */
export interface FileBehind {
  /** -1: there is none, or it cannot be opened. */
  readonly fd: number;
  /** Where the first page lies: bytes into the file. */
  readonly offset: number;
  /** Bytes in each of its pages, if it is on hugetlbfs. */
  readonly hugeSize?: number;
  /** There is a file, but it cannot be opened any more. */
  readonly lost?: boolean;
}

const BIT = binding.PAGE_STATE;

/** The result for an empty range: all bits known, and no runs. */
const NOTHING = new Float64Array([Object.values(BIT).reduce((all, bit) => all | bit, 0), 0]);

/** How long the nodes are cached, in ms: memory comes and goes, but many calls in a row need to read it only once. */
const NODES_LAST = 1000;

let [nodes, nodesRead]: [readonly number[], number] = [[], -Infinity];

/** The node of all memory, if there is only one. */
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

/** Where the runs begin, and how many numbers each has. */
const RUNS = Object.keys(binding.FACTS.residency).length;
const FIELDS = Object.keys(binding.FACTS.run).length;
const { length: LENGTH, state: STATE, node: NODE } = binding.FACTS.run;

/** What a native call found of a range. */
export interface FoundRuns {
  /** Has FACTS.run of each run, from `start` up to, but without, `end`. */
  readonly numbers: Float64Array;
  readonly start: number;
  readonly end: number;
  /** The bits of PAGE_STATE that the kernel reported. */
  readonly known: number;
  /** Whether residency is only claimed. */
  readonly faked: boolean;
}

/** The result of residency(): known bits, whether residency is claimed, then the runs. */
function foundIn(numbers: Float64Array): FoundRuns {
  const { known, faked } = binding.FACTS.residency;
  return { numbers, start: RUNS, end: numbers.length, known: numbers[known] ?? 0, faked: numbers[faked] !== 0 };
}

/** Whether residency is only claimed. Without the file that cannot be tested; but if a page is missing, the kernel has looked. */
function isClaimed({ numbers, start, end, faked }: FoundRuns, lost: boolean): boolean {
  if (faked || !lost) return faked;
  for (let at = start; at < end; at += FIELDS) if (((numbers[at + STATE] ?? 0) & BIT.resident) === 0) return false;
  return true;
}

function tell(known: number, state: number, bit: number): boolean | undefined {
  return (known & bit) === 0 ? undefined : (state & bit) !== 0;
}

/** How many pages have the bit; undefined if the kernel does not report it. */
function count({ numbers, start, end, known }: FoundRuns, bit: number): number | undefined {
  if ((known & bit) === 0) return undefined;
  let bytes = 0;
  for (let at = start; at < end; at += FIELDS) if (((numbers[at + STATE] ?? 0) & bit) !== 0) bytes += numbers[at + LENGTH] ?? 0;
  return bytes / binding.pageSize;
}

function hasHugePages({ numbers, start, end }: FoundRuns): boolean {
  for (let at = start; at < end; at += FIELDS) if (((numbers[at + STATE] ?? 0) & BIT.huge) !== 0) return true;
  return false;
}

/** What a native call was asked for. */
interface Question {
  /** Bytes of the mapping, or of the file. */
  readonly range: Span;
  /** Where the first page of the range begins, in the same bytes. */
  readonly from: number;
  /** Bytes in a page, if huge pages of a pool map it. */
  readonly hugeSize?: number | undefined;
  /** There was a file, but it could not be opened. */
  readonly lost?: boolean;
}

function describe(found: FoundRuns, { range, from, hugeSize, lost = false }: Question, only: number | undefined): Residency {
  const { pageSize } = binding;
  const { numbers, known } = found;
  const claimed = isClaimed(found, lost);
  const transparent = hasHugePages(found) ? transparentSize() : 0;
  const end = range.offset + range.length;
  const runs: ResidencyRun[] = [];
  let trust: Trust = 'exact';
  let at = from;
  for (let i = found.start; i < found.end; i += FIELDS) {
    const state = numbers[i + STATE] ?? 0;
    const node = numbers[i + NODE] ?? -1;
    const resident = (state & BIT.resident) !== 0;
    const huge = tell(known, state, BIT.huge);
    const isClaim = claimed && (state & BIT.mapped) === 0;
    if (isClaim) trust = 'claimed';
    const offset = Math.max(at, range.offset);
    at += numbers[i + LENGTH] ?? 0;
    runs.push({
      offset,
      length: Math.min(at, end) - offset,
      resident,
      mapped: tell(known, state, BIT.mapped),
      swapped: tell(known, state, BIT.swapped),
      dirty: tell(known, state, BIT.dirty),
      writeback: tell(known, state, BIT.writeback),
      evicted: tell(known, state, BIT.evicted),
      recentlyEvicted: tell(known, state, BIT.recentlyEvicted),
      hugeSize: hugeSize ?? (huge === true ? transparent : huge === false ? 0 : undefined),
      node: node >= 0 ? node : resident ? only : undefined,
      trust: isClaim ? 'claimed' : 'exact',
    });
  }
  return {
    pageSize,
    pages: range.length === 0 ? 0 : Math.ceil((end - from) / pageSize),
    resident: count(found, BIT.resident) ?? 0,
    trust,
    mapped: count(found, BIT.mapped),
    swapped: count(found, BIT.swapped),
    dirty: count(found, BIT.dirty),
    writeback: count(found, BIT.writeback),
    evicted: count(found, BIT.evicted),
    recentlyEvicted: count(found, BIT.recentlyEvicted),
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
  return describe(foundIn(check(numbers, 'mincore')), { range, from: from - pages.byteOffset, hugeSize, lost: file.lost === true }, only);
}

/** Filled by the native call, read right after it. */
const facts = new Float64Array(1);

/**
 * The same for bytes [offset, offset + length) of a file without mapping it, which takes a fifth of the time; length -1:
 * to its end. Undefined if only a mapping can answer, or give the right error.
 */
export function unmappedResidency(file: NativeFile, offset: number, length: number): Residency | undefined {
  const numbers = binding.residencyOf(file, offset, length, facts);
  if (typeof numbers === 'number') return undefined;
  const range = { offset, length: facts[0] ?? 0 };
  return describe(foundIn(numbers), { range, from: offset - (offset % binding.pageSize) }, onlyNode());
}

/** What a survey found of a part of a file. */
export function surveyedResidency(found: FoundRuns, range: Span): Residency {
  if (range.length === 0) return describe(foundIn(NOTHING), { range, from: range.offset }, undefined);
  return describe(found, { range, from: range.offset - (range.offset % binding.pageSize) }, onlyNode());
}
