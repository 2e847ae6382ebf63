#!/usr/bin/env node
// node bench/many.mjs [--files 100000] [--rounds 7] [--dir DIRECTORY] [--quick] [--json]
//
// `memmap presence -s` beside Debian's `vmtouch`, and `memmap dump` and `restore` beside `memmap touch`: many small files
// of 13 KiB on average, all in memory when a round begins. The start of the process is included. Rounds go around the
// commands, each round in the opposite order of the one before; a ratio is of one round. Beside the wall-clock time
// stands the processor time, of the process and the kernel, which other work on the machine changes less.
// Exits 1 if a bar is missed. --quick makes 2,000 files and two rounds, and has no bars.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { makeSmallFiles, median } from './harness/small-files.mjs';

const TMPFS_MAGIC = 0x01021994;
/** Bytes of the files, in turn. */
const SIZES = [4096, 4096, 4096, 8192, 16_384, 4096, 2000, 65_536];

const { values } = parseArgs({
  options: {
    files: { type: 'string' },
    rounds: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const files = Number(values.files ?? (values.quick ? 2000 : 100_000));
const rounds = Number(values.rounds ?? (values.quick ? 2 : 7));

const memmap = (...args) => [process.execPath, fileURLToPath(new URL('cli/main.js', import.meta.resolve('memmap'))), ...args];

/** The commands, by name. */
const commandsFor = (directory, dump) => ({
  vmtouch: ['vmtouch', '-q', directory],
  'presence -s': memmap('presence', '-s', directory),
  touch: memmap('touch', '--quiet', directory),
  dump: memmap('dump', '--quiet', directory, '-o', dump),
  restore: memmap('restore', '--quiet', dump),
});

const COMPARISONS = [
  { of: 'presence -s', against: 'vmtouch', atMost: 1.3 },
  { of: 'dump', against: 'touch', atMost: 1.5 },
  { of: 'restore', against: 'touch', atMost: 1.5 },
];

/** Milliseconds: by the clock, and of the processors. bash(1) knows the latter of a process that has ended. */
function time(command) {
  const begun = performance.now();
  const { status, error, stderr } = spawnSync('bash', ['-c', 'TIMEFORMAT="%3U %3S"; time "$@"', 'bash', ...command], { encoding: 'utf8' });
  const wall = performance.now() - begun;
  if (error !== undefined || status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? stderr}`);
  const [user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number);
  return { wall, cpu: (user + system) * 1000 };
}

/** Times of each command in each round. */
function measure(directory, dump) {
  const commands = commandsFor(directory, dump);
  const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  time(commands.touch);
  time(commands.dump);
  for (let round = 0; round <= rounds; round++) {
    const names = Object.keys(commands);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const took = time(commands[name]);
      // The first round brings the programs themselves into memory.
      if (round > 0) times[name].push(took);
    }
  }
  return times;
}

if (statfsSync(values.dir).type === TMPFS_MAGIC) throw new Error(`${values.dir} is in memory: give --dir on a disk`);
const directory = mkdtempSync(join(values.dir, 'memmap-many-'));
let times;
try {
  mkdirSync(join(directory, 'files'));
  makeSmallFiles(join(directory, 'files'), files, SIZES);
  times = measure(join(directory, 'files'), join(directory, 'dump'));
} finally {
  rmSync(directory, { recursive: true });
}

const rows = COMPARISONS.map(({ of, against, atMost }) => {
  const ratio = (clock) => median(times[of].map((took, round) => took[clock] / times[against][round][clock]));
  const middle = (name, clock) => median(times[name].map((took) => took[clock]));
  return {
    of, against, atMost,
    ms: middle(of, 'wall'), againstMs: middle(against, 'wall'), ratio: ratio('wall'),
    cpuMs: middle(of, 'cpu'), againstCpuMs: middle(against, 'cpu'), cpuRatio: ratio('cpu'),
  };
});
const met = values.quick || rows.every(({ ratio, atMost }) => ratio <= atMost);
if (values.json) {
  console.log(JSON.stringify({ files, rounds, node: process.versions.node, load: loadavg()[0], met, rows }, null, 2));
} else {
  const table = new Table({ head: [`${files} files`, 'time', 'against', 'time', 'ratio', 'bar', 'processor time', 'against', 'ratio'], style: { head: [], border: [] } });
  for (const { of, against, atMost, ms, againstMs, ratio, cpuMs, againstCpuMs, cpuRatio } of rows) {
    table.push([
      of, `${ms.toFixed(0)} ms`, against, `${againstMs.toFixed(0)} ms`, ratio.toFixed(2), values.quick ? '' : `<= ${atMost}`,
      `${cpuMs.toFixed(0)} ms`, `${againstCpuMs.toFixed(0)} ms`, cpuRatio.toFixed(2),
    ]);
  }
  console.log(table.toString());
  console.log(`Node ${process.versions.node}, medians of ${rounds} rounds, load ${loadavg()[0].toFixed(1)}${values.quick ? '' : `: ${met ? 'met' : 'missed'}`}`);
}
if (!met) process.exitCode = 1;
