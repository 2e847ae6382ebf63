// The same pairs, in memmap/store and in what it is measured against.
import { rmSync, statSync } from 'node:fs';
import { Store } from 'memmap/store';

const KEY_LENGTH = 13;

/** Pairs whose keys and values can be made again: user:00001234, and a value that tells its number. */
export class Pairs {
  #value;

  constructor(count, length) {
    this.count = count;
    this.length = length;
    this.bytes = count * (KEY_LENGTH + length);
    this.#value = Buffer.alloc(length, 7);
  }

  /** A flat string: what it was put together from would be joined by whoever reads it first. */
  key(i) {
    return Buffer.from(`user:${String(i).padStart(8, '0')}`).latin1Slice();
  }

  /** The same buffer each time. */
  value(i) {
    this.#value.writeInt32LE(i);
    return this.#value;
  }

  keys() {
    return Array.from({ length: this.count }, (_, i) => this.key(i));
  }

  /** All numbers below the count, in an order that is the same in every process. */
  shuffled() {
    const order = Int32Array.from({ length: this.count }, (_, i) => i);
    let x = 88675123;
    for (let i = this.count - 1; i > 0; i--) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const j = (x >>> 0) % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

/**
 * What a store can do, by its name: `open(path, options)` of each gives, where it can,
 *   get, getView (whose bytes may be gone with the next call)
 *   putAll(keys, pairs): all of them, and durable when it returns
 *   put(key, value): this one, as durable as the options say
 *   count(), unless it has to look through all of them
 *   close()
 */
export const STORES = {
  async Store(path, { durability } = {}) {
    const store = Store.open(path, { durability });
    return {
      get: (key) => store.get(key),
      getView: (key) => store.getView(key),
      put: (key, value) => store.put(key, value),
      putAll(keys, pairs) {
        for (let i = 0; i < keys.length; i++) store.put(keys[i], pairs.value(i));
        store.commit();
      },
      putEach(list) {
        store.putMany(list);
        store.commit();
      },
      count: () => store.size,
      close: () => store.close(),
    };
  },

  async lmdb(path, { encoding = 'binary', ...options } = {}) {
    const { open } = await import('lmdb');
    // A path with a dot is a file, not a directory. The size of the map must not have to grow.
    const db = open({ path: `${path}.mdb`, encoding, mapSize: 2 ** 33, ...options });
    return {
      get: (key) => db.get(key),
      getView: (key) => db.getBinaryFast(key),
      put: (key, value) => db.put(key, value),
      putSync: (key, value) => db.putSync(key, value),
      async putFlushed(key, value) {
        await db.put(key, value);
        await db.flushed;
      },
      putAll(keys, pairs) {
        db.transactionSync(() => {
          for (let i = 0; i < keys.length; i++) void db.put(keys[i], pairs.value(i));
        });
      },
      count: () => db.getStats().entryCount,
      close: () => db.close(),
    };
  },

  async 'better-sqlite3'(path) {
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(path);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID');
    const select = db.prepare('SELECT value FROM pairs WHERE key = ?').pluck();
    const replace = db.prepare('REPLACE INTO pairs VALUES (?, ?)');
    return {
      get: (key) => select.get(key),
      put: (key, value) => replace.run(key, value),
      putAll: db.transaction((keys, pairs) => {
        for (let i = 0; i < keys.length; i++) replace.run(keys[i], pairs.value(i));
      }),
      close: () => db.close(),
    };
  },

  async 'classic-level'(path) {
    const { ClassicLevel } = await import('classic-level');
    const db = new ClassicLevel(path, { valueEncoding: 'buffer' });
    await db.open();
    return {
      get: (key) => db.getSync(key),
      put: (key, value) => db.put(key, value, { sync: true }),
      /** Not in one piece, which would be held in memory twice. */
      async putAll(keys, pairs) {
        for (let from = 0; from < keys.length; from += 10_000) {
          const batch = db.batch();
          for (let i = from; i < Math.min(from + 10_000, keys.length); i++) batch.put(keys[i], pairs.value(i));
          await batch.write({ sync: from + 10_000 >= keys.length });
        }
      },
      close: () => db.close(),
    };
  },
};

/** Removes what a store has left at a path, whichever it was. */
export function removeStore(path) {
  for (const end of ['', '-wal', '-shm', '.mdb', '.mdb-lock']) rmSync(path + end, { recursive: true, force: true });
}

/** Bytes of a store's file, and of the disk that it takes. */
export function sizesOf(name, path) {
  const { size, blocks } = statSync(name === 'lmdb' ? `${path}.mdb` : path);
  return { fileBytes: size, diskBytes: blocks * 512 };
}
