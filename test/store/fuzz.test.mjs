// Random operations on a store and a Map, and a reader that follows: lib/store/{store,writer,reader,scan}.ts,
// lib/store/index/hash-index.ts.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { Store } from 'memmap/store';
import { seeded } from '../support/random.mjs';
import { xxh32 } from '../support/store/store-checksums.mjs';
import { liveBytes } from '../support/store/store-ops.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const SECONDS = Number(process.env.STORE_FUZZ_SECONDS ?? 8);
const SEED = Number(process.env.STORE_FUZZ_SEED ?? 1);

/** Until the next store begins. */
const STEPS = 800;
/** Short keys, which come and go in great numbers. */
const MANY = 21_000;

/** What is the same for equal keys, be they strings or bytes. */
const nameOf = (key) => Buffer.from(key).toString('latin1');

/** The hash of a key of at most 16 ASCII letters, in this store. */
function hashing(path) {
  const seed = readFileSync(path).readInt32LE(16);
  const bytes = Buffer.alloc(16);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, 4);
  return (key) => xxh32(words, 0, bytes.fill(0).write(key), seed);
}

/** Two keys with the same hash: by trying, some 80,000 on the average. */
function twinsOf(hashOf) {
  const next = seeded(hashOf(''));
  const word = () => next(36 ** 4).toString(36).padStart(4, '-');
  for (const seen = new Map(); ; ) {
    const key = word() + word();
    const hash = hashOf(key);
    const other = seen.get(hash);
    if (other !== undefined && other !== key) return [other, key];
    seen.set(hash, key);
  }
}

/** Short keys; the first ones belong in the same quarter of the index, so that its segments differ in depth. */
function manyKeys(hashOf) {
  const keys = [];
  for (let i = 0; keys.length < MANY; i++) {
    const hash = hashOf(`many ${i}`);
    if (keys.length < MANY / 2 ? (hash & 3) === 0 : (hash & 1) === 1) keys.push(`many ${i}`);
  }
  return keys;
}

function keyOf(next, twins) {
  const number = next(next(4) === 0 ? 3000 : 120);
  switch (number % 7) {
    case 0:
      return number === 0 ? '' : `ключ-${number}-😀`;
    case 1:
      return Buffer.from([number, number >>> 8, 0, 0xff, 0x80].slice(0, 2 + (number % 4)));
    case 2:
      return Uint8Array.from(`key ${number - 1}`, (letter) => letter.charCodeAt(0)); // as the string of another
    case 3:
      if (number < 40) return twins[next(2)];
      return `${number} `.repeat(1 + (number % 50) * 6);
    default:
      return `key ${number}`;
  }
}

function valueOf(next) {
  const kind = next(100);
  const length = kind < 5 ? 0 : kind < 60 ? next(64) : kind < 98 ? next(5001) : next(4) === 0 ? 300 * 1024 : next(40_000);
  const value = Buffer.alloc(length, next(256));
  for (let i = 0; i < Math.min(length, 40); i++) value[next(length)] = next(256);
  return value;
}

class Fuzz {
  #path;
  #next;
  #store;
  #reader;
  #twins;
  #many = [];
  #weights;
  #first;
  /** By name: { key, value }, as it was put. */
  #model = new Map();

  constructor(path, seed) {
    this.#path = path;
    this.#next = seeded(seed);
    this.#weights = seed % 2 === 0 ? LARGE : SMALL;
    this.#first = this.#weights.map(([, name]) => name);
    this.#store = Store.open(path);
    this.#reader = Store.open(path, { readOnly: true });
    const hashOf = hashing(path);
    this.#twins = twinsOf(hashOf);
    if (this.#weights === LARGE) this.#many = manyKeys(hashOf);
  }

  close() {
    this.#store.close();
    this.#reader.close();
  }

  #key() {
    return keyOf(this.#next, this.#twins);
  }

  #is(found, expected, what) {
    if (expected === undefined) assert.equal(found, undefined, what);
    else assert.ok(found !== undefined && expected.equals(found), `${what}: ${found?.length} bytes, not the ${expected.length}`);
  }

  #look(store, key, model = this.#model) {
    const name = nameOf(key);
    const expected = model.get(name)?.value;
    const what = `${store.readOnly ? 'reader' : 'writer'}, ${JSON.stringify(String(key)).slice(0, 60)}`;
    this.#is(store.get(key), expected, `get: ${what}`);
    this.#is(store.getView(key), expected, `getView: ${what}`);
    assert.equal(store.has(key), expected !== undefined, `has: ${what}`);
  }

  #put(model) {
    const [key, value] = [this.#key(), valueOf(this.#next)];
    this.#store.put(key, value);
    model.set(nameOf(key), { key, value });
    return key;
  }

  #delete(model) {
    const key = this.#key();
    assert.equal(this.#store.delete(key), model.delete(nameOf(key)));
    return key;
  }

  #putMany(pairs) {
    assert.equal(this.#store.putMany(pairs), pairs.length);
    for (const [key, value] of pairs) this.#model.set(nameOf(key), { key, value });
  }

  /** So many that segments of the index are replaced, and the directory. @returns their names */
  #grow() {
    const names = this.#someOfMany();
    this.#putMany(names.map((name, i) => [name, Buffer.from([i])]));
    this.#lookAtMany();
    return names;
  }

  #someOfMany() {
    const first = this.#model.size === 0 ? 0 : this.#next((2 * MANY) / 3);
    return this.#many.slice(first, first + MANY / 3);
  }

  #lookAtMany() {
    for (let i = 0; i < 200; i++) this.#look(this.#reader, this.#many[this.#next(MANY)]);
  }

  #change(model) {
    return this.#next(3) === 0 ? this.#delete(model) : this.#put(model);
  }

  acts = {
    put: () => this.#look(this.#reader, this.#put(this.#model)),
    delete: () => this.#look(this.#reader, this.#delete(this.#model)),
    get: () => this.#look(this.#next(2) === 0 ? this.#store : this.#reader, this.#key()),
    putMany: () => {
      const pairs = Array.from({ length: this.#next(30) }, () => [this.#key(), valueOf(this.#next)]);
      this.#putMany(pairs);
    },
    grow: () => this.#grow(),
    shrink: () => {
      for (const name of this.#someOfMany()) assert.equal(this.#store.delete(name), this.#model.delete(name));
      this.#lookAtMany();
    },
    transaction: () => {
      const model = new Map(this.#model);
      const fails = this.#next(3) === 0;
      const size = this.#next(20);
      const act = () => {
        for (let i = 0; i < size; i++) {
          const key = this.#change(model);
          this.#look(this.#store, key, model);
          this.#look(this.#reader, key);
        }
        if (fails) throw new RangeError('enough');
        return size;
      };
      if (fails) assert.throws(() => this.#store.transaction(act), /enough/);
      else assert.equal(this.#store.transaction(act), size);
      if (!fails) this.#model = model;
    },
    entries: () => {
      const store = this.#next(2) === 0 ? this.#store : this.#reader;
      const left = new Map(this.#model);
      const found = Array.from(store);
      for (const [key, value] of found) {
        const name = nameOf(key);
        this.#is(value, left.get(name)?.value, 'entries');
        assert.equal(typeof key, typeof left.get(name).key, 'as it was put');
        assert.ok(left.delete(name), 'each once');
      }
      assert.equal(left.size, 0);
    },
    // What is there all the time comes once, whatever comes and goes meanwhile.
    entriesMeanwhile: () => {
      const left = new Map(this.#model);
      const touched = new Set();
      for (const [key, value] of this.#next(2) === 0 ? this.#store : this.#reader) {
        const name = nameOf(key);
        if (!touched.has(name)) {
          this.#is(value, left.get(name)?.value, 'entries, meanwhile');
          assert.ok(left.delete(name), 'each once, meanwhile');
        }
        if (this.#next(100) === 0) touched.add(nameOf(this.#change(this.#model)));
        if (this.#next(5000) === 0) for (const other of this.#grow()) touched.add(other);
      }
      for (const name of left.keys()) assert.ok(touched.has(name), `${name} did not come`);
    },
    commit: () => this.#store.commit(),
    commitAsync: async () => {
      const done = this.#store.commitAsync();
      this.#look(this.#store, this.#change(this.#model));
      await Promise.all([done, this.#store.commitAsync()]);
    },
    compact: async () => {
      const done = this.#store.compact({ waste: this.#next(3) / 4 });
      // A reader in the middle of it, or changes.
      const checked = this.#next(2) === 0 ? this.#reader.check() : undefined;
      for (let i = checked === undefined ? this.#next(4) : 0; i > 0; i--) this.#look(this.#reader, this.#change(this.#model));
      await done;
      assert.deepEqual((await checked)?.damage ?? [], []);
    },
    check: async () => {
      for (const store of [this.#store, this.#reader]) {
        const { damage, pairs } = await store.check();
        assert.deepEqual({ damage, pairs }, { damage: [], pairs: this.#model.size });
        assert.equal(store.stats().liveBytes, liveBytes(Array.from(this.#model.values(), ({ key, value }) => [key, value])), 'liveBytes');
      }
    },
    // Another file than the header says: the index is made again from the log, in which nothing must be missing.
    copy: () => {
      const copy = `${this.#path}-copy`;
      this.#store.commit();
      copyFileSync(this.#path, copy);
      const other = Store.open(copy);
      for (const { key } of this.#model.values()) this.#look(other, key);
      assert.equal(other.size, this.#model.size);
      other.close();
      rmSync(copy);
    },
    reopen: () => {
      this.#store.close();
      if (this.#next(2) === 0) {
        this.#reader.close();
        this.#reader = Store.open(this.#path, { readOnly: true });
      }
      // With salvage, too, the index is made again.
      this.#store = Store.open(this.#path, { salvage: this.#next(3) === 0 });
    },
  };

  /** @returns what it did */
  async step() {
    const kind = this.#next(1000);
    // Each once, then at random.
    const name = this.#first.shift() ?? this.#weights.find(([least]) => kind < least)[1];
    await this.acts[name]();
    assert.equal(this.#store.size, this.#model.size, name);
    assert.equal(this.#reader.size, this.#model.size, `${name}: reader`);
    return name;
  }
}

/** Of a thousand, added up. */
const SMALL = [
  [420, 'put'], [600, 'delete'], [880, 'get'], [910, 'putMany'], [965, 'transaction'],
  [970, 'entries'], [975, 'commit'], [980, 'commitAsync'], [988, 'compact'], [993, 'check'], [996, 'copy'], [1000, 'reopen'],
];
/** Of a store with many keys. */
const LARGE = [[7, 'grow'], [12, 'shrink'], [16, 'entriesMeanwhile'], ...SMALL];

describe('a store and a Map', function () {
  this.timeout(60_000 + 2000 * SECONDS);
  const file = temporaryFiles();

  it(`are the same after anything that is done to both, for ${SECONDS} s`, async () => {
    const end = Date.now() + 1000 * SECONDS;
    const seen = new Set();
    // Each act has its turn, however little a slow machine does in that time.
    const goesOn = () => Date.now() < end || seen.size < LARGE.length;
    for (let seed = SEED; goesOn(); seed++) {
      const fuzz = new Fuzz(file(`fuzz-${seed}`), seed);
      let step = 0;
      try {
        for (; step < STEPS && goesOn(); step++) seen.add(await fuzz.step());
      } catch (error) {
        error.message = `seed ${seed}, step ${step}: ${error.message}`;
        throw error;
      } finally {
        fuzz.close();
      }
    }
  });
});
