#!/usr/bin/env node
// node bench/store-growth.mjs [--pairs 1e6,3e6,10e6] [--dir DIRECTORY]
//
// What a store costs as it grows, beside lmdb and plain memory: time of put, get and getView,
// size of the file, resident memory. Takes minutes, and disk space of 1.5 times the pairs'. Writes
// bench/results/store-growth.json, and docs/images/store-growth.svg of it. Exits 1 if a bar is missed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { installRivals } from './harness/install.mjs';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
/** Bytes of the file, and of the disk, over those of keys and values. */
const MOST_OVER_DATA = 1.5;
const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '1e6,3e6,10e6' },
    dir: { type: 'string', default: here('../.cache/bench') },
    json: { type: 'string', default: here('results/store-growth.json') },
    svg: { type: 'string', default: here('../docs/images/store-growth.svg') },
  },
});

installRivals();
const { makeFiles } = await import('./harness/files.mjs');
const { drawGrowth } = await import('./harness/growth-plot.mjs');
const { stores } = makeFiles(values.dir, { stores: { kind: 'directory' } });

const rows = [];
for (const pairs of values.pairs.split(',').map(Number)) {
  for (const store of ['Store', 'lmdb', 'memory']) {
    console.error(`${store}, ${pairs} pairs`);
    const path = join(stores, `growth-${store}`);
    const output = execFileSync(process.execPath, [here('harness/growth-case.mjs'), store, path, String(pairs)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    rows.push({ load: loadavg()[0], ...JSON.parse(output) });
  }
}

const table = new Table({
  head: ['Pairs', '', 'put', 'get', 'getView', 'File / data', 'Disk / data', 'Mapped, resident', 'RSS', 'Load'],
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
});
const ns = (value) => (value === undefined ? '' : `${value.toFixed(0)} ns`);
const over = (bytes, data) => (bytes === undefined ? '' : (bytes / data).toFixed(2));
const mib = (bytes) => (bytes === undefined ? '' : `${(bytes / MIB).toFixed(0)} MiB`);
for (const row of rows) {
  table.push([
    `${row.pairs / 1e6} M`,
    row.store,
    ns(row.putNs),
    ns(row.getNs),
    ns(row.getViewNs),
    over(row.fileBytes, row.dataBytes),
    over(row.diskBytes, row.dataBytes),
    mib(row.mappedRss),
    mib(row.rss),
    row.load.toFixed(1),
  ]);
}
console.log(table.toString());

const ours = rows.filter(({ store }) => store === 'Store');
const met = ours.every(({ fileBytes, diskBytes, dataBytes }) => Math.max(fileBytes, diskBytes) <= MOST_OVER_DATA * dataBytes);
console.log(`File and disk at most ${MOST_OVER_DATA} times the data: ${met ? 'met' : 'missed'}`);
if (!met) process.exitCode = 1;

const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.versions.node,
  cpu: cpus()[0].model,
  cores: cpus().length,
  kernel: release(),
  rows,
};
for (const file of [values.json, values.svg]) mkdirSync(join(file, '..'), { recursive: true });
writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(values.svg, await drawGrowth(rows));
