// A small tmpfs of its own for the calling describe block. Needs root; unmounted after it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { skip } from './hooks.mjs';

/** Returns path(name), in a tmpfs of `size` bytes; skips the block where none can be mounted. */
export function smallTmpfs(size) {
  let directory;
  let mounted = false;
  before(function () {
    directory = mkdtempSync(join(tmpdir(), 'memmap-tmpfs-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'pipe' });
      mounted = true;
    } catch (error) {
      skip(this, `cannot mount a tmpfs: ${String(error.stderr ?? error).trim()}`);
    }
  });
  after(() => {
    if (mounted) execFileSync('umount', [directory]);
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return (name) => join(directory, name);
}
