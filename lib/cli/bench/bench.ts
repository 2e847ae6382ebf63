// memmap bench: compares the speed of memmap with Node's own APIs on this machine.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { mapFile } from '../../index.js';
import { type Contest, type Ground, QUESTIONS, type Way } from './workloads.js';
import { acts, describe, newCommand } from '../common/command.js';
import { EXIT, UsageError, interruptible } from '../common/exit.js';
import { jsonPath, pathNamed, textOf } from '../common/names.js';
import { formatBytes } from '../common/units.js';
import type { Terminal } from '../common/terminal.js';

interface BenchOptions {
  readonly json?: boolean;
  readonly file?: string;
}

const SIZE = 128 * 2 ** 20;
const BLOCK = 4 * 2 ** 20;
/** Node reads the file at once: a larger one would measure the machine's memory. */
const LARGEST = 2 ** 30;
const SMALLEST = 4096;
/** Rounds of a question: as many as the time allows, within these. */
const ROUNDS = { least: 3, most: 15 } as const;
/** Milliseconds for a question. */
const TIME = 900;

export function benchCommand(terminal: Terminal): Command {
  const command = newCommand('bench')
    .summary("compare memmap with Node's own APIs on this machine")
    .description("Compares the speed of memmap with Node's own APIs on this machine: opening, reading, counting, writing, flushing, messages. Takes about 10 seconds, and 140 MB of disk meanwhile.")
    .option('--json', 'print JSON')
    .option('--file <file>', 'benchmark with this file (at most 1 GiB) instead of a generated one; it is only read, writes go to a temporary file next to it')
    .action(acts((options: BenchOptions) => bench(terminal, options)));
  return describe(command, {
    examples: [
      { call: 'memmap bench', what: 'on the file system of the directory for temporary files' },
      { call: 'memmap bench --file /data/big.csv', what: 'with your own file, on its file system' },
      { call: 'memmap bench --json > figures.json', what: 'results for programs' },
    ],
    notes: [
      "Rounds of memmap and of Node alternate. The table shows the median of each, and the median of the ratios of the rounds. Files are in the page cache when they are read, so the work of Node and memmap is measured and not the disk, except in flushing. On tmpfs there is no disk to flush to.",
      'This is the short benchmark. The full one is in the repository: it also compares C programs and other packages, and runs each case in its own process. Run it with npm run bench; bench/README.md describes it.',
    ],
  });
}

/** Nanoseconds per operation, and the calls that were measured. */
interface Figure {
  readonly name: string;
  readonly nanoseconds: number;
}

interface Result {
  readonly title: string;
  readonly rounds: number;
  readonly memmap: Figure;
  readonly node?: Figure;
  /** How many times as fast memmap is. */
  readonly ratio?: number;
}

function bench(terminal: Terminal, { json = false, file }: BenchOptions): Promise<number> {
  if (file !== undefined) validateFile(file);
  return interruptible(async (signal) => {
    const prefix = pathNamed(join(file === undefined ? tmpdir() : dirname(file), '.memmap-bench-'));
    // Its type lacks the Buffer that Node takes.
    const directory = textOf(mkdtempSync(prefix as string, 'buffer'));
    try {
      const path = file ?? (await makeFile(join(directory, 'read.bin'), terminal, signal));
      const machine = machineOf(path);
      if (!json) terminal.line(`${machineText(machine)}\n`);
      const results = await ask({ path, directory }, terminal, signal);
      if (json) terminal.json({ machine, results });
      else terminal.line(tableOf(results, terminal));
      return EXIT.done;
    } finally {
      status(terminal, '');
      rmSync(pathNamed(directory), { recursive: true, force: true });
    }
  });
}

function validateFile(path: string): void {
  const found = statSync(pathNamed(path));
  if (!found.isFile()) throw new UsageError(`${path} is not a file`);
  if (found.size < SMALLEST) throw new UsageError(`${path} has ${formatBytes(found.size)}: it must have at least ${formatBytes(SMALLEST)}`);
  if (found.size > LARGEST) throw new UsageError(`${path} has ${formatBytes(found.size)}: it may have at most ${formatBytes(LARGEST)}`);
}

/** Shows the present step on a terminal; '' removes it. */
function status(terminal: Terminal, text: string): void {
  if (terminal.showsProgress) terminal.progressStream.write(`\r\x1b[K${text}`);
}

async function makeFile(path: string, terminal: Terminal, signal: AbortSignal): Promise<string> {
  const numbers = Float64Array.from({ length: BLOCK / Float64Array.BYTES_PER_ELEMENT }, (_none, index) => index / 7);
  const fd = openSync(pathNamed(path), 'wx');
  try {
    for (let at = 0; at < SIZE; at += BLOCK) {
      status(terminal, `writing ${path}: ${formatBytes(at)} of ${formatBytes(SIZE)}`);
      for (let done = 0; done < BLOCK; ) done += writeSync(fd, numbers, done, BLOCK - done);
      await turn();
      signal.throwIfAborted();
    }
  } finally {
    closeSync(fd);
  }
  return path;
}

/** Reads the file into the page cache, so that no measured round waits for the disk. */
async function warm(path: string, signal: AbortSignal): Promise<void> {
  const block = Buffer.allocUnsafe(BLOCK);
  const fd = openSync(pathNamed(path), 'r');
  try {
    while (readSync(fd, block) > 0) {
      await turn();
      signal.throwIfAborted();
    }
  } finally {
    closeSync(fd);
  }
}

async function ask(ground: Ground, terminal: Terminal, signal: AbortSignal): Promise<Result[]> {
  await warm(ground.path, signal);
  const results: Result[] = [];
  for (const [index, question] of QUESTIONS.entries()) {
    const contest = question(ground);
    try {
      status(terminal, `${index + 1} of ${QUESTIONS.length}: ${contest.title}`);
      results.push(await measure(contest, signal));
    } finally {
      contest.end?.();
    }
  }
  return results;
}

async function timed({ run }: Way, operations: number): Promise<{ found: unknown; time: number }> {
  const start = performance.now();
  const found = await run();
  return { found, time: ((performance.now() - start) * 1e6) / operations };
}

async function measure({ title, operations, ours, theirs }: Contest, signal: AbortSignal): Promise<Result> {
  const times: { ours: number; theirs: number }[] = [];
  const started = performance.now();
  // The first round compiles the code and fills the page tables: it is not counted.
  for (let round = -1; round < ROUNDS.least || (round < ROUNDS.most && performance.now() - started < TIME); round++) {
    const all = new Map<Way, { found: unknown; time: number }>();
    const ways = theirs === undefined ? [ours] : round % 2 === 0 ? [ours, theirs] : [theirs, ours];
    for (const way of ways) {
      all.set(way, await timed(way, operations));
      await turn();
      signal.throwIfAborted();
    }
    const [one, other] = [all.get(ours), all.get(theirs ?? ours)] as [{ found: unknown; time: number }, { found: unknown; time: number }];
    if (!Object.is(one.found, other.found)) throw new Error(`${title}: ${ours.name} found ${String(one.found)}, ${theirs?.name} ${String(other.found)}. Did the file change?`);
    if (round >= 0) times.push({ ours: one.time, theirs: other.time });
  }
  const memmap = { name: ours.name, nanoseconds: median(times.map((time) => time.ours)) };
  if (theirs === undefined) return { title, rounds: times.length, memmap };
  return {
    title,
    rounds: times.length,
    memmap,
    node: { name: theirs.name, nanoseconds: median(times.map((time) => time.theirs)) },
    ratio: median(times.map((time) => time.theirs / time.ours)),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] as number;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
}

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly kernel: string;
  readonly node: string;
  /** Runnable processes, on average over the last minute. */
  readonly load: number;
  readonly file: { readonly path: string; readonly size: number; readonly filesystem: string };
}

function machineOf(path: string): Machine {
  const file = mapFile(pathNamed(path));
  const { filesystem, length: size } = file;
  file.close();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    kernel: release(),
    node: process.version,
    load: loadavg()[0] ?? 0,
    file: { ...jsonPath(path), size, filesystem },
  };
}

function machineText({ cpu, cores, memory, kernel, node, load, file }: Machine): string {
  const busy = load > cores / 2 ? `\nThe machine is busy (load ${load.toFixed(1)} on ${cores} cores): the figures are rough.` : '';
  const nowhere = file.filesystem === 'tmpfs' ? '\ntmpfs has no disk: flushing does nothing there.' : '';
  return `${cpu}, ${cores} cores, ${formatBytes(memory)}; Linux ${kernel}; Node ${node}\n${formatBytes(file.size)} on ${file.filesystem}${nowhere}${busy}`;
}

/** '12.3 ns', '4.56 ms': three significant digits. */
function durationText(nanoseconds: number): string {
  const units = ['ns', 'us', 'ms', 's'];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(nanoseconds) / 3)));
  const value = nanoseconds / 1000 ** unit;
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${units[unit]}`;
}

function figureText({ name, nanoseconds }: Figure): string {
  return `${durationText(nanoseconds)}\n${name}`;
}

/** A table without lines. */
const BARE = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ',
} as const;

function tableOf(results: readonly Result[], { colors }: Terminal): string {
  const table = new Table({
    head: ['', 'memmap', 'Node', 'as fast'].map((title) => colors.bold(title)),
    chars: BARE,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  for (const { title, memmap, node, ratio } of results) {
    const times = ratio === undefined ? '' : `${ratio < 10 ? ratio.toPrecision(2) : Math.round(ratio)} times`;
    table.push([title, figureText(memmap), node === undefined ? 'not possible' : figureText(node), colors.bold(times)]);
  }
  return table.toString().replaceAll(/ +$/gm, '');
}
