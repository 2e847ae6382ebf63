// A picture of pages: runs of states, and the cells that fit into a given width.
import type { Residency, ResidencyRun } from '../../index.js';

/**
 * The states of a page that are shown, the most informative first. If a cell stands for many pages, the
 * share of each state decides.
 */
export const STATES = ['dirty', 'writeback', 'mapped', 'resident', 'swapped', 'evicted', 'absent'] as const;
export type PageState = (typeof STATES)[number];

export const IN_MEMORY: ReadonlySet<PageState> = new Set(['dirty', 'writeback', 'mapped', 'resident']);

/** The states in words, for legends. `mapped` and `swapped` are known only for mappings of a process. */
export const MEANING: Readonly<Record<PageState, string>> = {
  dirty: 'changed, not on the disk yet',
  writeback: 'being written to the disk',
  mapped: 'in memory, and in the page tables of the process',
  resident: 'in memory',
  swapped: 'in swap',
  evicted: 'was in memory, and was pushed out',
  absent: 'not in memory',
};

/** Consecutive pages in the same state. Bytes of the file, or of the mapping. */
export interface StateRun {
  readonly offset: number;
  readonly length: number;
  readonly state: PageState;
}

/** A picture to draw. */
export interface Picture {
  readonly title: string;
  /** Bytes in a page. */
  readonly pageSize: number;
  /** Ascending, without gaps. */
  readonly runs: readonly StateRun[];
  /** Why the kernel's answer is unreliable. */
  readonly doubt?: string;
}

/** Numbers of pages by state. A page that is partly in the range counts. */
export type Counts = Readonly<Record<PageState, number>>;

function stateOf(run: ResidencyRun): PageState {
  if (run.dirty === true) return 'dirty';
  if (run.writeback === true) return 'writeback';
  if (run.resident) return 'resident';
  return run.evicted === true ? 'evicted' : 'absent';
}

/** Appends a run, or extends the last one. */
export function appendRun(runs: StateRun[], run: StateRun): void {
  const last = runs.at(-1);
  if (last?.state === run.state && last.offset + last.length === run.offset) runs[runs.length - 1] = { ...last, length: last.length + run.length };
  else runs.push(run);
}

/** The states of a file's pages. */
export function pictureOf(title: string, residency: Residency, doubt: string | undefined): Picture {
  const runs: StateRun[] = [];
  for (const run of residency.runs) appendRun(runs, { offset: run.offset, length: run.length, state: stateOf(run) });
  return { title, pageSize: residency.pageSize, runs, ...(doubt !== undefined && { doubt }) };
}

export function pictureBytes({ runs }: Picture): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}

export const NO_COUNTS = Object.fromEntries(STATES.map((state) => [state, 0])) as Counts;

/** Pages of each state. */
export function countsOf({ runs, pageSize }: Picture): Counts {
  const counts = { ...NO_COUNTS } as Record<PageState, number>;
  for (const { offset, length, state } of runs) {
    // Each run begins with a page, except the first.
    counts[state] += Math.ceil((offset + length) / pageSize) - Math.floor(offset / pageSize);
  }
  return counts;
}

export function pagesOf(counts: Counts): number {
  return STATES.reduce((sum, state) => sum + counts[state], 0);
}

export function pagesInMemoryOf(counts: Counts): number {
  return STATES.reduce((sum, state) => (IN_MEMORY.has(state) ? sum + counts[state] : sum), 0);
}

/** A part of the picture that is drawn as one. */
export interface Cell {
  readonly offset: number;
  readonly length: number;
  /** Bytes of each state that occurs. */
  readonly shares: ReadonlyMap<PageState, number>;
}

/** The state of most of the cell; of equal shares the most informative. */
export function mainState({ shares }: Cell): PageState {
  let main: PageState = 'absent';
  let most = 0;
  for (const state of STATES) {
    const share = shares.get(state) ?? 0;
    if (share > most) [main, most] = [state, share];
  }
  return main;
}

/** The part of the cell that is in memory, 0 to 1. */
export function fill({ shares, length }: Cell): number {
  let bytes = 0;
  for (const [state, share] of shares) if (IN_MEMORY.has(state)) bytes += share;
  return length === 0 ? 0 : bytes / length;
}

/** At most `most` cells, all of the same number of pages except the last. */
export function cellsOf(picture: Picture, most: number): Cell[] {
  const { runs, pageSize } = picture;
  const [first] = runs;
  if (first === undefined) return [];
  const start = Math.floor(first.offset / pageSize);
  const end = Math.ceil((first.offset + pictureBytes(picture)) / pageSize);
  const pages = Math.max(1, Math.ceil((end - start) / Math.max(1, most)));
  const size = pages * pageSize;
  const cells: Cell[] = [];
  let next = 0;
  for (let from = start * pageSize; from < end * pageSize; from += size) {
    const to = from + size;
    const shares = new Map<PageState, number>();
    let length = 0;
    let offset = from;
    for (; next < runs.length; next++) {
      const run = runs[next] as StateRun;
      const low = Math.max(run.offset, from);
      const share = Math.min(run.offset + run.length, to) - low;
      if (share > 0) {
        if (length === 0) offset = low;
        shares.set(run.state, (shares.get(run.state) ?? 0) + share);
        length += share;
      }
      if (run.offset + run.length > to) break;
    }
    cells.push({ offset, length, shares });
  }
  return cells;
}
