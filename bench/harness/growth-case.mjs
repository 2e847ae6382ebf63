// One store of so many pairs, in a process of its own: prints what it cost, as JSON.
import { readFileSync, rmSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Pairs, STORES, removeStore, sizesOf } from './stores.mjs';

const [, , name, path, countText] = process.argv;
const pairs = new Pairs(Number(countText), 64);
/** Pairs put in one go and committed; keys are made before the clock runs. */
const STRETCH = 500_000;
const READS = 1_000_000;
const TIMES = 4;

function time(operations, act) {
  const start = performance.now();
  act();
  return ((performance.now() - start) * 1e6) / operations;
}

/** The first time maps pages and compiles, and others use the machine. */
const best = (act) => Math.min(...Array.from({ length: TIMES }, () => time(READS, act)));

/** Numbers of pairs at random, and the same each time. */
function* anywhere(count, below) {
  let x = 88675123;
  for (let i = 0; i < count; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield (x >>> 0) % below;
  }
}

/** What the kernel counts as resident of the mappings whose file's path begins so, in bytes. */
function mappedRss(prefix) {
  let sum = 0;
  let counts = false;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    if (/^[\da-f]+-[\da-f]+ /.test(line)) counts = line.includes(prefix);
    else if (counts && line.startsWith('Rss:')) sum += Number.parseInt(line.slice(4), 10) * 1024;
  }
  return sum;
}

async function store() {
  removeStore(path);
  const db = await STORES[name](path);
  let putNs = 0;
  for (let from = 0; from < pairs.count; from += STRETCH) {
    const numbers = Array.from({ length: Math.min(STRETCH, pairs.count - from) }, (_, i) => from + i);
    const keys = numbers.map((i) => pairs.key(i));
    putNs += time(1, () => db.putAll(keys, pairs));
  }
  if (db.count() !== pairs.count) throw new Error(`${name} has ${db.count()} pairs of ${pairs.count}`);
  const keys = Array.from(anywhere(READS, pairs.count), (i) => pairs.key(i));
  const reading = (get) => () => {
    let sum = 0;
    for (const key of keys) sum += get(key)[pairs.length - 1];
    if (sum !== 7 * READS) throw new Error(`${name} gave other values`);
  };
  const getNs = best(reading(db.get));
  const getViewNs = best(reading(db.getView));
  const rss = { mappedRss: mappedRss(path), rss: process.memoryUsage.rss() };
  await db.close();
  const sizes = sizesOf(name, path);
  removeStore(path);
  return { putNs: putNs / pairs.count, getNs, getViewNs, ...sizes, dataBytes: pairs.bytes, ...rss };
}

/** Reads of memory of the size of the data, each at a place that the one before has a say in. */
function memory() {
  const words = new Int32Array(pairs.bytes / Int32Array.BYTES_PER_ELEMENT).fill(0);
  const places = Int32Array.from(anywhere(READS, words.length));
  const run = () => {
    let sum = 0;
    for (let i = 0; i < READS; i++) sum += words[places[i] + sum];
    if (sum !== 0) throw new Error('Not the memory that was filled');
  };
  return { getNs: best(run) };
}

const result = name === 'memory' ? memory() : await store();
rmSync(path, { recursive: true, force: true });
console.log(JSON.stringify({ store: name, pairs: pairs.count, ...result }));
process.exit(0);
