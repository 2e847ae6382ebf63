// Getting values by key, in a random order, from stores whose files are in the page cache.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Pairs, STORES } from './harness/stores.mjs';

const COUNT = { 64: 1_000_000, 1024: 200_000 };

/** A case per way to get and length of the values. The store is made by the first sitting. */
function reading(name, store, how, length, options) {
  const title = length === 64 ? name : `${name}, 1 KiB`;
  return {
    name: title,
    group: `${length}`,
    rival: store !== 'Store',
    async prepare({ files, quick }) {
      const pairs = new Pairs(quick ? 50_000 : COUNT[length], length);
      const path = join(files.stores, title.replaceAll(/\W+/g, '-'));
      const made = [path, `${path}.mdb`].some((file) => existsSync(file));
      const db = await STORES[store](path, options);
      if (!made) await db.putAll(pairs.keys(), pairs);
      const keys = Array.from(pairs.shuffled(), (i) => pairs.key(i));
      const get = db[how];
      return {
        operations: pairs.count,
        round() {
          let sum = 0;
          for (const key of keys) {
            const value = get(key);
            sum += value[0] + value[length - 1];
          }
          return sum;
        },
      };
    },
  };
}

export default {
  title: 'getting 1 M values of 64 bytes, 200 k of 1 KiB',
  files: () => ({ stores: { kind: 'directory' } }),
  cases: [
    ...[64, 1024].flatMap((length) => [
      reading('Store get', 'Store', 'get', length),
      reading('Store getView', 'Store', 'getView', length),
      reading('lmdb get', 'lmdb', 'get', length),
      reading('lmdb getBinaryFast', 'lmdb', 'getView', length),
    ]),
    reading('lmdb get, msgpack', 'lmdb', 'get', 64, { encoding: 'msgpack' }),
    reading('better-sqlite3 get', 'better-sqlite3', 'get', 64),
    reading('classic-level getSync', 'classic-level', 'get', 64),
  ],
  comparisons: [
    { of: 'Store get', against: 'lmdb get', atLeast: 4 },
    { of: 'Store getView', against: 'lmdb getBinaryFast', atLeast: 4 },
    { of: 'Store get, 1 KiB', against: 'lmdb get, 1 KiB', atLeast: 4 },
    { of: 'Store getView, 1 KiB', against: 'lmdb getBinaryFast, 1 KiB', atLeast: 4 },
    { of: 'Store get', against: 'lmdb get, msgpack' },
    { of: 'Store get', against: 'better-sqlite3 get' },
    { of: 'Store get', against: 'classic-level getSync' },
  ],
};
