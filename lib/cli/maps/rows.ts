// The rows of `memmap maps`: one per mapping or one per file, and their order.
import type { MapEntry } from '../../index.js';

/** What rows are sorted by. */
export const ORDERS = ['pss', 'rss', 'swap', 'huge', 'locked', 'size', 'address', 'file'] as const;
export type Order = (typeof ORDERS)[number];

/** Sums of mappings, in bytes. */
export interface MappingTotals {
  /** The number of mappings. */
  readonly count: number;
  readonly size: number;
  readonly rss: number;
  readonly pss: number;
  readonly swap: number;
  /** In huge pages: transparent ones, which `rss` includes, and those of a pool, which it does not. */
  readonly huge: number;
  readonly locked: number;
}

/** A mapping, or all of one name. */
export interface Row extends MappingTotals {
  /** The lowest address. */
  readonly start: bigint;
  /** The first address after the highest. */
  readonly end: bigint;
  /** 'r-xp': all that occur. */
  readonly rights: readonly string[];
  /** The file, as the kernel writes it, or what else it is. */
  readonly name: string;
}

const NONE: MappingTotals = { count: 0, size: 0, rss: 0, pss: 0, swap: 0, huge: 0, locked: 0 };

export function sumOf(rows: Iterable<MappingTotals>): MappingTotals {
  const sum = { ...NONE } as Record<keyof MappingTotals, number>;
  for (const row of rows) for (const key of Object.keys(NONE) as (keyof MappingTotals)[]) sum[key] += row[key];
  return sum;
}

/** The kernel shows shared anonymous memory as a deleted file /dev/zero. */
function nameOf(path: string, deleted: boolean): string {
  if (!deleted) return path;
  return path === '/dev/zero' ? '[anonymous shared]' : `${path} (deleted)`;
}

/** 'rw-s', as the kernel writes it. */
export function rightsOf({ readable, writable, executable, shared }: MapEntry): string {
  return `${readable ? 'r' : '-'}${writable ? 'w' : '-'}${executable ? 'x' : '-'}${shared ? 's' : 'p'}`;
}

/** The row of one mapping, which was read with `usage: true`. */
export function rowOf(entry: MapEntry): Row {
  const { start, end, length, path, deleted, name, usage } = entry;
  const { hugeTransparent: huge, hugePool } = usage ?? { hugeTransparent: undefined, hugePool: undefined };
  return {
    count: 1,
    start,
    end,
    size: length,
    rss: usage?.resident ?? 0,
    pss: usage?.proportional ?? 0,
    swap: usage?.swapped ?? 0,
    huge: (huge?.anonymous ?? 0) + (huge?.shared ?? 0) + (huge?.file ?? 0) + (hugePool?.shared ?? 0) + (hugePool?.private ?? 0),
    locked: usage?.locked ?? 0,
    rights: [rightsOf(entry)],
    name: path === undefined ? (name ?? '[anonymous]') : nameOf(path, deleted),
  };
}

/** Whether it only reserves addresses: it has no rights, and uses no memory. */
export function isReservation({ rights, rss, swap, huge }: Row): boolean {
  return rights.every((one) => one.startsWith('---')) && rss === 0 && swap === 0 && huge === 0;
}

/** One row for all mappings of a name. */
export function byName(rows: readonly Row[]): Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.name);
    if (group === undefined) groups.set(row.name, [row]);
    else group.push(row);
  }
  return Array.from(groups, ([name, group]) => ({
    ...sumOf(group),
    name,
    start: group.reduce((least, { start }) => (start < least ? start : least), (group[0] as Row).start),
    end: group.reduce((most, { end }) => (end > most ? end : most), 0n),
    rights: [...new Set(group.flatMap(({ rights }) => rights))].toSorted(),
  }));
}

/** Compares two rows by their lowest address. */
function byAddress(a: Row, b: Row): number {
  return a.start < b.start ? -1 : a.start > b.start ? 1 : 0;
}

/** The largest first; names and addresses ascend. */
export function sorted(rows: readonly Row[], order: Order): Row[] {
  if (order === 'address') return rows.toSorted(byAddress);
  if (order === 'file') return rows.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : byAddress(a, b)));
  return rows.toSorted((a, b) => b[order] - a[order] || b.pss - a.pss || b.size - a.size || byAddress(a, b));
}
