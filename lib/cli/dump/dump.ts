// memmap dump: keeps which pages of files are in memory, for memmap restore.
import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { type CacheDump, dump } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { DumpWriter } from './file.js';
import { UsageError, messageOf } from '../common/exit.js';
import { ProgressBar } from '../common/progress.js';
import { type ByteRange, formatBytes, formatCount, formatFiles, formatTime } from '../common/units.js';
import { type TargetOptions, Targets, clip, withTargets } from '../common/targets.js';
import type { Terminal } from '../common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from '../common/batch.js';

interface DumpOptions extends TargetOptions, SummaryOptions {
  readonly output?: string;
}

export function dumpCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('dump')))
    .summary('keep which pages are in memory')
    .description('Writes down which pages of files are in the page cache, for memmap restore after a restart. Not what is in them.')
    .option('-o, --output <file>', 'write there, not to standard output: all of it, or the file stays as it was')
    .action(acts((paths: string[], options: DumpOptions) => dumpTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap dump /var/lib/db -o warm.dump', what: 'before the restart' },
      { call: 'memmap restore warm.dump', what: 'after it' },
      { call: 'memmap dump data/ | ssh standby memmap restore', what: 'warm another machine, with the same files' },
    ],
    notes: [
      'The dump is lines of JSON: one that says what it is, one for each file that has pages in memory (its absolute path, size, date of last change, and runs of bytes), and one that says how many files there were.',
      'Files of which the kernel does not tell what is in memory fail: the user neither owns them nor may write to them.',
    ],
  });
}

/** What of the runs lies in `range`. */
function within(cached: CacheDump, range: ByteRange | undefined): CacheDump {
  const part = clip(cached, range);
  if (part === undefined) return { ...cached, runs: [] };
  const runs = cached.runs.flatMap((run) => {
    const offset = Math.max(run.offset, part.offset);
    const length = Math.min(run.offset + run.length, part.offset + part.length) - offset;
    return length > 0 ? [{ offset, length }] : [];
  });
  return { ...cached, runs };
}

async function dumpTargets(terminal: Terminal, paths: string[], options: DumpOptions): Promise<number> {
  const { output, range, json = false } = options;
  if (json && output === undefined) throw new UsageError('--json is a summary on standard output, where the dump goes: give --output');
  const bar = new ProgressBar(terminal, 'looking', 0);
  const sums = { files: 0, cached: 0, bytes: 0 };
  let failed = 0;
  const fail = (path: string, error: unknown): void => {
    failed += 1;
    bar.aside(() => terminal.complain(`${path}: ${messageOf(error)}`));
  };
  const targets = new Targets(paths, options, fail);
  const interrupted = await untilInterrupted(bar, async (signal) => {
    // From here on a signal takes away what it has begun.
    const writer = new DumpWriter(output, (text) => terminal.write(text));
    signal.addEventListener('abort', () => writer.abandon());
    for (const target of targets) {
      // A turn for the signal.
      await setImmediate();
      signal.throwIfAborted();
      bar.grow(target.size);
      try {
        const cached = within(dump(target.path), range);
        sums.files += 1;
        if (cached.runs.length > 0) {
          writer.add(cached);
          sums.cached += 1;
          for (const { length } of cached.runs) sums.bytes += length;
        }
      } catch (error) {
        fail(target.path, error);
      }
      bar.advance(target.size);
    }
    writer.end();
  });
  const text =
    `${formatFiles(sums.files)}, ${formatCount(sums.cached)} of them with ${formatBytes(sums.bytes)} in memory, ${formatTime(bar.elapsed)}` +
    `${failed === 0 ? '' : `; ${formatCount(failed)} failed`}${interrupted ? '; no dump is written' : ''}`;
  // The dump itself is on standard output.
  if (output === undefined && options.quiet !== true) terminal.note(interrupted ? `interrupted: ${text}` : text);
  const quiet = output === undefined || options.quiet === true;
  return summarize(terminal, { quiet, json }, { text, data: { ...sums, seconds: bar.elapsed / 1000 }, failed, interrupted });
}
