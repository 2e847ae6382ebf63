// Programs of this machine, run to their end.
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

// depmod and mke2fs are in /sbin, which not every root has in its PATH.
const PATH = [...process.env.PATH.split(':'), '/usr/sbin', '/sbin'];

const ENVIRONMENT = { ...process.env, PATH: PATH.join(':'), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };

/** What a program printed. Throws with what it complained of if it fails. */
export function command(program, args, options = {}) {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 30,
      ...options,
      env: { ...ENVIRONMENT, ...options.env },
    });
  } catch (error) {
    throw new Error(`${[program, ...args].join(' ')}: ${String(error.stderr ?? '').trim() || error.message}`, { cause: error });
  }
}

/** Whether this machine has the program. */
export function has(program) {
  return PATH.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
