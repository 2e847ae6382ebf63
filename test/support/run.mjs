// Runs a fixture as a process of its own. Its exit code is the verdict.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Milliseconds after which a fixture that hangs is killed: it must not keep the test run alive. */
const WATCHDOG = 280_000;

/** Runs test/fixtures/<name>.mjs to its end: { code, signal, stdout, stderr }. */
export function run(name, args = [], { nodeArgs = [], ...options } = {}) {
  return runProgram(process.execPath, [...nodeArgs, fixture(name), ...args.map(String)], options);
}

/** The path of a fixture. */
export function fixture(name) {
  return fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url));
}

/** Runs any program to its end. `stdio`: from descriptor 3 on. */
export async function runProgram(program, args, { stdio = [], ...options } = {}) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...stdio],
    timeout: WATCHDOG,
    killSignal: 'SIGKILL',
    ...options,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (...result) => resolve(result));
  });
  return { code, signal, stdout, stderr };
}

/** As run(), and demands exit code 0 and no signal. */
export async function runs(name, args, options) {
  const result = await run(name, args, options);
  assert.deepEqual({ code: result.code, signal: result.signal }, { code: 0, signal: null }, result.stderr);
  return result;
}
