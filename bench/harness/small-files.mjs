// Many small files, and the median of what was timed with them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES_IN_A_DIRECTORY = 100;

/** @param sizes - bytes of the files, in turn */
export function makeSmallFiles(directory, count, sizes) {
  for (let i = 0; i < count; i++) {
    const below = join(directory, String(Math.floor(i / FILES_IN_A_DIRECTORY)));
    if (i % FILES_IN_A_DIRECTORY === 0) mkdirSync(below);
    writeFileSync(join(below, `${i}`), Buffer.alloc(sizes[i % sizes.length], 'memmap'));
  }
  const { status, error, stderr } = spawnSync('sync', ['-f', directory], { encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Error(`sync: ${error?.message ?? stderr}`);
}

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
