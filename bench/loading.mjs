#!/usr/bin/env node
// node bench/loading.mjs [--processes 21]
//
// Milliseconds that `await import()` takes in a process of its own, timed inside it: of an empty module, of memmap, and
// of memmap file by file, as lib is before scripts/compile.mjs makes few files of it. Rounds go around all of them;
// the figures are the lower quartile and the median.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';

const { values } = parseArgs({ options: { processes: { type: 'string', default: '21' } } });
const processes = Number(values.processes);
if (!Number.isInteger(processes) || processes < 4) throw new TypeError(`--processes is an integer >= 4, not ${values.processes}`);

const folder = mkdtempSync(join(tmpdir(), 'memmap-loading-'));
const program = (name, specifier) => {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `const start = performance.now();\nawait import(${JSON.stringify(specifier)});\nconsole.log(performance.now() - start);\n`);
  return path;
};
writeFileSync(join(folder, 'nothing.mjs'), '');
const built = (path) => String(new URL(`../${path}`, import.meta.url));
const programs = {
  'an empty module': program('empty', String(pathToFileURL(join(folder, 'nothing.mjs')))),
  memmap: program('memmap', built('dist/index.js')),
  'memmap, file by file': program('unbundled', built('.unbundled/index.js')),
};

try {
  const times = Object.fromEntries(Object.keys(programs).map((name) => [name, []]));
  for (let round = 0; round < processes; round++) {
    for (const [name, path] of Object.entries(programs)) times[name].push(Number(execFileSync(process.execPath, [path], { encoding: 'utf8' })));
  }
  const table = new Table({ head: ['import', 'lower quartile, ms', 'median, ms'], style: { head: [], border: [] } });
  for (const [name, all] of Object.entries(times)) {
    const sorted = all.toSorted((a, b) => a - b);
    table.push([name, ...[0.25, 0.5].map((part) => sorted[Math.floor(part * sorted.length)].toFixed(1))]);
  }
  console.log(`Node ${process.versions.node}\n${table.toString()}`);
} finally {
  rmSync(folder, { recursive: true });
}
