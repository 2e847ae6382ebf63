// The steps of .ci/run. All of them run, whatever fails, and the counts of their tests are
// added up. A step without tests of its own counts as one. What failed stands at the end, so that
// the tail of the output tells it. Usage: ci.mjs [STEP ...]
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

const STEPS = {
  lint: ['npm', 'run', '--silent', 'lint'],
  test: ['npm', 'test'],
  demo: ['npm', 'run', '--silent', 'demo'],
  'demo of a missing file': { command: ['npm', 'run', '--silent', 'demo', '--', '/no/such/file'], exit: 1 },
  'Node 22': ['node', 'scripts/node-versions.mjs', '22'],
  'Node 24': ['node', 'scripts/node-versions.mjs', '24'],
  'Node 26': ['node', 'scripts/node-versions.mjs', '26'],
  'native tests': ['npm', 'run', '--silent', 'test:native'],
  sanitizers: ['npm', 'run', '--silent', 'test:asan'],
  'emulated machines': ['npm', 'run', '--silent', 'test:vm', '--', '--quick', '--jobs', '2'],
  bench: ['npm', 'run', '--silent', 'bench', '--', '--quick'],
  publint: ['npx', '--no-install', 'publint', '--strict'],
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

async function run(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
    from.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      to.write(chunk);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  return { code, text };
}

const chosen = process.argv.slice(2);
const results = [];
for (const [name, step] of Object.entries(STEPS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const { command, exit = 0 } = Array.isArray(step) ? { command: step } : step;
  console.log(`\n=== ${name}`);
  const start = Date.now();
  const { code, text } = await run(command);
  let passed = sum(PASSED, text);
  let failed = sum(FAILED, text);
  if (code !== exit && failed === 0) failed = 1;
  if (passed + failed === 0) passed = 1;
  const seconds = Math.round((Date.now() - start) / 1000);
  results.push({ name, passed, failed, seconds, told: failed > 0 ? failures(text) : [] });
}

console.log('\n=== summary');
for (const { name, passed, failed, seconds } of results) {
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, ${seconds} s`);
}
for (const { name, told } of results) {
  if (told.length > 0) console.log([`\n=== ${name}: what failed`, ...told].join('\n'));
}
const total = (key) => results.reduce((count, result) => count + result[key], 0);
process.exitCode = total('failed') > 0 ? 1 : 0;
console.log(`${total('passed')} passed, ${total('failed')} failed`);
