// Truncates and regrows files at random, for as long as its parent lives; then removes them.
// By whole pages, and never leaving a hole: no zeros come from here.
import { closeSync, ftruncateSync, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { seeded } from '../support/random.mjs';
import { FULL, PAGE, pattern } from './files.mjs';

const [seed, settings] = process.argv.slice(2);
const { files, directories } = JSON.parse(settings);
const next = seeded(Number(seed));
const full = pattern(0, FULL);
const fds = files.map((path) => openSync(path, 'r+'));

function truncate(fd) {
  ftruncateSync(fd, next(4) === 0 ? 0 : PAGE * next(FULL / PAGE));
}

function regrow(fd) {
  for (let size = fstatSync(fd).size; size < FULL; ) {
    const length = Math.min(FULL - size, PAGE * (1 + next(FULL / PAGE)));
    size += writeSync(fd, full, size, length, size);
  }
}

// Asked each time: the parent may have died before this could listen.
while (process.connected) {
  const fd = fds[next(fds.length)];
  truncate(fd);
  if (next(3) > 0) await setTimeout(next(4));
  regrow(fd);
  if (next(2) > 0) await setTimeout(next(3));
}
for (const fd of fds) closeSync(fd);
for (const directory of directories) rmSync(directory, { recursive: true, force: true });
