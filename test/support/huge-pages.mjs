// The pools of huge pages, which root may resize.
import { readFileSync, writeFileSync } from 'node:fs';
import { skip } from './hooks.mjs';

const directory = (size) => `/sys/kernel/mm/hugepages/hugepages-${size / 1024}kB`;
const read = (size, name) => Number(readFileSync(`${directory(size)}/${name}`, 'utf8'));

/** Pages of `size` bytes that nobody uses. NaN if the kernel has no such pages. */
export function freeHugePages(size) {
  try {
    return read(size, 'free_hugepages');
  } catch {
    return NaN;
  }
}

/** Runs `use` with `count` free pages in the pool, or skips; the pool is as before afterwards. */
export async function withHugePages(context, size, count, use) {
  const before = freeHugePages(size);
  if (Number.isNaN(before)) skip(context, `this kernel has no huge pages of ${size} bytes`);
  const total = read(size, 'nr_hugepages');
  try {
    writeFileSync(`${directory(size)}/nr_hugepages`, String(total - before + count));
  } catch (error) {
    skip(context, `the pool of huge pages cannot be resized: ${error.code}`);
  }
  try {
    const free = freeHugePages(size);
    if (free < count) skip(context, `the kernel found memory for ${free} of ${count} huge pages`);
    return await use();
  } finally {
    writeFileSync(`${directory(size)}/nr_hugepages`, String(total));
  }
}
