// Another program at the other end of a socket: Python or C. It prints a line when it is ready
// and what it saw; its exit code is the verdict.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Starts it: { ended: Promise<{ code, stdout, stderr }>, line(): Promise, child }. */
export function start(command, args, options = {}) {
  const child = spawn(command, args.map(String), { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended, output: () => stdout };
}

/** Runs a Python program with socket, mmap, os, struct, sys and fcntl at hand. */
export function python(script, args = [], options) {
  return start('python3', ['-c', `import fcntl, mmap, os, socket, struct, sys\n${script}`, ...args], options);
}

/** Compiles C for the calling describe block: returns a function that gives the program's path. */
export function compiled(source) {
  let directory;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'memmap-c-'));
    execFileSync('cc', ['-x', 'c', '-std=gnu11', '-Wall', '-Werror', '-o', join(directory, 'program'), '-'], { input: source });
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  return () => join(directory, 'program');
}
