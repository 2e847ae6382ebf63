// What the benchmarks need beside the package: rivals and C programs. Installed on demand.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cmakeBuild } from '../../scripts/cmake-build.mjs';

const BENCH = fileURLToPath(new URL('../', import.meta.url));

let programs;

/** Where the C program of bench/native/<name>.cc is. */
export const nativeProgram = (name) => join(programs, name);

/** @param quick without what is compiled for minutes, and without what plots */
export function installRivals(quick = false) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(`${BENCH}package.json`, 'utf8'));
  if (!Object.keys(quick ? dependencies : { ...dependencies, ...devDependencies }).every((name) => existsSync(`${BENCH}node_modules/${name}`))) {
    console.error('Installing what memmap is measured against (npm install in bench/)');
    try {
      execFileSync('npm', ['install', ...(quick ? ['--omit=dev'] : []), '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
        cwd: BENCH,
        stdio: ['ignore', 2, 'inherit'],
      });
    } catch (error) {
      console.error(`Going on without them: ${error.message}`);
    }
  }
  mkdirSync(`${BENCH}node_modules`, { recursive: true });
  // The benches import the package by its name, as users do; npm removes the link when it installs.
  if (!existsSync(`${BENCH}node_modules/memmap`)) symlinkSync('../..', `${BENCH}node_modules/memmap`, 'dir');
}

/** Builds the C programs, with what builds the package's own C++. */
export function buildNative() {
  console.error('Building the C baselines (cmake-js)');
  programs = join(cmakeBuild('bench', { target: 'bench_programs' }), 'bench');
}
