// Single puts, each on the disk before the next.
import { join } from 'node:path';
import { Pairs, STORES, removeStore } from './harness/stores.mjs';

const COUNT = 1000;

function durable(name, store, how, options) {
  return {
    name,
    rival: store !== 'Store',
    async prepare({ files, quick }) {
      const pairs = new Pairs(quick ? 100 : COUNT, 64);
      const keys = Array.from(pairs.shuffled(), (i) => pairs.key(i));
      const path = join(files.stores, name.replaceAll(/\W+/g, '-'));
      removeStore(path);
      const db = await STORES[store](path, options);
      const put = db[how];
      // SQLite does not write what is there already.
      let written = 0;
      return {
        operations: pairs.count,
        async round() {
          for (const key of keys) {
            const waited = put(key, pairs.value(written++));
            if (waited instanceof Promise) await waited;
          }
          return db.count?.() ?? keys.length;
        },
      };
    },
  };
}

export default {
  title: 'single durable puts of 64 bytes',
  files: () => ({ stores: { kind: 'directory' } }),
  cases: [
    durable("Store put, durability: 'put'", 'Store', 'put', { durability: 'put' }),
    durable('lmdb await put, await flushed', 'lmdb', 'putFlushed'),
    // A commit is on the disk before its promise resolves.
    durable('lmdb await put, overlappingSync: false', 'lmdb', 'put', { overlappingSync: false }),
    durable('lmdb putSync, overlappingSync: false', 'lmdb', 'putSync', { overlappingSync: false }),
    durable('better-sqlite3 synchronous=FULL', 'better-sqlite3', 'put'),
    durable('classic-level sync: true', 'classic-level', 'put'),
  ],
  comparisons: [
    { of: "Store put, durability: 'put'", against: 'lmdb await put, await flushed', atLeast: 1 },
    { of: "Store put, durability: 'put'", against: 'lmdb await put, overlappingSync: false', atLeast: 1 },
    { of: "Store put, durability: 'put'", against: 'lmdb putSync, overlappingSync: false', atLeast: 1 },
    { of: "Store put, durability: 'put'", against: 'better-sqlite3 synchronous=FULL' },
    { of: "Store put, durability: 'put'", against: 'classic-level sync: true' },
  ],
};
