// memmap evict: pushes pages of files out of memory, and reports how many were evicted.
import { closeSync, fdatasync, fstatSync, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { type Residency, SystemError, residencyOf } from '../index.js';
import { FADV, PAGE_SIZE, cachestat, posix_fadvise } from '../sys/index.js';
import { acts, describe, newCommand } from './common/command.js';
import { messageOf } from './common/exit.js';
import { pathNamed } from './common/names.js';
import { ProgressBar } from './common/progress.js';
import { formatBytes, formatCount, formatFiles, formatTime } from './common/units.js';
import { type Target, type TargetOptions, Targets, clip, withTargets } from './common/targets.js';
import type { Terminal } from './common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from './common/batch.js';

interface EvictOptions extends TargetOptions, SummaryOptions {
  readonly sync?: boolean;
}

export function evictCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('evict')))
    .summary('push files out of memory')
    .description('Pushes pages of files out of the page cache, and reports how many were evicted. Without --sync, changed pages stay and are not written (Linux 6.5 or later).')
    .option('-s, --sync', 'first write changed pages to the disk')
    .action(acts((paths: string[], options: EvictOptions) => evictTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap evict backup.tar', what: 'make room: it will not be read again' },
      { call: 'memmap evict --sync data/', what: 'a cold start for a benchmark' },
      { call: 'memmap evict -p 0-1G big.idx', what: 'its first GiB' },
    ],
    notes: [
      'No byte of a file changes. These pages stay: changed ones that are not yet on the disk, those that a process has mapped or locked, and all of tmpfs, which has no other place. The result is measured before and after, not assumed.',
      'Permission to read a file is enough. But for files that the user neither owns nor may write to, the kernel does not report which pages are in memory, nor which were evicted.',
      'Since Linux 6.5 the kernel reports changed pages, for the same files only. Otherwise it starts to write them, as it would by itself half a minute later, and they may stay.',
      'With --range, pages with a byte in the range are evicted. The kernel may keep pages together with their neighbours in a large folio: one that reaches past the range stays.',
    ],
  });
}

/** A part of a file, in bytes. */
interface MissingPart {
  readonly offset: number;
  readonly length: number;
}

/** Numbers of pages. Undefined if the kernel does not report it, before Linux 6.5. */
interface Count {
  readonly resident: number;
  readonly dirty: number | undefined;
  readonly writeback: number | undefined;
}

/** The pages before and after; undefined if the kernel reports nothing about this file to this user. */
interface Evicted {
  readonly before: Count | undefined;
  readonly after: Count | undefined;
}

/** The part extended to whole pages: DONTNEED does not drop a page that is only partly in the range. */
function wholePages({ offset, length }: MissingPart): MissingPart {
  const start = offset - (offset % PAGE_SIZE);
  return { offset: start, length: Math.ceil((offset + length - start) / PAGE_SIZE) * PAGE_SIZE };
}

/** The file may have become shorter. */
function look(fd: number, { offset, length }: MissingPart): Residency {
  const rest = Math.max(0, fstatSync(fd).size - offset);
  return residencyOf(fd, rest === 0 ? { length: 0 } : { offset, length: Math.min(length, rest) });
}

/** Counts by cachestat(2), which is cheap; otherwise, as on hugetlbfs, by looking at each page. */
function count(fd: number, part: MissingPart): Count | undefined {
  try {
    const { cached, dirty, writeback } = cachestat(fd, part);
    return { resident: cached, dirty, writeback };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const found = look(fd, part);
    return found.trust === 'claimed' ? undefined : found;
  }
}

/** The part without its changed pages, which DONTNEED would start to write. */
function unchanged(fd: number, part: MissingPart): MissingPart[] {
  const parts: MissingPart[] = [];
  let start = part.offset;
  for (const { offset, length, dirty } of look(fd, part).runs) {
    if (dirty !== true) continue;
    if (offset > start) parts.push({ offset: start, length: offset - start });
    start = offset + length;
  }
  const end = part.offset + part.length;
  if (end > start) parts.push({ offset: start, length: end - start });
  return parts;
}

/** Off the main thread, so that signals are handled. */
const writeOut = promisify(fdatasync);

async function evictFile({ path }: Target, bytes: MissingPart, sync: boolean): Promise<Evicted> {
  const fd = openSync(pathNamed(path), 'r');
  try {
    const part = wholePages(bytes);
    const before = count(fd, part);
    if (before?.resident === 0) return { before, after: before };
    const { dirty = Infinity, writeback = Infinity } = before ?? {};
    if (sync && dirty + writeback > 0) await writeOut(fd);
    const spare = !sync && dirty > 0 && dirty < Infinity;
    for (const { offset, length } of spare ? unchanged(fd, part) : [part]) posix_fadvise(fd, offset, length, FADV.DONTNEED);
    return { before, after: before && count(fd, part) };
  } finally {
    closeSync(fd);
  }
}

/** Totals of pages. */
class EvictTotals {
  readonly #options: EvictOptions;
  files = 0;
  failed = 0;
  /** Files about which the kernel reports nothing. */
  #unseen = 0;
  #before = 0;
  #after = 0;
  /** Pages that stayed because they are not written yet. */
  #unwritten = 0;
  /** Whether there may be more of these, because the kernel does not report it. */
  #vague = false;

  constructor(options: EvictOptions) {
    this.#options = options;
  }

  add({ before, after }: Evicted): void {
    this.files += 1;
    if (before === undefined || after === undefined) {
      this.#unseen += 1;
      return;
    }
    this.#before += before.resident;
    this.#after += after.resident;
    this.#unwritten += (after.dirty ?? 0) + (after.writeback ?? 0);
    this.#vague ||= after.dirty === undefined && after.resident > 0;
  }

  get #inUse(): number {
    return Math.max(0, this.#after - this.#unwritten);
  }

  get #freed(): number {
    return Math.max(0, this.#before - this.#after) * PAGE_SIZE;
  }

  #whyInUse(): string {
    const changed = this.#vague ? 'changed, or ' : '';
    const pieces = this.#options.range === undefined ? '' : ', or in a large folio that reaches past the range';
    return `${changed}in use: mapped or locked by a process, or on a file system in memory${pieces}`;
  }

  text(elapsed: number): string {
    const lines = [`${formatFiles(this.files)}: ${formatBytes(this.#freed)} of ${formatBytes(this.#before * PAGE_SIZE)} freed, ${formatTime(elapsed)}`];
    if (this.failed > 0) lines[0] += `; ${formatCount(this.failed)} failed`;
    const reasons = [];
    if (this.#unwritten > 0) reasons.push(`${formatCount(this.#unwritten)} changed and not yet written${this.#options.sync === true ? '' : ' (--sync writes them)'}`);
    if (this.#inUse > 0) reasons.push(`${formatCount(this.#inUse)} ${this.#whyInUse()}`);
    if (reasons.length > 0) lines.push(`${formatCount(this.#after)} ${this.#after === 1 ? 'page' : 'pages'} stayed: ${reasons.join('; ')}`);
    if (this.#unseen > 0) lines.push(`${formatFiles(this.#unseen)} unknown: the kernel reports the result only to users who own the file or may write to it`);
    return lines.join('\n');
  }

  get data(): object {
    return {
      files: this.files,
      unseen: this.#unseen,
      bytesBefore: this.#before * PAGE_SIZE,
      bytesAfter: this.#after * PAGE_SIZE,
      freed: this.#freed,
      stayed: { unwritten: this.#unwritten * PAGE_SIZE, inUse: this.#inUse * PAGE_SIZE },
    };
  }
}

async function evictTargets(terminal: Terminal, paths: string[], options: EvictOptions): Promise<number> {
  const { range, sync = false } = options;
  const sums = new EvictTotals(options);
  const bar = new ProgressBar(terminal, 'evicting', 0);
  const fail = (path: string, error: unknown): void => {
    sums.failed += 1;
    bar.aside(() => terminal.complainOf(path, messageOf(error)));
  };
  const interrupted = await untilInterrupted(bar, async (signal) => {
    for (const target of new Targets(paths, options, fail)) {
      // Lets a signal be handled.
      await setImmediate();
      signal.throwIfAborted();
      const part = clip(target, range);
      if (part === undefined) continue;
      bar.grow(part.length);
      try {
        if (part.length > 0) sums.add(await evictFile(target, part, sync));
        else sums.files += 1;
      } catch (error) {
        fail(target.path, error);
      }
      bar.advance(part.length);
    }
  });
  const seconds = bar.elapsed / 1000;
  return summarize(terminal, options, { text: sums.text(bar.elapsed), data: { ...sums.data, seconds }, failed: sums.failed, interrupted });
}
