// Writes the table of docs/ways-out.md: write.mjs. Runs every way out in the runtimes that are here: this Node,
// those of .cache/node (scripts/node-versions.mjs), Bun and Deno of test/packages. Columns of others stay.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENT, columnOf, tryWaysOut, withTable } from '../../support/boundary/ways-out.mjs';
import { runtimeCommand } from '../../support/process/packages.mjs';

const CACHE = join('.cache', 'node');
const cached = existsSync(CACHE) ? readdirSync(CACHE).map((version) => join(CACHE, version, 'package', 'bin', 'node')) : [];
const nodes = [process.execPath, ...cached.filter((path) => existsSync(path)).toSorted()];

const versionOf = (program) => execFileSync(program, ['--version'], { encoding: 'utf8' }).match(/\d+\.\d+\.\d+/)[0];
const runtimes = [
  ...nodes.map((path) => [{ node: versionOf(path) }, [path]]),
  ...['Bun', 'Deno'].map((name) => [name, runtimeCommand(name)])
    .filter(([, command]) => command !== undefined)
    .map(([name, command]) => [{ [name.toLowerCase()]: versionOf(command[0]) }, command]),
];

const found = {};
for (const [versions, command] of runtimes) {
  const column = columnOf(versions);
  console.log(`${column}: ${Object.values(versions)[0]}`);
  found[column] = await tryWaysOut(command);
}
writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), found));
