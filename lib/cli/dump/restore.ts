// memmap restore: brings back into memory what memmap dump has written down.
import { isatty } from 'node:tty';
import { type Command, Option } from 'commander';
import { type CacheDump, type RestoreOptions, type Restored, restore } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { readDump } from './file.js';
import { UsageError, messageOf } from '../common/exit.js';
import { ProgressBar } from '../common/progress.js';
import { formatBytes, formatCount, formatFiles, formatTime, parseSize } from '../common/units.js';
import type { Terminal } from '../common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from '../common/batch.js';

interface RestoreCommandOptions extends SummaryOptions {
  readonly rate?: number;
}

export function restoreCommand(terminal: Terminal): Command {
  const command = withSummary(newCommand('restore'))
    .argument('[file]', 'what memmap dump has written; standard input without it')
    .summary('bring back what a dump has')
    .description('Brings the pages of a dump back into memory that are missing. Nothing else is read.')
    .addOption(new Option('--rate <size>', 'read at most so much in a second: 50M').argParser(parseSize))
    .action(acts((file: string | undefined, options: RestoreCommandOptions) => restoreFiles(terminal, file, options)));
  return describe(command, {
    examples: [
      { call: 'memmap restore warm.dump', what: 'as fast as the disk' },
      { call: 'memmap restore --rate 50M warm.dump', what: 'leave the disk to others, too' },
      { call: 'memmap restore < warm.dump', what: 'from standard input' },
    ],
    notes: [
      'The dump is checked before anything is read: a damaged one, or one of which the end is missing, restores nothing.',
      'Files that have changed since, or are gone, are reported and do not count as failures: of the former the same bytes are brought in, as far as the file still has them.',
      'ExecStartPre=-/usr/bin/memmap restore --quiet /var/lib/db/warm.dump in a unit warms the cache before a service starts, ExecStop=/usr/bin/memmap dump ... keeps it.',
    ],
  });
}

/** The descriptor of standard input. */
const STDIN = 0;

/** Files at a time. */
const AT_ONCE = 4;

class RestoreJob {
  readonly bar: ProgressBar;
  readonly sums = { files: 0, read: 0, present: 0, lost: 0 };
  readonly changed: string[] = [];
  readonly gone: string[] = [];
  failed = 0;
  readonly #terminal: Terminal;
  readonly #total: number;
  readonly #quiet: boolean;

  constructor(terminal: Terminal, dumps: readonly CacheDump[], quiet: boolean) {
    this.#terminal = terminal;
    this.#total = dumps.length;
    this.#quiet = quiet;
    this.bar = new ProgressBar(terminal, 'restoring', dumps.reduce((sum, cached) => sum + bytesOf(cached), 0));
  }

  /** @throws the signal's reason; what fails is reported */
  async restore(cached: CacheDump, signal: AbortSignal, limit: Pick<RestoreOptions, 'rate'>): Promise<void> {
    let shown = 0;
    const show = (done: number): void => {
      this.bar.advance(done - shown);
      shown = done;
    };
    try {
      this.#end(cached, await restore(cached, { ...limit, signal, onProgress: ({ done }) => show(done) }));
    } catch (error) {
      signal.throwIfAborted();
      this.#fail(cached, error);
    }
    show(bytesOf(cached));
  }

  #end({ path }: CacheDump, { read, present, gone, changed }: Restored): void {
    this.sums.files += 1;
    this.sums.read += read;
    this.sums.present += present;
    this.sums.lost += gone;
    if (!changed) return;
    this.changed.push(path);
    this.#note(`${path}: has changed since${gone === 0 ? '' : `, and lost ${formatBytes(gone)} of what was in memory`}`);
  }

  #fail({ path }: CacheDump, error: unknown): void {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      this.gone.push(path);
      this.#note(`${path}: is gone`);
      return;
    }
    this.failed += 1;
    this.bar.aside(() => this.#terminal.complain(`${path}: ${messageOf(error)}`));
  }

  #note(text: string): void {
    if (!this.#quiet) this.bar.aside(() => this.#terminal.note(text));
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
    return `${done}: ${formatBytes(read)} read, ${formatBytes(present)} were there, ${formatTime(elapsed)}${speed}${more.length === 0 ? '' : `; ${more.join(', ')}`}`;
  }

  get data(): object {
    return { ...this.sums, seconds: this.bar.elapsed / 1000, changed: this.changed, gone: this.gone };
  }
}

function bytesOf({ runs }: CacheDump): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}

async function restoreFiles(terminal: Terminal, file: string | undefined, options: RestoreCommandOptions): Promise<number> {
  const { rate } = options;
  if (rate === 0) throw new UsageError('--rate 0 would never end');
  if (file === undefined && isatty(STDIN)) throw new UsageError('which dump? Give a file, or standard input');
  const dumps = readDump(file);
  const work = new RestoreJob(terminal, dumps, options.quiet === true || options.json === true);
  const limit = rate === undefined ? {} : { rate };
  const interrupted = await untilInterrupted(work.bar, async (signal) => {
    const rest = dumps.values();
    const worker = async (): Promise<void> => {
      for (const cached of rest) {
        signal.throwIfAborted();
        await work.restore(cached, signal, limit);
      }
    };
    await Promise.all(Array.from({ length: rate === undefined ? AT_ONCE : 1 }, worker));
  });
  return summarize(terminal, options, { text: work.text(interrupted), data: work.data, failed: work.failed, interrupted });
}
