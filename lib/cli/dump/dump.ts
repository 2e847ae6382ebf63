// memmap dump: records which pages of files are in memory, for memmap restore.
import type { Command } from 'commander';
import { type CacheDump, dumpAll } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { DumpWriter } from './file.js';
import { UsageError, messageOf } from '../common/exit.js';
import { nameOf, pathNamed } from '../common/names.js';
import { ProgressBar } from '../common/progress.js';
import { type ByteRange, formatBytes, formatCount, formatFiles, formatTime } from '../common/units.js';
import { HardLinks, type TargetOptions, Targets, clip, withTargets } from '../common/targets.js';
import type { Terminal } from '../common/terminal.js';
import { type SummaryOptions, summarize, untilInterrupted, withSummary } from '../common/batch.js';

interface DumpOptions extends TargetOptions, SummaryOptions {
  readonly output?: string;
}

export function dumpCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('dump')))
    .summary('record which pages are in memory')
    .description('Records which pages of files are in the page cache, but not their contents, for memmap restore after a restart.')
    .option('-o, --output <file>', 'write to this file instead of standard output; it is replaced only when the dump is complete')
    .action(acts((paths: string[], options: DumpOptions) => dumpTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap dump /var/lib/db -o warm.dump', what: 'before the restart' },
      { call: 'memmap restore warm.dump', what: 'after the restart' },
      { call: 'memmap dump data/ | ssh standby memmap restore', what: 'warm another machine, with the same files' },
    ],
    notes: [
      'The dump consists of lines of JSON: a header, a line for each file that has pages in memory (its absolute path, size, date of last change, and runs of bytes), and a last line with the number of files.',
      'Files that the user neither owns nor may write to fail, because the kernel does not report which of their pages are in memory.',
    ],
  });
}

/** The parts of the runs that lie in `range`. */
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
  if (json && output === undefined) throw new UsageError('--json prints the summary to standard output, where the dump goes: add --output FILE');
  const bar = new ProgressBar(terminal, 'looking', 0);
  const sums = { files: 0, cached: 0, bytes: 0 };
  let failed = 0;
  const fail = (path: string, error: unknown): void => {
    failed += 1;
    bar.aside(() => terminal.complainOf(path, messageOf(error)));
  };
  const add = (whole: CacheDump, writer: DumpWriter): void => {
    const cached = range === undefined ? whole : within(whole, range);
    sums.files += 1;
    if (cached.runs.length === 0) return;
    writer.add(cached);
    sums.cached += 1;
    for (const { length } of cached.runs) sums.bytes += length;
  };
  const targets = new Targets(paths, options, fail);
  const interrupted = await untilInterrupted(bar, async (signal) => {
    // From here on a signal removes the unfinished file.
    const writer = new DumpWriter(output, (text) => terminal.write(text));
    signal.addEventListener('abort', () => writer.abandon());
    const links = new HardLinks(options.hardLinks === true);
    /** Further files are searched for while the first are looked at. Only the bar needs their sizes. */
    function* found(): Generator<string | Buffer, void, undefined> {
      for (const { path, size = 0 } of terminal.showsProgress ? targets : targets.unseen()) {
        bar.grow(size);
        yield pathNamed(path);
      }
    }
    await dumpAll(found(), {
      signal,
      onFile: ({ path, identity, cached, error }) => {
        if (links.again(identity)) return;
        bar.advance(cached?.size ?? 0);
        if (cached === undefined) fail(nameOf(path), error);
        else add(cached, writer);
      },
    });
    writer.end();
  });
  const text =
    `${formatFiles(sums.files)}, ${formatCount(sums.cached)} of them with ${formatBytes(sums.bytes)} in memory, ${formatTime(bar.elapsed)}` +
    `${failed === 0 ? '' : `; ${formatCount(failed)} failed`}${interrupted ? '; no dump was written' : ''}`;
  // The dump itself is on standard output.
  if (output === undefined && options.quiet !== true) terminal.note(interrupted ? `interrupted: ${text}` : text);
  const quiet = output === undefined || options.quiet === true;
  return summarize(terminal, { quiet, json }, { text, data: { ...sums, seconds: bar.elapsed / 1000 }, failed, interrupted });
}
