// Small file systems of their own for the calling describe block. Needs root; unmounted after it.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { skip } from '../hooks.mjs';

/** Returns path(name), in a tmpfs of `size` bytes; skips the block where none can be mounted. */
export function smallTmpfs(size) {
  return mount('tmpfs', `size=${size}`);
}

/** Writes to `path` until nothing more can be written to its file system. */
export function fillFileSystem(path) {
  const fd = openSync(path, 'w');
  try {
    for (;;) writeSync(fd, Buffer.alloc(2 ** 16));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(fd);
  }
}

/** Returns path(name), in a hugetlbfs of 2 MB pages; skips the block where none can be mounted. */
export function mountHugetlbfs() {
  return mount('hugetlbfs', 'pagesize=2M');
}

/** Mounts another tmpfs over the folder until after the test; its inode numbers begin anew. */
export function coverByTmpfs(folder) {
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'pipe' });
  return { [Symbol.dispose]: () => execFileSync('umount', ['-l', folder]) };
}

/** Returns path(name), in an overlayfs whose lower layer holds `files`, by name: bytes, or the length of a hole. Skips the block without. */
export function mountOverlayfs(files) {
  let layers;
  before(() => {
    layers = mkdtempSync(join(tmpdir(), 'memmap-layers-'));
    for (const layer of ['lower', 'upper', 'work']) mkdirSync(join(layers, layer));
    for (const [name, content] of Object.entries(files)) {
      const path = join(layers, 'lower', name);
      writeFileSync(path, typeof content === 'number' ? '' : content);
      if (typeof content === 'number') truncateSync(path, content);
    }
  });
  after(() => rmSync(layers, { recursive: true }));
  return mount('overlay', () => ['lower', 'upper', 'work'].map((layer) => `${layer}dir=${join(layers, layer)}`).join(','));
}

/** `options`: of mount(8), or a function that returns them. */
function mount(type, options) {
  let directory;
  let mounted = false;
  before(function () {
    directory = mkdtempSync(join(tmpdir(), `memmap-${type}-`));
    try {
      execFileSync('mount', ['-t', type, '-o', typeof options === 'function' ? options() : options, type, directory], { stdio: 'pipe' });
      mounted = true;
    } catch (error) {
      skip(this, `cannot mount a ${type}: ${String(error.stderr ?? error).trim()}`);
    }
  });
  after(() => {
    // Lazily: a test that failed may hold a file.
    if (mounted) execFileSync('umount', ['-l', directory]);
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return (name) => join(directory, name);
}
