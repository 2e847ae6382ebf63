// memmap touch: reads the missing pages of files into memory.
import { type Command, Option } from 'commander';
import { type TouchProgress, type TouchTotals, type Touched, touch } from '../index.js';
import { acts, describe, newCommand } from './common/command.js';
import { UsageError, messageOf } from './common/exit.js';
import { nameOf, pathNamed } from './common/names.js';
import { ProgressBar } from './common/progress.js';
import { formatBytes, formatCount, formatFiles, formatTime, parseSize } from './common/units.js';
import { HardLinks, type TargetOptions, Targets, clip, withTargets } from './common/targets.js';
import type { Terminal } from './common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from './common/batch.js';

interface TouchCommandOptions extends TargetOptions, SummaryOptions {
  readonly holes?: boolean;
  readonly rate?: number;
}

export function touchCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('touch')))
    .summary('read files into memory')
    .description('Reads the missing pages of files into the page cache. Pages already cached are not read again.')
    .addOption(new Option('--rate <size>', 'read at most this much per second: 50M').argParser(parseSize))
    .option('--holes', 'also read the holes of sparse files, which makes pages of zeros')
    .action(acts((paths: string[], options: TouchCommandOptions) => touchTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap touch /var/lib/db', what: 'all files below a directory' },
      { call: 'memmap touch --rate 50M big.idx', what: 'leave the disk to others too' },
      { call: 'memmap touch -p 0-1G *.db', what: 'the first GiB of each' },
      { call: 'find . -name "*.so" -print0 | memmap touch -0 -b -', what: 'a list of files' },
    ],
    notes: [
      "Reads only pages that the page cache lacks; the access times of the user's own files do not change. Since Linux 6.5 the kernel reports missing pages to users who own a file or may write to it; other files are read completely.",
      'Holes of sparse files hold nothing and are left alone, unless --holes is given.',
      'The kernel may evict the pages again afterwards; memmap lock keeps them in memory.',
    ],
  });
}

/** The work of one call, and its totals so far. */
class TouchJob {
  readonly bar: ProgressBar;
  readonly sums = { files: 0, bytes: 0, read: 0, present: 0, holes: 0 };
  /** Files that are done, under all their names. */
  readonly #ended = { bytes: 0, read: 0, present: 0, holes: 0 };
  failed = 0;
  readonly #terminal: Terminal;
  /** Files found so far. */
  #found = 0;
  /** Files with several names that were counted. */
  readonly #links: HardLinks;
  /** Bytes of files under way that the bar has counted. */
  readonly #counted = new Map<string, number>();

  constructor(terminal: Terminal, everyName: boolean) {
    this.#terminal = terminal;
    this.#links = new HardLinks(everyName);
    this.bar = new ProgressBar(terminal, 'reading', 0);
  }

  find(length: number): void {
    this.#found += 1;
    this.bar.grow(length);
  }

  fail(path: string, error: unknown): void {
    this.failed += 1;
    this.bar.aside(() => this.#terminal.complainOf(path, messageOf(error)));
  }

  #count(path: string, done: number): void {
    this.bar.advance(done - (this.#counted.get(path) ?? 0));
  }

  progress({ path, done }: TouchProgress<string | Uint8Array>): void {
    const name = nameOf(path);
    this.#count(name, done);
    this.#counted.set(name, done);
  }

  /** Called when a file is done. `length`: bytes of the requested part. */
  end({ path, read, present = 0, holes = 0, identity, error }: Touched<string | Uint8Array>, length: number): void {
    this.#ended.bytes += length;
    this.#ended.read += read;
    this.#ended.present += present;
    this.#ended.holes += holes;
    const again = this.#links.again(identity);
    const name = nameOf(path);
    this.#count(name, again ? 0 : length);
    this.#counted.delete(name);
    if (again) {
      this.#found -= 1;
      return;
    }
    this.sums.read += read;
    this.sums.present += present;
    this.sums.holes += holes;
    if (error !== undefined) {
      this.fail(name, error);
      return;
    }
    this.sums.files += 1;
    this.sums.bytes += length;
  }

  /** Adds what was done of files that were under way when the call was aborted. `totals`: of all. */
  addUnfinished(totals: TouchTotals): void {
    for (const key of ['bytes', 'read', 'present', 'holes'] as const) this.sums[key] += Math.max(0, totals[key] - this.#ended[key]);
  }

  /** The summary. Only the bar knows the bytes of unfinished files. */
  text(interrupted: boolean): string {
    const { files, bytes, read, present, holes } = this.sums;
    const done = interrupted ? `${formatCount(files)} of ${formatFiles(this.#found)}, ${formatBytes(this.bar.done)}` : `${formatFiles(files)}, ${formatBytes(bytes)}`;
    const { elapsed } = this.bar;
    const speed = read === 0 || elapsed === 0 ? '' : `, ${formatBytes((1000 * read) / elapsed)}/s`;
    const failed = this.failed === 0 ? '' : `; ${formatCount(this.failed)} failed`;
    return `${done}: ${formatBytes(read)} read, ${formatBytes(present)} already in memory${holes === 0 ? '' : `, ${formatBytes(holes)} in holes`}, ${formatTime(elapsed)}${speed}${failed}`;
  }

  get data(): object {
    return { ...this.sums, seconds: this.bar.elapsed / 1000 };
  }
}

async function touchTargets(terminal: Terminal, paths: string[], options: TouchCommandOptions): Promise<number> {
  const { rate, range, holes = false, hardLinks = false } = options;
  if (rate === 0) throw new UsageError('--rate must be at least 1 byte per second');
  const work = new TouchJob(terminal, hardLinks);
  const targets = new Targets(paths, options, (path, error) => work.fail(path, error));
  /** Further files are searched for while the first are read. Only the bar needs their sizes before. */
  function* found(): Generator<string | Buffer, void, undefined> {
    for (const { path, size } of terminal.showsProgress ? targets : targets.unseen()) {
      const part = size === undefined ? { length: 0 } : clip({ size }, range);
      if (part === undefined) continue;
      work.find(part.length);
      yield pathNamed(path);
    }
  }
  const interrupted = await untilInterrupted(work.bar, async (signal) => {
    await touch(found(), {
      ...range,
      holes,
      ...(rate !== undefined && { rate }),
      signal,
      onFile: (touched) => work.end(touched, clip(touched, range)?.length ?? 0),
      onProgress: (progress) => work.progress(progress),
    }).catch((error: unknown) => {
      const { totals } = error as { readonly totals?: TouchTotals };
      if (totals !== undefined) work.addUnfinished(totals);
      throw error;
    });
  });
  return summarize(terminal, options, { text: work.text(interrupted), data: work.data, failed: work.failed, interrupted });
}
