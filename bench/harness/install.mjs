// What the benchmarks need beside the package: rivals and C programs. Installed on demand.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const BENCH = path('../');
const PROGRAMS = path('../results/native/');

/** Where the C program of bench/native/<name>.cc is. */
export const nativeProgram = (name) => `${PROGRAMS}${name}`;

export function installRivals() {
  if (!existsSync(`${BENCH}node_modules/koffi`)) {
    console.error('Installing what memmap is measured against (npm install in bench/)');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
      cwd: BENCH,
      stdio: ['ignore', 2, 'inherit'],
    });
  }
  // The benches import the package by its name, as users do; npm removes the link when it installs.
  if (!existsSync(`${BENCH}node_modules/memmap`)) symlinkSync('../..', `${BENCH}node_modules/memmap`, 'dir');
}

export function buildNative(names) {
  mkdirSync(PROGRAMS, { recursive: true });
  for (const name of names) {
    const source = `${BENCH}native/${name}.cc`;
    const program = nativeProgram(name);
    if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) continue;
    console.error(`Building ${name}`);
    execFileSync('g++', ['-std=c++20', '-O2', '-o', program, source], { stdio: 'inherit' });
  }
}
