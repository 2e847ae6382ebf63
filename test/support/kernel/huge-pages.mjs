// The pools of huge pages, which root may resize.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { skip } from '../hooks.mjs';

const NODES = '/sys/devices/system/node';
const folderName = (size) => `hugepages-${size / 1024}kB`;
const directory = (size) => `/sys/kernel/mm/hugepages/${folderName(size)}`;
const read = (size, field) => Number(readFileSync(`${directory(size)}/${field}`, 'utf8'));

/** Pages of `size` bytes that nobody uses or has reserved. NaN if the kernel has no such pages. */
export function freeHugePages(size) {
  if (!existsSync(directory(size))) return NaN;
  return read(size, 'free_hugepages') - read(size, 'resv_hugepages');
}

/** The files of the pool that can be written: one for each node, or one for the machine. */
function pools(size) {
  const nodes = existsSync(NODES) ? readdirSync(NODES).filter((entry) => /^node\d+$/.test(entry)) : [];
  const files = nodes.map((node) => `${NODES}/${node}/hugepages/${folderName(size)}/nr_hugepages`).filter(existsSync);
  return files.length > 0 ? files : [`${directory(size)}/nr_hugepages`];
}

/** Sees to `count` free pages in the pool, or skips. Returns what puts the pool back. */
function fillPool(context, size, count) {
  const before = freeHugePages(size);
  if (Number.isNaN(before)) skip(context, `this kernel has no huge pages of ${size} bytes`);
  const pool = `${directory(size)}/nr_hugepages`;
  const total = read(size, 'nr_hugepages');
  // The kernel spreads a total over all nodes; each gets its own number back.
  const sizes = pools(size).map((path) => [path, readFileSync(path, 'utf8')]);
  const putBack = () => sizes.forEach(([path, pages]) => writeFileSync(path, pages));
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
