// The pools of huge pages, which root may resize.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { skip } from './hooks.mjs';

const directory = (size) => `/sys/kernel/mm/hugepages/hugepages-${size / 1024}kB`;
const read = (size, name) => Number(readFileSync(`${directory(size)}/${name}`, 'utf8'));

/** Pages of `size` bytes that nobody uses or has reserved. NaN if the kernel has no such pages. */
export function freeHugePages(size) {
  if (!existsSync(directory(size))) return NaN;
  return read(size, 'free_hugepages') - read(size, 'resv_hugepages');
}

/** Sees to `count` free pages in the pool, or skips. Returns what puts the pool back. */
function fillPool(context, size, count) {
  const before = freeHugePages(size);
  if (Number.isNaN(before)) skip(context, `this kernel has no huge pages of ${size} bytes`);
  const pool = `${directory(size)}/nr_hugepages`;
  const total = read(size, 'nr_hugepages');
  const putBack = () => writeFileSync(pool, String(total));
  try {
    writeFileSync(pool, String(total - before + count));
  } catch (error) {
    skip(context, `the pool of huge pages cannot be resized: ${error.code}`);
  }
  const free = freeHugePages(size);
  if (free < count) {
    putBack();
    skip(context, `the kernel found memory for ${free} of ${count} huge pages of ${size} bytes`);
  }
  return putBack;
}

/** Runs `use` with `count` free pages in the pool, or skips; the pool is as before afterwards. */
export async function withHugePages(context, size, count, use) {
  const putBack = fillPool(context, size, count);
  try {
    return await use();
  } finally {
    putBack();
  }
}

/** Keeps `count` free pages in the pool for the calling describe block, or skips it. */
export function hugePagePool(size, count) {
  let putBack;
  before(function () {
    putBack = fillPool(this, size, count);
  });
  after(() => putBack?.());
}
