// Packages of test/packages, which a machine may lack: npm run test:packages installs them.
import { dirname } from 'node:path';
import { installed } from '../../packages/load.mjs';
import { misses, skip } from '../hooks.mjs';

const ARCH = { x64: 'x64', arm64: 'arm64' }[process.arch];

/** Other runtimes: the command that runs a program, without its path; undefined where it is not installed. */
export function runtimeCommand(name) {
  const path = name === 'Deno' ? installed(`@deno/linux-${ARCH}-glibc/deno`) : installed(`@oven/bun-linux-${ARCH.replace('arm64', 'aarch64')}/bin/bun`);
  if (path === undefined) return undefined;
  return name === 'Deno' ? [path, 'run', '--allow-all'] : [path];
}

/** Where an installed package is. */
export function packageFolder(name) {
  return dirname(installed(`${name}/package.json`));
}

/** Skips the test, or the tests of a before(), where `found` is undefined: what would be `name`'s. */
export function needsPackage(context, name, found = installed(`${name}/package.json`)) {
  if (found !== undefined) return found;
  misses(`${name} of test/packages`, context);
  skip(context, `${name} is not installed here: npm run test:packages`);
  return undefined;
}
