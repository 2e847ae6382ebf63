// A pool of huge pages for the calling describe block. Needs root; put back after it.
import { readFileSync, writeFileSync } from 'node:fs';

import { skip } from './hooks.mjs';

const poolOf = (size) => `/sys/kernel/mm/hugepages/hugepages-${size / 1024}kB`;

/** How many huge pages of `size` bytes are free; NaN if the kernel has none of that size. */
export function freeHugePages(size) {
  try {
    return Number(readFileSync(`${poolOf(size)}/free_hugepages`, 'utf8'));
  } catch {
    return NaN;
  }
}

/** Has `count` huge pages of `size` bytes free while the block runs, or skips it. */
export function hugePagePool(size, count) {
  const pool = `${poolOf(size)}/nr_hugepages`;
  let previous;
  before(function () {
    try {
      previous = readFileSync(pool, 'utf8');
      writeFileSync(pool, String(Number(previous) + count - freeHugePages(size)));
    } catch (error) {
      skip(this, `cannot set ${pool}: ${error.code}`);
    }
    if (freeHugePages(size) < count) skip(this, `the machine has no room for ${count} huge pages of ${size} bytes`);
  });
  after(() => {
    if (previous !== undefined) writeFileSync(pool, previous);
  });
}
