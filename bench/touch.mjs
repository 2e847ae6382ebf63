#!/usr/bin/env node
// node bench/touch.mjs [--files 10000] [--rounds 5] [--dir DIRECTORY] [--json]
//
// `memmap touch` beside Debian's `vmtouch -t`: small files of a dozen KiB on average, when none of them
// is in memory (cold) and when all are (warm). Wall-clock time, the start of the process included, which
// is most of what a warm run of ours takes. Rounds go around both commands; a ratio is of one round.
// Exits 1 if a bar is missed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { makeSmallFiles, median } from './harness/small-files.mjs';

const MOST_OVER_VMTOUCH = 1.2;
const TMPFS_MAGIC = 0x01021994;
/** Bytes of the files, in turn: 117 MB of 10,000. */
const SIZES = [100, 2000, 4096, 7000, 12_000, 45_000];

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

const COMMANDS = {
  'vmtouch -t': ['vmtouch', '-qt'],
  'memmap touch': [process.execPath, fileURLToPath(new URL('cli/main.js', import.meta.resolve('memmap'))), 'touch', '--quiet'],
};

/** Milliseconds. */
function time([command, ...args]) {
  const begun = performance.now();
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
  return performance.now() - begun;
}

/** Times of each command in each round, by state. */
function measure(directory) {
  const times = { cold: {}, warm: {} };
  for (let round = 0; round <= rounds; round++) {
    const names = Object.keys(COMMANDS);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      time(['vmtouch', '-qe', directory]);
      for (const state of ['cold', 'warm']) {
        const took = time([...COMMANDS[name], directory]);
        // The first round brings the programs themselves into memory.
        if (round > 0) (times[state][name] ??= []).push(took);
      }
    }
  }
  return times;
}

if (statfsSync(values.dir).type === TMPFS_MAGIC) throw new Error(`${values.dir} is in memory: give --dir on a disk`);
const directory = mkdtempSync(join(values.dir, 'memmap-touch-'));
let times;
try {
  makeSmallFiles(directory, Number(values.files), SIZES);
  times = measure(directory);
} finally {
  rmSync(directory, { recursive: true });
}

const rows = Object.entries(times).map(([state, { 'vmtouch -t': theirs, 'memmap touch': ours }]) => ({
  state,
  vmtouchMs: median(theirs),
  memmapMs: median(ours),
  ratio: median(ours.map((took, round) => took / theirs[round])),
}));
const met = rows.every(({ ratio }) => ratio <= MOST_OVER_VMTOUCH);
if (values.json) {
  console.log(JSON.stringify({ files: Number(values.files), rounds, node: process.versions.node, load: loadavg()[0], met, rows }, null, 2));
} else {
  const table = new Table({ head: [`${values.files} files`, 'vmtouch -t', 'memmap touch', 'ratio', 'bar'], style: { head: [], border: [] } });
  for (const { state, vmtouchMs, memmapMs, ratio } of rows) {
    table.push([state, `${vmtouchMs.toFixed(0)} ms`, `${memmapMs.toFixed(0)} ms`, ratio.toFixed(2), `<= ${MOST_OVER_VMTOUCH}`]);
  }
  console.log(table.toString());
  console.log(`Node ${process.versions.node}, medians of ${rounds} rounds, load ${loadavg()[0].toFixed(1)}: ${met ? 'met' : 'missed'}`);
}
if (!met) process.exitCode = 1;
