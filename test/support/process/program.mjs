// Other programs, in Python or C, which see what we do from outside: run to their end, or beside the test.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from './compile.mjs';

/** Starts it: { child, ended: Promise<{ code, signal, stdout, stderr }>, output(), errors() }. */
export function start(command, args, options = {}) {
  const child = spawn(command, args.map(String), { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended, output: () => stdout, errors: () => stderr };
}

/** What every Python program has at hand. */
const IMPORTS = 'import ctypes, fcntl, json, mmap, os, socket, struct, sys, time';
/** Without the packages of the machine, which no program here needs. */
const ALONE = '-S';
let interpreter;

/**
 * The command that runs a Python program: [path, ...arguments]. The interpreter itself: what `python3`
 * leads to may be a script that looks for it, ten times as long as it takes to start.
 */
export function pythonCommand(script, args = []) {
  interpreter ??= execFileSync('python3', [ALONE, '-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  return [interpreter, ALONE, '-c', `${IMPORTS}\n${script}`, ...args.map(String)];
}

/** Starts a Python program: see start(). */
export function python(script, args, options) {
  const [command, ...rest] = pythonCommand(script, args);
  return start(command, rest, options);
}

/** Runs a Python program to its end: its output. */
export function runPython(script, args, options) {
  const [command, ...rest] = pythonCommand(script, args);
  return execFileSync(command, rest, { encoding: 'utf8', ...options });
}

const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'memmap-c-'));

/** Compiles C for the calling describe block: returns a function that gives the program's path. */
export function compiled(source) {
  let folder;
  let path;
  before(() => {
    folder = temporaryFolder();
    path = compile(folder, 'program', source, '-Wall', '-Werror');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  return () => path;
}

/** Compiles C, runs it, and returns what it printed. */
export function runC(source) {
  const folder = temporaryFolder();
  try {
    return execFileSync(compile(folder, 'program', source), { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
