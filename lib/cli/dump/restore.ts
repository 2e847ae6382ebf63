// memmap restore: reads the pages of a dump into memory again.
import { isatty } from 'node:tty';
import { type Command, Option } from 'commander';
import { type CacheDump, type RestoreProgress, type Restored, type RestoredFile, restoreAll } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { readDump } from './file.js';
import { UsageError, messageOf } from '../common/exit.js';
import { jsonPath, textOf } from '../common/names.js';
import { ProgressBar } from '../common/progress.js';
import { formatBytes, formatCount, formatFiles, formatTime, parseSize } from '../common/units.js';
import type { Terminal } from '../common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from '../common/batch.js';

interface RestoreCommandOptions extends SummaryOptions {
  readonly rate?: number;
}

export function restoreCommand(terminal: Terminal): Command {
  const command = withSummary(newCommand('restore'))
    .argument('[file]', 'a file that memmap dump has written (default: standard input)')
    .summary('read the pages of a dump into memory')
    .description('Reads the pages of a dump that are missing into the page cache, and nothing else.')
    .addOption(new Option('--rate <size>', 'read at most this much per second: 50M').argParser(parseSize))
    .action(acts((file: string | undefined, options: RestoreCommandOptions) => restoreFiles(terminal, file, options)));
  return describe(command, {
    examples: [
      { call: 'memmap restore warm.dump', what: 'as fast as the disk permits' },
      { call: 'memmap restore --rate 50M warm.dump', what: 'leave the disk to others too' },
      { call: 'memmap restore < warm.dump', what: 'from standard input' },
    ],
    notes: [
      'The dump is checked before anything is read: if it is damaged or incomplete, nothing is restored.',
      'Files that have changed since, or no longer exist, are reported but do not count as failures. Of a changed file the same bytes are read, as far as it still has them.',
      'In a systemd unit, ExecStartPre=-/usr/bin/memmap restore --quiet /var/lib/db/warm.dump warms the cache before a service starts, and ExecStop=/usr/bin/memmap dump ... records it.',
    ],
  });
}

/** The descriptor of standard input. */
const STDIN = 0;

class RestoreJob {
  readonly bar: ProgressBar;
  readonly sums = { files: 0, read: 0, present: 0, lost: 0 };
  readonly changed: string[] = [];
  readonly gone: string[] = [];
  failed = 0;
  readonly #terminal: Terminal;
  readonly #total: number;
  readonly #quiet: boolean;
  /** Bytes of files under way that the bar shows. */
  readonly #shown = new Map<CacheDump, number>();

  constructor(terminal: Terminal, dumps: readonly CacheDump[], quiet: boolean) {
    this.#terminal = terminal;
    this.#total = dumps.length;
    this.#quiet = quiet;
    this.bar = new ProgressBar(terminal, 'restoring', dumps.reduce((sum, cached) => sum + bytesOf(cached), 0));
  }

  progress({ cached, done }: RestoreProgress): void {
    this.bar.advance(done - (this.#shown.get(cached) ?? 0));
    this.#shown.set(cached, done);
  }

  end({ cached, restored, error }: RestoredFile): void {
    if (restored !== undefined) this.#end(cached, restored);
    else this.#fail(cached, error);
    this.progress({ cached, done: bytesOf(cached), total: 0 });
    this.#shown.delete(cached);
  }

  #end(cached: CacheDump, { read, present, gone, changed }: Restored): void {
    this.sums.files += 1;
    this.sums.read += read;
    this.sums.present += present;
    this.sums.lost += gone;
    if (!changed) return;
    const name = namedIn(cached);
    this.changed.push(name);
    this.#note(name, `the file has changed since the dump${gone === 0 ? '' : `, and no longer has ${formatBytes(gone)} that were in memory`}`);
  }

  #fail(cached: CacheDump, error: unknown): void {
    const name = namedIn(cached);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      this.gone.push(name);
      this.#note(name, 'the file no longer exists');
      return;
    }
    this.failed += 1;
    this.bar.aside(() => this.#terminal.complainOf(name, messageOf(error)));
  }

  #note(name: string, text: string): void {
    if (!this.#quiet) this.bar.aside(() => this.#terminal.noteOf(name, text));
  }

  text(interrupted: boolean): string {
    const { files, read, present } = this.sums;
    const { elapsed } = this.bar;
    const more = [
      [this.changed.length, 'changed'],
      [this.gone.length, 'gone'],
      [this.failed, 'failed'],
    ].flatMap(([count, what]) => (count === 0 ? [] : [`${formatCount(count as number)} ${what}`]));
    const done = interrupted ? `${formatCount(files)} of ${formatFiles(this.#total)}` : formatFiles(files);
    const speed = read === 0 || elapsed === 0 ? '' : `, ${formatBytes((1000 * read) / elapsed)}/s`;
    return `${done}: ${formatBytes(read)} read, ${formatBytes(present)} already in memory, ${formatTime(elapsed)}${speed}${more.length === 0 ? '' : `; ${more.join(', ')}`}`;
  }

  get data(): object {
    return { ...this.sums, seconds: this.bar.elapsed / 1000, changed: this.changed.map(listed), gone: this.gone.map(listed) };
  }
}

function namedIn({ path, pathBytes }: CacheDump): string {
  return pathBytes === undefined ? path : textOf(Buffer.from(pathBytes, 'base64'));
}

/** The path, or also its bytes if they are not UTF-8. */
function listed(name: string): string | object {
  const path = jsonPath(name);
  return path.pathBytes === undefined ? path.path : path;
}

function bytesOf({ runs }: CacheDump): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}

async function restoreFiles(terminal: Terminal, file: string | undefined, options: RestoreCommandOptions): Promise<number> {
  const { rate } = options;
  if (rate === 0) throw new UsageError('--rate must be at least 1 byte per second');
  if (file === undefined && isatty(STDIN)) throw new UsageError('no dump given: name a file, or redirect one to standard input');
  const dumps = readDump(file);
  const work = new RestoreJob(terminal, dumps, options.quiet === true || options.json === true);
  const interrupted = await untilInterrupted(work.bar, async (signal) => {
    await restoreAll(dumps, {
      ...(rate !== undefined && { rate }),
      signal,
      onFile: (restored) => work.end(restored),
      onProgress: (progress) => work.progress(progress),
    });
  });
  return summarize(terminal, options, { text: work.text(interrupted), data: work.data, failed: work.failed, interrupted });
}
