// Runs a fixture as a process of its own. Its exit code is the verdict.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from './program.mjs';

/** Milliseconds after which a fixture that hangs is killed: it must not keep the test run alive. */
const WATCHDOG = 280_000;

/** Runs the fixture `name` to its end: { code, signal, stdout, stderr }. */
export function run(name, args = [], { nodeArgs = [], ...options } = {}) {
  return runProgram(process.execPath, [...nodeArgs, fixture(name), ...args.map(String)], options);
}

const FIXTURES = new URL('../../fixtures/', import.meta.url);
let paths;

/** The path of a fixture, in whichever room of test/fixtures it is: no two have the same name. '../soak/main' is beside it. */
export function fixture(name) {
  if (name.includes('/')) return fileURLToPath(new URL(`${name}.mjs`, FIXTURES));
  paths ??= readdirSync(FIXTURES, { recursive: true });
  const path = paths.find((one) => basename(one) === `${name}.mjs`);
  if (path === undefined) throw new Error(`no fixture ${name}`);
  return fileURLToPath(new URL(path, FIXTURES));
}

/** Runs any program to its end. `stdio`: from descriptor 3 on. */
export function runProgram(program, args, { stdio = [], ...options } = {}) {
  return start(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...stdio],
    timeout: WATCHDOG,
    killSignal: 'SIGKILL',
    ...options,
  }).ended;
}

/** As run(), and demands exit code 0 and no signal. */
export async function runs(name, args, options) {
  const result = await run(name, args, options);
  assert.deepEqual({ code: result.code, signal: result.signal }, { code: 0, signal: null }, result.stderr);
  return result;
}
