// The files that are read: real ones on a real file system, kept for the next run, with
// the page cache warm.
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from 'memmap';

const MIB = 2 ** 20;
const TMPFS_MAGIC = 0x01021994;

/** Always the same numbers, so that every process can check what it read. */
function* random(seed) {
  for (let x = seed; ; ) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield (x >>> 0) / 2 ** 32;
  }
}

/** What a file of a kind repeats: one block of some MiB. Whole numbers, so that sums are exact. */
const BLOCK = {
  numbers() {
    const values = new Float64Array(2 ** 20);
    const source = random(1);
    for (let i = 0; i < values.length; i++) values[i] = Math.floor(source.next().value * 1000);
    return Buffer.from(values.buffer);
  },
  log() {
    const words = ['GET', 'POST', '/index', '/api/items', 'status=200', 'status=404', 'ERROR', 'user', 'took', 'ms'];
    const source = random(2);
    const pick = (count) => Math.floor(source.next().value * count);
    let text = '';
    while (text.length < 8 * MIB) {
      text += `2026-11-23T${10 + pick(10)}:00:00.${100 + pick(900)}Z`;
      for (let left = 4 + pick(12); left > 0; left--) text += ` ${words[pick(words.length)]}${pick(100)}`;
      text += '\n';
    }
    return Buffer.from(text);
  },
};

/** 16 bytes that occur once, at the end of a log, though their first bytes occur everywhere. */
export const NEEDLE = ' status=200 \x01end';

function create(path, { kind, length }) {
  const fd = openSync(`${path}.part`, 'w');
  if (kind === 'sparse') {
    ftruncateSync(fd, length);
  } else {
    const block = BLOCK[kind]();
    const end = kind === 'log' ? Buffer.from(`${NEEDLE}\n`) : Buffer.alloc(0);
    for (let done = 0; done < length - end.length; done += block.length) {
      progress(`Creating ${path}: ${Math.floor(done / MIB)} of ${length / MIB} MiB`);
      writeSync(fd, block, 0, Math.min(block.length, length - end.length - done));
    }
    writeSync(fd, end);
    progress('');
    console.error(`Created ${path}, ${length / MIB} MiB`);
  }
  closeSync(fd);
  renameSync(`${path}.part`, path);
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/**
 * Reads the file anew, from end to end: the page cache then holds it in large pieces. Read
 * page by page it would be there in small ones, which take the kernel longer to map.
 */
function warm(path) {
  const file = mapFile(path);
  file.evict();
  file.close();
  const chunk = Buffer.alloc(MIB);
  const fd = openSync(path, 'r');
  while (readSync(fd, chunk) > 0);
  closeSync(fd);
}

/** An empty directory, for files that the cases make. */
function emptied(path) {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}

/** Makes the files of a question, { name: { kind, length } }, and returns their paths. */
export function makeFiles(directory, wanted) {
  mkdirSync(directory, { recursive: true });
  if (statfsSync(directory).type === TMPFS_MAGIC) {
    throw new Error(`${directory} is in memory (tmpfs): give a directory on a disk with --dir`);
  }
  const paths = {};
  for (const [name, spec] of Object.entries(wanted)) {
    if (spec.kind === 'directory') {
      paths[name] = emptied(join(directory, name));
      continue;
    }
    const path = join(directory, `${spec.kind}-${spec.length}`);
    if (!existsSync(path) || statSync(path).size !== spec.length) create(path, spec);
    if (spec.kind !== 'sparse') warm(path);
    paths[name] = path;
  }
  return paths;
}

/** All numbers of a file, read into an array on the heap. */
export function readNumbers(path) {
  const values = new Float64Array(statSync(path).size / 8);
  const fd = openSync(path, 'r');
  for (let at = 0, got = 0; (got = readSync(fd, values, at, Math.min(2 ** 30, values.byteLength - at), at)) > 0; at += got);
  closeSync(fd);
  return values;
}
