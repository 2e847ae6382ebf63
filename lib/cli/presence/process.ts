// The mappings of a process, page by page: proc_pid_pagemap(5), and the page cache behind them.
import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { type MapEntry, type ResidencyRun, features, maps, residencyOf } from '../../index.js';
import { rightsOf } from '../maps/rows.js';
import { type PageState, type StateRun, appendRun } from '../picture/picture.js';
import type { Presence } from './report.js';
import { pathNamed } from '../common/names.js';
import type { Complaint } from '../common/targets.js';

/** Bytes in an entry of the pagemap. */
const ENTRY = 8;
/** Entries read at a time. */
const AT_ONCE = 2 ** 16;
/** Bits of the upper half of an entry: bit 63 is present, bit 62 swapped. */
const PRESENT = 0x80000000;
const SWAPPED = 0x40000000;

class Pagemap {
  readonly #fd: number;
  readonly #pageSize: number;
  readonly #words = new Uint32Array(2 * AT_ONCE);

  constructor(pid: number, pageSize: number) {
    this.#fd = openSync(`/proc/${pid}/pagemap`, 'r');
    this.#pageSize = pageSize;
  }

  /** The states of [start, end) in the page tables: 'mapped', 'swapped' or 'absent'. Offsets are bytes from `start`. */
  runs(start: bigint, end: bigint): StateRun[] {
    const runs: StateRun[] = [];
    const pages = Number((end - start) / BigInt(this.#pageSize));
    const first = start / BigInt(this.#pageSize);
    for (let page = 0; page < pages; ) {
      const count = Math.min(AT_ONCE, pages - page);
      const bytes = readSync(this.#fd, this.#words, 0, count * ENTRY, (first + BigInt(page)) * BigInt(ENTRY));
      if (bytes < ENTRY) break; // the process has ended
      for (let i = 0; i < bytes / ENTRY; i++, page++) {
        const high = this.#words[2 * i + 1] as number;
        const state: PageState = (high & PRESENT) !== 0 ? 'mapped' : (high & SWAPPED) !== 0 ? 'swapped' : 'absent';
        appendRun(runs, { offset: page * this.#pageSize, length: this.#pageSize, state });
      }
    }
    return runs;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A path by which the file of a mapping can be opened: its own, or the kernel's link in map_files. */
function fileOf(pid: number, { path, deleted, inode, start, end }: MapEntry): string | undefined {
  if (path === undefined) return undefined;
  const kept = `/proc/${pid}/map_files/${start.toString(16)}-${end.toString(16)}`;
  for (const candidate of deleted ? [kept] : [`/proc/${pid}/root${path}`, path, kept]) {
    try {
      if (statSync(candidate).ino === inode) return candidate;
    } catch {
      // Try the next one.
    }
  }
  return undefined;
}

/** The same runs, where absent pages get their state in the page cache. */
function withPageCache(runs: readonly StateRun[], file: string, fileOffset: number, length: number): readonly StateRun[] {
  const { size } = statSync(file);
  if (size <= fileOffset) return runs;
  const { runs: cached } = residencyOf(file, { offset: fileOffset, length: Math.min(length, size - fileOffset) });
  const result: StateRun[] = [];
  let next = 0;
  for (const run of runs) {
    const end = run.offset + run.length;
    for (let at = run.offset; at < end; ) {
      let below = cached[next];
      while (below !== undefined && below.offset + below.length - fileOffset <= at) below = cached[++next];
      // The last page may be longer than the file.
      const isLast = below === undefined || next === cached.length - 1;
      const to = isLast ? end : Math.min(end, (below as ResidencyRun).offset + (below as ResidencyRun).length - fileOffset);
      appendRun(result, { offset: at, length: to - at, state: run.state === 'absent' && below !== undefined ? stateOf(below) : run.state });
      at = to;
    }
  }
  return result;
}

function stateOf({ resident, evicted }: ResidencyRun): PageState {
  return resident ? 'resident' : evicted === true ? 'evicted' : 'absent';
}

/** Returns a function that selects the mappings of the files at these paths. */
function chooser(paths: readonly string[], fail: Complaint): (entry: MapEntry) => boolean {
  const wanted = new Map<number, string>();
  for (const path of paths) {
    try {
      wanted.set(statSync(pathNamed(path)).ino, realpathSync(pathNamed(path)));
    } catch (error) {
      fail(path, error);
    }
  }
  return ({ inode, path }) => path !== undefined && (wanted.get(inode) === path || (wanted.has(inode) && basename(path) === basename(wanted.get(inode) ?? '')));
}

/**
 * The mappings of these files in a process; of all its files if `paths` is empty; with `all` also readable
 * and writable mappings without a file.
 *
 * @throws {SystemError} ENOENT, ESRCH; EACCES, EPERM for a process of another user
 */
export function* mappingsOf(pid: number, paths: readonly string[], all: boolean, fail: Complaint): Generator<Presence, void, undefined> {
  const isChosen = paths.length > 0 ? chooser(paths, fail) : (entry: MapEntry) => entry.inode !== 0 || (all && (entry.readable || entry.writable));
  const { pageSize } = features();
  const pagemap = new Pagemap(pid, pageSize);
  try {
    for (const entry of maps({ pid }).mappings) {
      if (!isChosen(entry) || entry.name === '[vsyscall]') continue;
      const { start, end, path, name, length, offset } = entry;
      const what = path ?? name ?? 'anonymous';
      let runs: readonly StateRun[] = pagemap.runs(start, end);
      const file = fileOf(pid, entry);
      if (file !== undefined) {
        try {
          runs = withPageCache(runs, file, offset, length);
        } catch (error) {
          fail(what, error);
        }
      }
      const title = `${what}  ${start.toString(16)}-${end.toString(16)} ${rightsOf(entry)}`;
      yield { path: what, size: length, address: start, detailed: true, picture: { title, pageSize, runs } };
    }
  } finally {
    pagemap.close();
  }
}
