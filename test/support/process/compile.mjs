// The C compiler, and the headers of Node's C interface.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Node's own headers, those that cmake-js brings, those of the system: they are the same for all versions. */
export const NODE_HEADERS = [
  join(dirname(process.execPath), '../include/node'),
  fileURLToPath(new URL('../../../node_modules/node-api-headers/include', import.meta.url)),
  '/usr/include/node',
  '/usr/local/include/node',
];

/** Where node_api.h is; undefined where it is not. */
export function nodeHeaders() {
  return NODE_HEADERS.find((folder) => existsSync(join(folder, 'node_api.h')));
}

/** Compiles a program, or with `options` for it a library or an addon, into the folder: its path. */
export function compile(folder, name, source, ...options) {
  const path = join(folder, name);
  execFileSync('cc', ['-x', 'c', '-std=gnu11', ...options, '-o', path, '-'], { input: source });
  return path;
}
