// Filling a new store, durable in the end: put by put, and by putMany() against writev(2) of
// the same bytes.
import { closeSync, fstatSync, fsyncSync, openSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { Pairs, STORES, removeStore } from './harness/stores.mjs';

const COUNT = { 64: 1_000_000, 1024: 200_000 };
/** Bytes and pieces of one writev(2). */
const CHUNK = 2 ** 20;
const CHUNKS = 16;

const pairsOf = (quick, length) => new Pairs(quick ? 50_000 : COUNT[length], length);

/** Each round fills a new store, which the next one closes and removes. */
function filling(name, store, length, { shuffled = false, options } = {}) {
  const title = [name, ...(length === 64 ? [] : ['1 KiB']), ...(shuffled ? ['shuffled'] : [])].join(', ');
  return {
    name: title,
    group: `${length}`,
    rival: store !== 'Store',
    async prepare({ files, quick }) {
      const pairs = pairsOf(quick, length);
      const keys = shuffled ? Array.from(pairs.shuffled(), (i) => pairs.key(i)) : pairs.keys();
      const path = join(files.stores, title.replaceAll(/\W+/g, '-'));
      let db;
      return {
        operations: pairs.count,
        async arrange() {
          await db?.close();
          removeStore(path);
          db = await STORES[store](path, options);
        },
        async round() {
          await db.putAll(keys, pairs);
          return db.count?.() ?? pairs.count;
        },
      };
    },
  };
}

/** The pairs as an array, made before the clock runs. */
async function loading({ files, quick }) {
  const pairs = pairsOf(quick, 64);
  const list = Array.from({ length: pairs.count }, (_, i) => [pairs.key(i), Buffer.from(pairs.value(i))]);
  const path = join(files.stores, 'load');
  let db;
  return {
    operations: 1,
    async arrange() {
      db?.close();
      removeStore(path);
      db = await STORES.Store(path);
    },
    round() {
      db.putEach(list);
      return db.count();
    },
  };
}

function writing({ files, quick }) {
  const pairs = pairsOf(quick, 64);
  const chunks = [];
  const all = Buffer.concat(Array.from({ length: pairs.count }, (_, i) => [Buffer.from(pairs.key(i)), Buffer.from(pairs.value(i))]).flat());
  for (let from = 0; from < all.length; from += CHUNK) chunks.push(all.subarray(from, from + CHUNK));
  const path = join(files.stores, 'writev');
  let fd;
  return {
    operations: 1,
    arrange() {
      if (fd !== undefined) closeSync(fd);
      removeStore(path);
      fd = openSync(path, 'wx');
    },
    round() {
      for (let i = 0; i < chunks.length; i += CHUNKS) writevSync(fd, chunks.slice(i, i + CHUNKS));
      fsyncSync(fd);
      return (fstatSync(fd).size / pairs.bytes) * pairs.count;
    },
  };
}

export default {
  title: 'filling a store with 1 M values of 64 bytes, 200 k of 1 KiB',
  files: () => ({ stores: { kind: 'directory' } }),
  cases: [
    ...[64, 1024].flatMap((length) => [filling('Store put', 'Store', length), filling('lmdb put', 'lmdb', length)]),
    filling('Store put', 'Store', 64, { shuffled: true }),
    filling('lmdb put', 'lmdb', 64, { shuffled: true }),
    filling('better-sqlite3 put', 'better-sqlite3', 64),
    filling('classic-level put', 'classic-level', 64),
    { name: 'Store putMany', group: 'load', prepare: loading },
    { name: 'writev', group: 'load', prepare: writing },
  ],
  comparisons: [
    { of: 'Store put', against: 'lmdb put', atLeast: 4 },
    { of: 'Store put, 1 KiB', against: 'lmdb put, 1 KiB', atLeast: 4 },
    { of: 'Store put, shuffled', against: 'lmdb put, shuffled' },
    { of: 'Store put', against: 'better-sqlite3 put' },
    { of: 'Store put', against: 'classic-level put' },
    { of: 'Store putMany', against: 'writev', plusMs: 500, atMost: 1 },
    { of: 'Store putMany', against: 'writev', atMost: () => undefined },
  ],
};
