// Runs test files: side by side, in mocha processes of a few files each; then those that bear no
// other beside them. The last lines are mocha's: counts and failures of all of them.
// Usage: test.mjs [FILE ...] [--long | --all] [--smoke] [--ignore PATTERN] [--listed FILE] [-- MOCHA OPTION ...]
// --smoke: of these, what an engine can do differently.
// --listed: runs the test files that are named in FILE, a line each. The environment's MEMMAP_MISSED is
// such a file, to be written: of those that looked for a program and found none.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isAlone, testFiles } from './test-files.mjs';

const require = createRequire(import.meta.url);
const MOCHA = require.resolve('mocha/bin/mocha.js');
const REPORTER = require.resolve('./test-reporter.cjs');

/** A process takes about half a second to start; a crash costs a batch. */
const FILES_OF_A_BATCH = 4;

/** Lines of output of a process that crashed. */
const MOST_LINES = 20;

const argv = process.argv.slice(2);
const separator = argv.includes('--') ? argv.indexOf('--') : argv.length;
const { values, positionals } = parseArgs({
  args: argv.slice(0, separator),
  allowPositionals: true,
  options: {
    long: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    ignore: { type: 'string', multiple: true, default: [] },
    listed: { type: 'string' },
  },
});
const mochaOptions = argv.slice(separator + 1);

function chosenFiles() {
  const lost = positionals.find((path) => !existsSync(path));
  if (lost !== undefined) throw new Error(`no ${lost}`);
  if (positionals.length > 0) return positionals;
  if (values.listed !== undefined) return readFileSync(values.listed, 'utf8').split('\n').filter(Boolean);
  return testFiles({ length: values.all ? 'all' : values.long ? 'long' : 'short', ignore: values.ignore, smoke: values.smoke });
}

const total = { passed: 0, pending: 0, failures: [], skipped: [], missing: new Map() };
const reports = mkdtempSync(join(tmpdir(), 'memmap-test-'));
let processes = 0;

/** Runs mocha on files: what it told, and what it printed. */
async function mocha(files) {
  const report = join(reports, String((processes += 1)));
  const start = Date.now();
  const child = spawn(process.execPath, [MOCHA, '--reporter', REPORTER, ...mochaOptions, ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MEMMAP_REPORT: report },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (...how) => resolve(how));
  });
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const events = text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return { events, output, end: signal ?? `exit code ${code}`, seconds: (Date.now() - start) / 1000 };
}

/** Adds up what a process told. Returns its failures. */
function count(events) {
  const failures = events.filter(({ failure }) => failure !== undefined).map(({ failure }) => failure);
  total.passed += events.filter(({ passed }) => passed).length;
  total.pending += events.filter(({ pending }) => pending).length;
  for (const { skipped, missing, file } of events) {
    if (skipped !== undefined) total.skipped.push(skipped);
    if (missing !== undefined) total.missing.set(file, [...(total.missing.get(file) ?? []), missing]);
  }
  return failures;
}

/** What to tell of a process that ended as none should. */
function crash(where, end, output) {
  const lines = output.trimEnd().split('\n').slice(-MOST_LINES).map((line) => `     ${line}`.trimEnd());
  return `  1) ${where}: the process ended with ${end}\n${lines.join('\n')}\n`;
}

/** Where a process crashes, the files of its batch that had not begun are run again. */
async function runBatch(files) {
  const { events, output, end, seconds } = await mocha(files);
  const seen = new Set(events.filter(({ file, missing }) => file !== undefined && missing === undefined).map(({ file }) => file));
  const hasEnded = events.some(({ ended }) => ended);
  if (!hasEnded && seen.size === 0 && files.length > 1) {
    for (const file of files) await runBatch([file]); // one of them cannot be loaded
    return;
  }
  const failures = count(events);
  const lastTest = events.findLast(({ begun }) => begun !== undefined)?.begun;
  if (!hasEnded) failures.push(crash(`${[...seen].at(-1) ?? files[0]}, in "${lastTest ?? 'none of its tests'}"`, end, output));
  else if (end !== 'exit code 0' && failures.length === 0) failures.push(crash(`${files.join(' ')}, after all tests`, end, output));
  else if (output.trim() !== '') console.log(output.trimEnd());
  total.failures.push(...failures);
  const tests = events.filter(({ passed, pending }) => passed || pending).length;
  console.log(`  ${failures.length === 0 ? 'ok  ' : 'FAIL'} ${seconds.toFixed(1).padStart(6)} s ${String(tests).padStart(4)} tests of ${files.join(' ')}`);
  const left = hasEnded ? [] : files.filter((file) => !seen.has(file));
  if (left.length > 0 && left.length < files.length) await runBatch(left);
}

/** Batches of files that are far from each other: neighbours take about as long. */
function batches(files) {
  const size = Math.min(FILES_OF_A_BATCH, Math.ceil(files.length / availableParallelism()));
  const many = Math.ceil(files.length / size);
  return Array.from({ length: many }, (_, i) => files.filter((_file, j) => j % many === i));
}

async function runAll(queue, lanes) {
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await runBatch(batch);
  }));
}

const start = Date.now();
const files = chosenFiles();
const beside = files.filter((file) => !isAlone(file));
const alone = files.filter(isAlone);
await runAll(beside.length > 0 ? batches(beside) : [], availableParallelism());
await runAll(alone.length > 0 ? [alone] : [], 1);
rmSync(reports, { recursive: true });

const { MEMMAP_MISSED: missed } = process.env;
if (missed !== undefined) writeFileSync(missed, [...total.missing.keys()].map((file) => `${file}\n`).join(''));
if (total.skipped.length > 0) console.log(`\n  skipped:\n${total.skipped.map((line) => `    ${line}`).join('\n')}`);
const programs = [...new Set([...total.missing.values()].flat())];
if (programs.length > 0) console.log(`\n  not on this machine: ${programs.join(', ')}`);
console.log(`\n  ${total.passed} passing (${Math.round((Date.now() - start) / 1000)}s)`);
if (total.pending > 0) console.log(`  ${total.pending} pending`);
if (total.failures.length > 0) console.log(`  ${total.failures.length} failing\n`);
for (const [i, failure] of total.failures.entries()) console.log(failure.replace(/^ {2}1\) /m, `  ${i + 1}) `));
process.exitCode = total.failures.length > 0 ? 1 : 0;
