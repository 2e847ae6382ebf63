// memmap presence: which pages of files are in memory, as pictures.
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { type Residency, mapFile, residencyOfAll } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { EXIT, UsageError, interruptible, messageOf } from '../common/exit.js';
import { type Picture, pictureOf } from '../picture/picture.js';
import { JsonReport, type Presence, type Report, TextReport } from './report.js';
import { nameOf, pathNamed } from '../common/names.js';
import { mappingsOf } from './process.js';
import { type ByteRange, parseCount, parseTime } from '../common/units.js';
import { HardLinks, type TargetOptions, Targets, clip, withTargets } from '../common/targets.js';
import type { Terminal } from '../common/terminal.js';

interface PresenceOptions extends TargetOptions {
  readonly summary?: boolean;
  readonly json?: boolean;
  readonly png?: string;
  readonly svg?: string;
  readonly html?: string;
  readonly watch?: boolean;
  readonly interval?: number;
  readonly pid?: number;
  readonly all?: boolean;
}

const CLAIMED = 'you neither own the file nor may write to it, so the kernel reports every page as resident';
const EVERY = 1000;

export function presenceCommand(terminal: Terminal): Command {
  const command = withTargets(newCommand('presence'))
    .summary('show which pages of files are in memory')
    .description('Shows which pages of files are in the page cache: resident, dirty, being written, evicted. Reads nothing from the disk.')
    .option('-s, --summary', 'print only the totals')
    .option('--json', 'print JSON')
    .option('--png <file>', 'draw a picture as PNG')
    .option('--svg <file>', 'draw a picture as SVG')
    .option('--html <file>', 'make an HTML page to explore with the mouse')
    .option('-w, --watch', 'repeat until SIGINT')
    .addOption(new Option('--interval <time>', 'time between repetitions of --watch: 2, 500ms').default(EVERY, '1s').argParser(parseTime).implies({ watch: true }))
    .addOption(new Option('--pid <pid>', 'show the mappings of the files (default: of all files) in this process: which pages are in its page tables, only in the page cache, or in swap').argParser(parseCount))
    .option('--all', 'with --pid: also show mappings without a file')
    .action(acts((paths: string[], options: PresenceOptions) => presence(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap presence /var/lib/db/*.db', what: 'a map of each file' },
      { call: 'memmap presence --watch data/', what: 'live, all files below data/' },
      { call: 'memmap presence --html cache.html *.idx', what: 'an interactive page' },
      { call: 'memmap presence -s --json / -F -i "*.log"', what: 'totals of a file system, without logs' },
      { call: 'find . -name "*.so" -print0 | memmap presence -0 -b -', what: 'a list of files' },
      { call: 'memmap presence --pid 1234 data.db', what: 'its pages in process 1234' },
    ],
    notes: [
      'Directories are searched with everything below them. By default symbolic links inside them are not followed, and a file with several names counts once. The given paths themselves may be links, or block devices such as /dev/vda.',
      'Before Linux 6.5, and on some file systems, dirty, written and evicted pages cannot be distinguished from others. If the user neither owns a file nor may write to it, the kernel reports all pages as resident: the command then marks the result as unreliable.',
      "A name that is not UTF-8, or has control characters, is quoted on a terminal as ls(1) does: 'x'$'\\377'. In a pipe its bytes are as they are; in JSON pathBytes has those that are not UTF-8, in base64.",
      'In ASCII: # is in memory, + and : in part, * dirty, > being written, - evicted, . not in memory, @ in the page tables, s in swap.',
    ],
  });
}

function validate({ json, watch, png, svg, html, summary, pid, all, range }: PresenceOptions): void {
  const pictures = png !== undefined || svg !== undefined || html !== undefined;
  if (watch === true && (json === true || pictures)) throw new UsageError('--watch writes to the terminal: it cannot be combined with --json, --png, --svg or --html');
  if (summary === true && pictures) throw new UsageError('--summary cannot be combined with --png, --svg or --html');
  if (all === true && pid === undefined) throw new UsageError('--all requires --pid');
  if (range !== undefined && pid !== undefined) throw new UsageError('--range and --pid cannot be combined: a range is a part of files');
}

async function presence(terminal: Terminal, paths: string[], options: PresenceOptions): Promise<number> {
  validate(options);
  if (options.watch === true) return showAgain(terminal, paths, options);
  const report = options.json === true ? new JsonReport(terminal, options.summary === true) : new TextReport(terminal, options.summary === true);
  const pictures = await tell(report, paths, options);
  await draw(pictures, options);
  return report.failures > 0 ? EXIT.failed : EXIT.done;
}

/** Calls `show` for each file, or each mapping of a process, in order. */
async function find(paths: readonly string[], options: PresenceOptions, report: Report, show: (one: Presence) => void, signal?: AbortSignal): Promise<void> {
  const { pid, range, hardLinks = false } = options;
  const fail = (path: string, error: unknown): void => report.failure(path, messageOf(error));
  if (pid !== undefined) {
    for (const one of mappingsOf(pid, paths, options.all === true, fail)) show(one);
    return;
  }
  const targets = new Targets(paths, options, fail, deviceSize);
  const links = new HardLinks(hardLinks);
  await residencyOfAll(targets.paths(), {
    ...range,
    signal,
    onFile: (found) => {
      const path = nameOf(found.path);
      if (found.error !== undefined) {
        fail(path, found.error);
        return;
      }
      if (links.again(found.identity)) return;
      const one = presenceOf(path, found as Known, range);
      if (one !== undefined) show(one);
    },
  });
}

function deviceSize(path: string): number {
  const device = mapFile(pathNamed(path), { noReserve: true });
  try {
    return device.length;
  } finally {
    device.close();
  }
}

interface Known {
  readonly size: number;
  readonly residency: Residency;
}

/** Undefined if the file ends before the range. */
function presenceOf(path: string, { size, residency }: Known, range: ByteRange | undefined): Presence | undefined {
  if (clip({ size }, range) === undefined) return undefined;
  const picture = pictureOf(path, residency, residency.trust === 'claimed' ? CLAIMED : undefined);
  return { path, size, picture, detailed: residency.dirty !== undefined };
}

/** Reports all files, and returns the pictures to draw. */
async function tell(report: Report, paths: readonly string[], options: PresenceOptions, signal?: AbortSignal): Promise<readonly Picture[]> {
  const { png, svg, html } = options;
  const keep = png !== undefined || svg !== undefined || html !== undefined;
  const pictures: Picture[] = [];
  const told = (one: Presence): void => {
    report.file(one);
    if (keep) pictures.push(one.picture);
  };
  await find(paths, options, report, told, signal);
  report.end();
  return pictures;
}

async function draw(pictures: readonly Picture[], { png, svg, html }: PresenceOptions): Promise<void> {
  if (png !== undefined) writeFileSync(pathNamed(png), (await import('../picture/png.js')).pngOf(pictures));
  if (svg !== undefined) writeFileSync(pathNamed(svg), (await import('../picture/svg.js')).svgOf(pictures));
  if (html !== undefined) writeFileSync(pathNamed(html), (await import('../picture/html/html.js')).htmlOf(pictures));
}

const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const OTHER_SCREEN = '\x1b[?1049h\x1b[?25l';
const BACK = '\x1b[?25h\x1b[?1049l';

/** Repeats the report until SIGINT, on the alternate screen of a terminal. */
function showAgain(terminal: Terminal, paths: readonly string[], options: PresenceOptions): Promise<number> {
  const interactive = terminal.isInteractive;
  if (interactive) terminal.write(OTHER_SCREEN);
  const shown = interruptible(async (signal) => {
    for (;;) {
      const frame = terminal.frame();
      await tell(new TextReport(frame, options.summary === true), paths, options, signal);
      if (interactive) {
        const lines = frame.text.split('\n').slice(0, terminal.rows - 1);
        terminal.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\n')}${CLEAR_BELOW}`);
      } else {
        terminal.line(`${new Date().toISOString()}\n${frame.text}`);
      }
      await delay(options.interval, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  });
  return shown
    .then((code) => (code === EXIT.interrupted ? EXIT.done : code))
    .finally(() => {
      if (interactive) terminal.write(BACK);
    });
}
