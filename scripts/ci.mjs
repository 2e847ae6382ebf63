// The steps of .ci/run. All of them run, whatever fails, and the counts of their tests are
// added up. A step without tests of its own counts as one. What failed stands at the end, so that
// the tail of the output tells it. Usage: ci.mjs [STEP ...]
//
// The first two are the README's commands on a fresh machine (scripts/fresh-machine.mjs). What it has
// built is taken from there; what its tests could not ask for want of programs is asked here.
//
// What needs the processor and looks at no time runs beside the tests, with the least priority, and
// is printed when it has ended.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, rmSync, statfsSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { README, freshMachine } from './fresh-machine.mjs';

const fresh = freshMachine();
process.on('exit', () => fresh.remove());
const missed = join(fresh.folder, 'missed');
const onFresh = (line) => ({ command: ['sh', '-c', line], cwd: fresh.project, env: { ...fresh.env, MEMMAP_MISSED: missed } });

const FIRST = { [README.demo]: onFresh(README.demo) };
const BESIDE = {
  lint: ['npm', 'run', '--silent', 'lint'],
  'native build': ['npm', 'run', '--silent', 'test:native', '--', '--build'],
  'sanitized build': ['npm', 'run', '--silent', 'test:asan', '--', '--build'],
  publint: ['npx', '--no-install', 'publint', '--strict'],
};
const STEPS = {
  [README.test]: onFresh(README.test),
  'packages of tests': ['npm', 'run', '--silent', 'test:packages'],
  'tests that missed programs': () => ['node', 'scripts/test.mjs', ...(existsSync(missed) ? ['--listed', missed] : [])],
  'long tests': ['npm', 'run', '--silent', 'test:long'],
  fuzz: ['npm', 'run', '--silent', 'fuzz', '--', '--calls', '200000', '--seed', '1'],
  'demo of a missing file': { command: ['npm', 'run', '--silent', 'demo', '--', '/no/such/file'], exit: 1 },
  'Node 22': ['node', 'scripts/node-versions.mjs', '22'],
  'Node 24': ['node', 'scripts/node-versions.mjs', '24'],
  'Node 26': ['node', 'scripts/node-versions.mjs', '26'],
  'no external buffers': ['npm', 'run', '--silent', 'test:cage'],
};
/** What runs what {@link BESIDE} has built. */
const BUILT = {
  'native tests': ['npm', 'run', '--silent', 'test:native'],
  sanitizers: ['npm', 'run', '--silent', 'test:asan'],
};
/** Downloads and writes its disks while those of {@link BUILT} run. */
const EMULATED = { 'emulated machines': ['npm', 'run', '--silent', 'test:vm', '--', '--quick', '--jobs', '2'] };
const MEASURES = {
  bench: ['npm', 'run', '--silent', 'bench', '--', '--quick'],
};

/** Counts that mocha and the native tests print. */
const PASSED = /^\s*(\d+) pass(?:ing|ed)\b/gm;
const FAILED = /(?:^\s*|passed, )(\d+) fail(?:ing|ed)\b/gm;

function sum(pattern, text) {
  return Array.from(text.matchAll(pattern), ([, count]) => Number(count)).reduce((a, b) => a + b, 0);
}

/** Lines of a failed step that are shown again. */
const MOST_LINES = 24;

/** What mocha, the native tests and the sanitizers say of a failure; else the end of the output. */
function failures(text) {
  const lines = stripVTControlCharacters(text).split('\n').map((line) => line.trimEnd());
  const told = [];
  let inFailure = false;
  for (const line of lines) {
    inFailure ||= /^ {2}\d+ failing$/.test(line);
    const counts = inFailure || /^(.*\bFAIL\b|failed: |failed by |.*(?:error|warning): |.*CHECK\(|==\d+==\s*ERROR|SUMMARY: |.*runtime error:|\s+#[0-5] )/.test(line);
    if (counts && line !== '' && !/node:internal|node_modules/.test(line)) told.push(line);
  }
  return told.length > 0 ? told.slice(0, MOST_LINES) : lines.filter((line) => line !== '').slice(-MOST_LINES);
}

/** @param quiet whether without a word meanwhile; @param priority that of the process */
async function run({ command, cwd, env }, { quiet = false, priority = 0 } = {}) {
  const child = spawn(command[0], command.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  if (priority !== 0) setPriority(child.pid, priority);
  let text = '';
  for (const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
    from.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      if (!quiet) to.write(chunk);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  return { code, text };
}

const chosen = process.argv.slice(2);
const results = [];

async function runAll(steps, { quiet = false, priority } = {}) {
  for (const [name, step] of Object.entries(steps)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const made = typeof step === 'function' ? step() : step;
    const { exit = 0, ...how } = Array.isArray(made) ? { command: made } : made;
    if (!quiet) console.log(`\n=== ${name}`);
    const start = Date.now();
    const { code, text } = await run(how, { quiet, priority });
    if (quiet) console.log(`\n=== ${name}, beside others\n${text}`);
    const passed = sum(PASSED, text);
    let failed = sum(FAILED, text);
    if (code !== exit && failed === 0) failed = 1;
    const seconds = Math.round((Date.now() - start) / 1000);
    results.push({ name, passed: passed + failed === 0 ? 1 : passed, failed, seconds, told: failed > 0 ? failures(text) : [] });
  }
}

/** Has here what the fresh machine has installed and built: whether it has. */
function takeOver() {
  const parts = ['node_modules', 'test/boundary/types/oldest/node_modules', 'build', 'dist', '.unbundled'];
  const isWhole = parts.every((part) => existsSync(join(fresh.project, part)));
  for (const part of isWhole ? parts : []) {
    rmSync(part, { recursive: true, force: true });
    cpSync(join(fresh.project, part), part, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  }
  return isWhole;
}

/** Bytes that may still be written where the project is, and where the temporary files are. */
function freeSpace() {
  return Math.min(...['.', tmpdir()].map((path) => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  }));
}

const space = freeSpace();
let leastSpace = space;
const watch = setInterval(() => {
  leastSpace = Math.min(leastSpace, freeSpace());
}, 1000);
watch.unref();

await runAll(FIRST);
if (!takeOver() && !existsSync('node_modules')) await run({ command: ['npm', 'ci'] });
await Promise.all([runAll(BESIDE, { quiet: true, priority: constants.priority.PRIORITY_LOW }), runAll(STEPS)]);
await Promise.all([runAll(EMULATED, { quiet: true }), runAll(BUILT)]);
await runAll(MEASURES);

console.log('\n=== summary');
for (const { name, passed, failed, seconds } of results) {
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, ${seconds} s`);
}
const gigabytes = (bytes) => (bytes / 1e9).toFixed(1);
console.log(`disk: ${gigabytes(space)} GB free at the start, ${gigabytes(leastSpace)} GB at the least`);
for (const { name, told } of results) {
  if (told.length > 0) console.log([`\n=== ${name}: what failed`, ...told].join('\n'));
}
const total = (key) => results.reduce((count, result) => count + result[key], 0);
process.exitCode = total('failed') > 0 ? 1 : 0;
console.log(`${total('passed')} passed, ${total('failed')} failed`);
