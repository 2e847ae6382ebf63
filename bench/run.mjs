#!/usr/bin/env node
// npm run bench [-- question ...] [--quick] [--json] [--node PATH] [--dir DIRECTORY] [--clock cpu]
//
// Each question is a file <question>.bench.mjs. Each of its cases runs in a process of its
// own; rounds go around the cases, so that what else the machine does hits all alike.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { start } from './harness/contender.mjs';
import { buildNative, installRivals } from './harness/install.mjs';
import { judge } from './harness/judge.mjs';
import { printTable } from './harness/table.mjs';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const QUESTIONS = readdirSync(here('.'))
  .filter((file) => file.endsWith('.bench.mjs'))
  .map((file) => file.slice(0, -'.bench.mjs'.length));

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        node: { type: 'string', default: process.execPath },
        dir: { type: 'string', default: here('../.cache/bench') },
        clock: { type: 'string', default: 'wall' },
        rounds: { type: 'string', default: '7' },
        sittings: { type: 'string', default: '3' },
      },
    });
  } catch (error) {
    throw new Usage(error.message);
  }
}

class Usage extends Error {}

/** Runs the cases of a question in turns. `results`: per case, of every round. */
async function measure(question, definition, { values, node, files }) {
  const rounds = values.quick ? 2 : Number(values.rounds);
  const sittings = values.quick ? 1 : Number(values.sittings);
  const results = new Map(definition.cases.map(({ name }) => [name, []]));
  const missing = new Map();
  for (let sitting = 0; sitting < sittings; sitting++) {
    const running = new Map();
    try {
      for (const entry of definition.cases) {
        if (missing.has(entry.name)) continue;
        await tolerated(entry, missing, async () => {
          running.set(entry, await start(entry, { question, node, files, quick: values.quick }));
        });
      }
      // The first round warms up the compiler and the page tables, and does not count.
      for (let round = 0; round <= rounds; round++) {
        for (const [entry, contender] of rotated([...running], round)) {
          if (missing.has(entry.name)) continue;
          await tolerated(entry, missing, async () => {
            const result = await contender.round();
            agree(definition, entry, result.value);
            if (round > 0) results.get(entry.name).push(result);
          });
        }
      }
    } finally {
      await Promise.all([...running.values()].map((contender) => contender.end()));
    }
  }
  return { results, missing };
}

/** A rival may be unable to do it, or not be built for this Node; memmap and the C programs may not. */
async function tolerated(entry, missing, act) {
  try {
    await act();
  } catch (error) {
    if (!entry.rival) throw error;
    missing.set(entry.name, error.message);
  }
}

const rotated = (list, by) => list.map((_, i) => list[(i + by) % list.length]);

/** Every case of a group must find the same. */
const expected = new Map();
function agree({ title }, { name, group = '' }, value) {
  const key = `${title} ${group}`;
  if (!expected.has(key)) expected.set(key, value);
  if (expected.get(key) === value) return;
  throw new Error(`${title}: '${name}' found ${value}, others ${expected.get(key)}`);
}

async function main() {
  const { values, positionals } = commandLine();
  const unknown = positionals.find((name) => !QUESTIONS.includes(name));
  if (unknown !== undefined) throw new Usage(`There is no question '${unknown}'. There are: ${QUESTIONS.join(', ')}`);
  const node = execFileSync(values.node, ['-p', 'process.execPath'], { encoding: 'utf8' }).trim();
  const version = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
  installRivals(values.quick);
  buildNative();
  // Imports memmap by its name, which only installRivals() made one.
  const { makeFiles } = await import('./harness/files.mjs');

  const rows = [];
  for (const name of positionals.length > 0 ? positionals : QUESTIONS) {
    const path = here(`${name}.bench.mjs`);
    const { default: definition } = await import(pathToFileURL(path));
    const wanted = definition.files(values.quick);
    console.error(`${name}: ${definition.cases.length} cases`);
    const files = makeFiles(values.dir, wanted);
    const measured = await measure(pathToFileURL(path).href, definition, { values, node, files });
    rows.push(...judge(name, definition, measured, { version, clock: values.clock, enforce: !values.quick }));
  }
  const machine = { node: version, cpu: cpus()[0].model, cores: cpus().length, kernel: release() };
  const report = { date: new Date().toISOString().slice(0, 10), ...machine, quick: values.quick, clock: values.clock, rows };
  if (values.json) console.log(JSON.stringify(report, null, 2));
  else printTable(report);
}

main().catch((error) => {
  console.error(error instanceof Usage ? error.message : error.stack);
  process.exitCode = error instanceof Usage ? 2 : 1;
});
