// Reading through the map against reading with system calls.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { mapFile } from 'memmap';
import { bytes, duration, times } from './text.mjs';

const READS = 100_000;
const ROUNDS = 5;

function clock(body) {
  const start = process.hrtime.bigint();
  body();
  return Number(process.hrtime.bigint() - start);
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

export function randomReads(file) {
  // Eight bytes as two numbers: faster for JavaScript than one BigInt.
  const halves = file.view(Int32Array, { count: Math.floor(file.length / 8) * 2 });
  // The same places for both, drawn before the clock starts.
  const places = Uint32Array.from({ length: READS }, () => Math.floor(Math.random() * (halves.length / 2)));
  const word = Buffer.alloc(8);
  const fd = openSync(file.path, 'r');
  const fromMap = () => {
    let mixed = 0;
    for (let i = 0; i < READS; i++) mixed ^= halves[places[i] * 2] ^ halves[places[i] * 2 + 1];
    return mixed;
  };
  const fromFile = () => {
    let mixed = 0;
    for (let i = 0; i < READS; i++) {
      readSync(fd, word, 0, 8, places[i] * 8);
      mixed ^= word.readInt32LE(0) ^ word.readInt32LE(4);
    }
    return mixed;
  };
  try {
    if (fromMap() !== fromFile()) throw changed();
    const mapped = [];
    const read = [];
    for (let round = 0; round < ROUNDS; round++) {
      mapped.push(clock(fromMap) / READS);
      read.push(clock(fromFile) / READS);
    }
    return [
      ['How', 'Per read', ''],
      ['fs.readSync', duration(median(read)), ''],
      ['through the map', duration(median(mapped)), times(median(read) / median(mapped))],
    ];
  } finally {
    closeSync(fd);
  }
}

const changed = () => new Error('The map and the file differ: was the file changed meanwhile?');

/** Bytes of this process in memory: of its own, and of files shared with the page cache. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]) * 1024;
  return { anon: field('RssAnon'), file: field('RssFile') };
}

function measured(how, body) {
  const before = resident();
  let found;
  const time = clock(() => {
    found = body();
  });
  const after = resident();
  return { how, time, found, anon: after.anon - before.anon, file: after.file - before.file };
}

export function countAndFind(path) {
  // A mapping of its own, so that its pages come into memory under our eyes.
  const file = mapFile(path);
  try {
    // A copy of the last 16 bytes: what only the end of the file is sure to have.
    const rare = Buffer.from(file.bytes.subarray(-16));
    const runs = [
      measured('count(10) in the map', () => file.count(10)),
      measured('indexOf(16 bytes) in the map', () => file.indexOf(rare)),
      measured('readFile, then count', () => count(readFileSync(path), 10)),
      measured('readFile, then indexOf', () => readFileSync(path).indexOf(rare)),
    ];
    const [mapCount, mapFind, fileCount, fileFind] = runs;
    if (mapCount.found !== fileCount.found || mapFind.found !== fileFind.found) throw changed();
    const rival = new Map([[mapCount, fileCount], [mapFind, fileFind]]);
    return [
      ['How', 'Found', 'Time', 'RssAnon', 'RssFile', ''],
      ...runs.map((run) => [
        run.how,
        run.found.toLocaleString('en'),
        duration(run.time),
        signed(run.anon),
        signed(run.file),
        rival.has(run) ? times(rival.get(run).time / run.time) : '',
      ]),
    ];
  } finally {
    file.close();
  }
}

function count(buffer, byte) {
  let total = 0;
  for (let i = 0; i < buffer.length; i++) if (buffer[i] === byte) total++;
  return total;
}

const signed = (size) => (size > 0 ? `+${bytes(size)}` : bytes(size));
