// Random operations on a store, a Map as witness, and a reader that follows.
import assert from 'node:assert/strict';
import { Store } from 'memmap/store';
import { seeded } from '../support/random.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const SECONDS = Number(process.env.STORE_FUZZ_SECONDS ?? 5);
const SEED = Number(process.env.STORE_FUZZ_SEED ?? 1);

/** What is the same for equal keys, be they strings or bytes. */
const nameOf = (key) => Buffer.from(key).toString('latin1');

function keyOf(next) {
  const number = next(next(4) === 0 ? 3000 : 120);
  switch (number % 7) {
    case 0:
      return number === 0 ? '' : `ключ-${number}-😀`;
    case 1:
      return Buffer.from([number, number >>> 8, 0, 0xff, 0x80].slice(0, 2 + (number % 4)));
    case 2:
      return Uint8Array.from(`key ${number - 1}`, (letter) => letter.charCodeAt(0)); // as the string of another
    case 3:
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
  #model = new Map();
  counts = {};

  constructor(path, seed) {
    this.#path = path;
    this.#next = seeded(seed);
    this.#store = Store.open(path);
    this.#reader = Store.open(path, { readOnly: true });
  }

  close() {
    this.#store.close();
    this.#reader.close();
  }

  #is(found, expected, what) {
    if (expected === undefined) assert.equal(found, undefined, what);
    else assert.ok(found !== undefined && expected.equals(found), `${what}: ${found?.length} bytes, not the ${expected.length}`);
  }

  #look(store, key, model = this.#model) {
    const name = nameOf(key);
    const expected = model.get(name);
    const what = `${store.readOnly ? 'reader' : 'writer'}, ${JSON.stringify(String(key)).slice(0, 60)}`;
    this.#is(store.get(key), expected, `get: ${what}`);
    this.#is(store.getView(key), expected, `getView: ${what}`);
    assert.equal(store.has(key), expected !== undefined, `has: ${what}`);
  }

  #put(model) {
    const [key, value] = [keyOf(this.#next), valueOf(this.#next)];
    this.#store.put(key, value);
    model.set(nameOf(key), value);
    return key;
  }

  #delete(model) {
    const key = keyOf(this.#next);
    assert.equal(this.#store.delete(key), model.delete(nameOf(key)));
    return key;
  }

  #change(model) {
    return this.#next(3) === 0 ? this.#delete(model) : this.#put(model);
  }

  acts = {
    put: () => this.#look(this.#reader, this.#put(this.#model)),
    delete: () => this.#look(this.#reader, this.#delete(this.#model)),
    get: () => this.#look(this.#next(2) === 0 ? this.#store : this.#reader, keyOf(this.#next)),
    putMany: () => {
      const pairs = Array.from({ length: this.#next(30) }, () => [keyOf(this.#next), valueOf(this.#next)]);
      assert.equal(this.#store.putMany(pairs), pairs.length);
      for (const [key, value] of pairs) this.#model.set(nameOf(key), value);
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
      for (const [key, value] of store) {
        const name = nameOf(key);
        this.#is(value, left.get(name), 'entries');
        assert.ok(left.delete(name), 'each once');
      }
      assert.equal(left.size, 0);
    },
    commit: () => this.#store.commit(),
    commitAsync: async () => {
      const done = this.#store.commitAsync();
      this.#look(this.#store, this.#change(this.#model));
      await Promise.all([done, this.#store.commitAsync()]);
    },
    compact: async () => {
      const done = this.#store.compact({ waste: this.#next(3) / 4 });
      for (let i = this.#next(4); i > 0; i--) this.#look(this.#reader, this.#change(this.#model));
      await done;
    },
    check: async () => {
      for (const store of [this.#store, this.#reader]) {
        const { damage, pairs } = await store.check();
        assert.deepEqual({ damage, pairs }, { damage: [], pairs: this.#model.size });
      }
    },
    reopen: () => {
      this.#store.close();
      if (this.#next(2) === 0) {
        this.#reader.close();
        this.#reader = Store.open(this.#path, { readOnly: true });
      }
      this.#store = Store.open(this.#path);
    },
  };

  async step() {
    const kind = this.#next(1000);
    const [, name] = WEIGHTS.find(([least]) => kind < least);
    await this.acts[name]();
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    assert.equal(this.#store.size, this.#model.size, name);
    assert.equal(this.#reader.size, this.#model.size, `${name}: reader`);
  }
}

/** Of a thousand, added up. */
const WEIGHTS = [
  [420, 'put'], [600, 'delete'], [880, 'get'], [910, 'putMany'], [970, 'transaction'],
  [975, 'entries'], [980, 'commit'], [985, 'commitAsync'], [993, 'compact'], [996, 'check'], [1000, 'reopen'],
];

describe('a store and a Map', function () {
  this.timeout(60_000 + 2000 * SECONDS);
  const file = temporaryFiles();

  it(`are the same after anything that is done to both, for ${SECONDS} s`, async () => {
    const end = Date.now() + 1000 * SECONDS;
    const seen = {};
    for (let seed = SEED; Date.now() < end; seed++) {
      const fuzz = new Fuzz(file(`fuzz-${seed}`), seed);
      let step = 0;
      try {
        for (; step < 3000 && Date.now() < end; step++) await fuzz.step();
      } catch (error) {
        error.message = `seed ${seed}, step ${step}: ${error.message}`;
        throw error;
      } finally {
        fuzz.close();
      }
      for (const [name, count] of Object.entries(fuzz.counts)) seen[name] = (seen[name] ?? 0) + count;
    }
    for (const [, name] of WEIGHTS) assert.ok(SECONDS < 5 || seen[name] > 0, name);
  });
});
