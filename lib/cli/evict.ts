// memmap evict: pushes pages of files out of memory, and looks what went.
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { type FileMapping, type Residency, mapFile } from '../index.js';
import { acts, describe, newCommand } from './command.js';
import { messageOf } from './outcome.js';
import { ProgressBar } from './progress.js';
import { formatBytes, formatCount, formatFiles, formatTime } from './sizes.js';
import { type Target, type TargetOptions, Targets, clip, withTargets } from './targets.js';
import type { Terminal } from './terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from './work.js';

interface EvictOptions extends TargetOptions, SummaryOptions {
  readonly sync?: boolean;
}

export function evictCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('evict')))
    .summary('push files out of memory')
    .description('Pushes pages of files out of the page cache, and tells how many went. Changed pages stay: nothing is written unless --sync says so.')
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
      'Of files that the user neither owns nor may write to the kernel does not tell what is in memory: they fail.',
      'Linux 5.14 or later.',
    ],
  });
}

const SECRET = 'the kernel lets only those push pages out, and see whether they went, who own the file or may write to it';

/** Bytes. */
interface Part {
  readonly offset: number;
  readonly length: number;
}

/** Pages of a file, before and after. */
interface Evicted {
  readonly before: Residency;
  readonly after: Residency;
}

/**
 * A mapping that may write pushes out all that is not in use, but writes first what is changed. A
 * private one pushes out what is clean and in its own page tables, and writes nothing.
 */
async function evictFile({ path }: Target, part: Part, sync: boolean): Promise<Evicted> {
  const mapping = mapFile(path, { noReserve: true, access: sync ? 'read' : 'copy-on-write' });
  try {
    // The file may have become shorter.
    const rest = { offset: Math.min(part.offset, mapping.length), length: Math.min(part.length, Math.max(0, mapping.length - part.offset)) };
    const before = mapping.residency(rest);
    if (before.trust === 'claimed') throw new Error(SECRET);
    if (before.resident === 0) return { before, after: before };
    if (sync) await writeOut(path);
    else takeClean(mapping, before);
    mapping.evict(rest);
    return { before, after: mapping.residency(rest) };
  } finally {
    mapping.close();
  }
}

function takeClean(mapping: FileMapping, { runs }: Residency): void {
  mapping.advise('random'); // no page beside those that are there
  for (const { offset, length, resident, dirty } of runs) if (resident && dirty !== true) mapping.populate({ offset, length });
}

/** Off the main thread, so that a signal is heard. */
async function writeOut(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Sums of pages. */
class Sums {
  files = 0;
  failed = 0;
  pageSize = 4096;
  before = 0;
  after = 0;
  /** Of those that stayed; 0 where the kernel does not tell. */
  unwritten = 0;

  add({ before, after }: Evicted): void {
    this.files += 1;
    this.pageSize = before.pageSize;
    this.before += before.resident;
    this.after += after.resident;
    this.unwritten += (after.dirty ?? 0) + (after.writeback ?? 0);
  }

  get inUse(): number {
    return Math.max(0, this.after - this.unwritten);
  }

  get freed(): number {
    return Math.max(0, this.before - this.after) * this.pageSize;
  }

  text(elapsed: number, sync: boolean): string {
    const went = `${formatFiles(this.files)}: ${formatBytes(this.freed)} of ${formatBytes(this.before * this.pageSize)} freed, ${formatTime(elapsed)}`;
    const reasons = [];
    if (this.unwritten > 0) reasons.push(`${formatCount(this.unwritten)} changed and not yet written${sync ? '' : ' (--sync writes them)'}`);
    if (this.inUse > 0) reasons.push(`${formatCount(this.inUse)} in use: mapped or locked by a process, or on a file system in memory`);
    const stayed = reasons.length === 0 ? '' : `\n${formatCount(this.after)} ${this.after === 1 ? 'page' : 'pages'} stayed: ${reasons.join('; ')}`;
    return `${went}${this.failed === 0 ? '' : `; ${formatCount(this.failed)} failed`}${stayed}`;
  }

  get data(): object {
    return {
      files: this.files,
      bytesBefore: this.before * this.pageSize,
      bytesAfter: this.after * this.pageSize,
      freed: this.freed,
      stayed: { unwritten: this.unwritten * this.pageSize, inUse: this.inUse * this.pageSize },
    };
  }
}

async function evictTargets(terminal: Terminal, paths: string[], options: EvictOptions): Promise<number> {
  const { range, sync = false } = options;
  const sums = new Sums();
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
  return summarize(terminal, options, { text: sums.text(bar.elapsed, sync), data: { ...sums.data, seconds }, failed: sums.failed, interrupted });
}
