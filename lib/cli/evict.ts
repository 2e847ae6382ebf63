// memmap evict: pushes pages of files out of memory, and looks what went.
import { closeSync, fdatasync, fstatSync, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { type Residency, SystemError, residencyOf } from '../index.js';
import { FADV, PAGE_SIZE, cachestat, posix_fadvise } from '../sys/index.js';
import { acts, describe, newCommand } from './common/command.js';
import { messageOf } from './common/exit.js';
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
    .description('Pushes pages of files out of the page cache, and tells how many went. Changed pages stay and are not written, unless --sync says so (Linux 6.5 or later).')
    .option('-s, --sync', 'write changed pages to the disk first')
    .action(acts((paths: string[], options: EvictOptions) => evictTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap evict backup.tar', what: 'make room: it will not be read again' },
      { call: 'memmap evict --sync data/', what: 'a cold start for a benchmark' },
      { call: 'memmap evict -p 0-1G big.idx', what: 'the first GiB of it' },
    ],
    notes: [
      'No byte of a file changes. Pages stay that are changed and not yet on the disk, that a process has mapped or locked, and all of tmpfs, which has no other place. What went is found by looking before and after, not taken from what the kernel was asked for.',
      'Permission to read a file is enough. But of files that the user neither owns nor may write to the kernel does not tell what is in memory, nor what went.',
      'Which pages are changed the kernel tells since Linux 6.5, and of the same files only. Where it does not tell, it begins to write them, as it would by itself half a minute later, and they may stay.',
      'Of --range, pages go that have a byte in it. The kernel may keep some of them in one piece with their neighbours (a large folio): what reaches out of the range stays.',
    ],
  });
}

/** Bytes. */
interface MissingPart {
  readonly offset: number;
  readonly length: number;
}

/** Pages. Undefined: the kernel does not tell, before Linux 6.5. */
interface Count {
  readonly resident: number;
  readonly dirty: number | undefined;
  readonly writeback: number | undefined;
}

/** Undefined: of this file the kernel tells this user nothing. */
interface Evicted {
  readonly before: Count | undefined;
  readonly after: Count | undefined;
}

/** The pages that have a byte of the part: DONTNEED leaves pages it is told a part of. */
function wholePages({ offset, length }: MissingPart): MissingPart {
  const start = offset - (offset % PAGE_SIZE);
  return { offset: start, length: Math.ceil((offset + length - start) / PAGE_SIZE) * PAGE_SIZE };
}

/** The file may have become shorter. */
function look(fd: number, { offset, length }: MissingPart): Residency {
  const rest = Math.max(0, fstatSync(fd).size - offset);
  return residencyOf(fd, rest === 0 ? { length: 0 } : { offset, length: Math.min(length, rest) });
}

/** One call that costs nothing where there is cachestat(2); where not, as on hugetlbfs, a look at each page. */
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

/** What is left of the part without its changed pages, which DONTNEED would begin to write. */
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

/** Off the main thread, so that a signal is heard. */
const writeOut = promisify(fdatasync);

async function evictFile({ path }: Target, bytes: MissingPart, sync: boolean): Promise<Evicted> {
  const fd = openSync(path, 'r');
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

/** EvictTotals of pages. */
class EvictTotals {
  readonly #options: EvictOptions;
  files = 0;
  failed = 0;
  /** Files of which the kernel tells nothing. */
  #unseen = 0;
  #before = 0;
  #after = 0;
  /** Of those that stayed. */
  #unwritten = 0;
  /** Whether there may be more of them: the kernel does not tell. */
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
    const pieces = this.#options.range === undefined ? '' : ', or in one piece with pages out of the range';
    return `${changed}in use: mapped or locked by a process, or on a file system in memory${pieces}`;
  }

  text(elapsed: number): string {
    const lines = [`${formatFiles(this.files)}: ${formatBytes(this.#freed)} of ${formatBytes(this.#before * PAGE_SIZE)} freed, ${formatTime(elapsed)}`];
    if (this.failed > 0) lines[0] += `; ${formatCount(this.failed)} failed`;
    const reasons = [];
    if (this.#unwritten > 0) reasons.push(`${formatCount(this.#unwritten)} changed and not yet written${this.#options.sync === true ? '' : ' (--sync writes them)'}`);
    if (this.#inUse > 0) reasons.push(`${formatCount(this.#inUse)} ${this.#whyInUse()}`);
    if (reasons.length > 0) lines.push(`${formatCount(this.#after)} ${this.#after === 1 ? 'page' : 'pages'} stayed: ${reasons.join('; ')}`);
    if (this.#unseen > 0) lines.push(`${formatFiles(this.#unseen)} unseen: what went the kernel tells only those who own the file or may write to it`);
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
    bar.aside(() => terminal.complain(`${path}: ${messageOf(error)}`));
  };
  const interrupted = await untilInterrupted(bar, async (signal) => {
    for (const target of new Targets(paths, options, fail)) {
      // A turn for the signal.
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
