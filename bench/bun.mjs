#!/usr/bin/env node
// node bench/bun.mjs --bun PATH [--rounds 7] [--dir DIRECTORY] [--quick] [--json]
//
// In Bun: map a file, read its first byte and close the mapping, beside a JavaScript heap of 300 MB; against Bun.mmap(),
// which has no close. Each way runs in processes of its own, one after the other, each of which makes the heap and
// warms up; rounds go around the ways, and a ratio is of one round. Beside the wall-clock time stands the processor
// time, which has that of the collector's threads. Exits 1 if a bar is missed. --quick: a small heap, and no bars.
//
// Bun is in the npm package @oven/bun-linux-x64.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';

const MOST_OVER_BUN = 5;
const SIZES = [2 ** 12, 2 ** 20, 2 ** 26];
const WAYS = ['Bun.mmap', 'memmap', "memmap, buffer: 'array'", 'memmap, no buffer'];

const { values } = parseArgs({
  options: {
    bun: { type: 'string', default: 'bun' },
    rounds: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 7));
const CASE = fileURLToPath(new URL('harness/bun-case.mjs', import.meta.url));

/** Microseconds of one turn: by the clock, and of the processors. */
function measure(way, file, size) {
  const { status, error, stdout, stderr } = spawnSync(values.bun, [CASE, way, file, String(size), ...(values.quick ? ['quick'] : [])], { encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Error(`${values.bun}: ${error?.message ?? stderr}`);
  return JSON.parse(stdout);
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const directory = mkdtempSync(join(values.dir, 'memmap-bun-'));
const rows = [];
let version;
try {
  for (const size of SIZES) {
    const file = join(directory, `${size}`);
    writeFileSync(file, Buffer.alloc(size, 7));
    const times = Object.fromEntries(WAYS.map((way) => [way, []]));
    for (let round = 0; round < rounds; round++) {
      for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) times[way].push(measure(way, file, size));
    }
    for (const way of WAYS) {
      const ratio = (clock) => median(times[way].map((took, round) => took[clock] / times['Bun.mmap'][round][clock]));
      version = times[way][0].version;
      rows.push({ size, way, wallUs: median(times[way].map(({ wall }) => wall)), cpuUs: median(times[way].map(({ cpu }) => cpu)), ratio: ratio('wall'), cpuRatio: ratio('cpu') });
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}

const met = values.quick || rows.every(({ way, ratio }) => way !== 'memmap' || ratio <= MOST_OVER_BUN);
if (values.json) {
  console.log(JSON.stringify({ bun: version, rounds, load: loadavg()[0], met, rows }, null, 2));
} else {
  const table = new Table({ head: ['file', 'way', 'time', 'ratio', 'processor time', 'ratio', 'bar'], style: { head: [], border: [] } });
  for (const { size, way, wallUs, cpuUs, ratio, cpuRatio } of rows) {
    table.push([`${size / 1024} KiB`, way, `${wallUs.toFixed(1)} µs`, ratio.toFixed(2), `${cpuUs.toFixed(1)} µs`, cpuRatio.toFixed(2), way === 'memmap' && !values.quick ? `<= ${MOST_OVER_BUN}` : '']);
  }
  console.log(table.toString());
  console.log(`Bun ${version}, medians of ${rounds} processes, load ${loadavg()[0].toFixed(1)}${values.quick ? '' : `: ${met ? 'met' : 'missed'}`}`);
}
if (!met) process.exitCode = 1;
