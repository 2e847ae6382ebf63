// Flipped bits and a truncated file: nothing wrong is read, damage is named, the rest can be read:
// lib/store/{check,reader,recovery,open}.ts, lib/store/file/header.ts, lib/store/log/record.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Store } from 'memmap/store';
import { seeded } from '../support/random.mjs';
import { runs } from '../support/process/run.mjs';
import { AT_CATALOG, layoutOf } from '../support/store/store-bytes.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const CORRUPT = 'ERR_MEMMAP_CORRUPT';
const KEYS = 60;
const KILLED = fileURLToPath(new URL('../fixtures/store/killed-store.mjs', import.meta.url));
const valueOf = (i) => Buffer.alloc(i % 10 === 0 ? 9000 : 10 + 7 * i, i + 1);

describe('a damaged store', function () {
  this.timeout(60_000);
  const file = temporaryFiles();
  const next = seeded(5);
  let whole;
  let layout;
  before(() => {
    const store = Store.open(file('whole'));
    for (let i = 0; i < KEYS; i++) {
      store.put(`key ${i}`, valueOf(i));
      if (i % 20 === 19) store.commit();
    }
    store.close();
    whole = readFileSync(file('whole'));
    layout = layoutOf(file('whole'));
    assert.equal(layout.records.length, KEYS);
  });

  /** The store with a bit changed. */
  function damaged(offset, bit = next(8)) {
    const bytes = Buffer.from(whole);
    bytes[offset] ^= 1 << bit;
    writeFileSync(file('damaged'), bytes);
    return file('damaged');
  }

  function numberOf(key) {
    return Number(key.slice(4));
  }

  /** Reads all keys: those that are damaged throw, the others are right, or not there if `lost` says so. */
  function readAll(store, read = (key) => store.get(key), lost = () => false) {
    const offsets = [];
    const broken = [];
    for (let i = 0; i < KEYS; i++) {
      const key = `key ${i}`;
      try {
        const value = read(key);
        if (value === undefined && lost(i)) continue;
        assert.ok(value?.equals(valueOf(i)), `${key} is ${value === undefined ? 'missing' : 'wrong'}`);
      } catch (error) {
        if (error.code !== CORRUPT) throw error;
        offsets.push(error.offset);
        broken.push(key);
      }
    }
    return { broken, offsets };
  }

  const within = (offset, record) => offset >= record.offset && offset < record.offset + record.length;

  const LENGTH = [8, 9, 10, 11];

  function* placesOf({ offset, keyLength, valueLength }) {
    for (let at = 0; at < 16; at++) if (!LENGTH.includes(at)) yield offset + at;
    for (let at = 0; at < keyLength; at++) yield offset + 16 + at;
    const value = offset + 16 + 8 * Math.ceil(keyLength / 8);
    for (let i = 0; i < 6; i++) yield value + next(valueLength);
  }

  for (const readOnly of [false, true]) {
    const how = readOnly ? 'for reading' : 'for writing';

    /** Bytes of a record change, one by one. */
    async function eachNamed(record, places) {
      for (const place of places) {
        const store = Store.open(damaged(place), { readOnly });
        const where = `byte ${place - record.offset} of the record of ${record.key}`;
        try {
          const { broken, offsets } = readAll(store);
          assert.deepEqual(broken, [record.key], where);
          assert.ok(within(offsets[0], record), where);
          const found = [];
          const pairs = [...store.entries({ onDamage: (one) => found.push(one.offset) })];
          assert.equal(pairs.length, KEYS - 1, where);
          assert.ok(pairs.every(([key, value]) => value.equals(valueOf(numberOf(key)))), where);
          assert.deepEqual(found.map((offset) => within(offset, record)), [true], where);
          assert.throws(() => [...store], { code: CORRUPT, offset: found[0] }, where);
          const { damage } = await store.check();
          assert.ok(damage.some(({ offset }) => within(offset, record)), `check(): ${where}`);
        } finally {
          store.close();
        }
      }
    }

    it(`says which record is broken, and reads the others, ${how}`, async () => {
      for (const record of layout.records.filter((_, i) => i % 6 === 0)) await eachNamed(record, placesOf(record));
    });

    it(`says so of a record whose length is broken, and may reach past the file, ${how}`, async () => {
      for (const record of layout.records.filter((_, i) => i % 6 === 0)) {
        await eachNamed(record, LENGTH.map((at) => record.offset + at));
      }
    });
  }

  it('reads the rest with salvage: true', async () => {
    for (const record of layout.records.filter((_, i) => i % 3 === 0)) {
      for (const place of [record.offset, record.offset + 4 + next(4), record.offset + 8 + next(4), record.offset + 16]) {
        const path = damaged(place);
        let store = Store.open(path, { salvage: true });
        const lost = (i) => i === numberOf(record.key);
        try {
          assert.deepEqual(readAll(store, undefined, lost).broken, []);
          assert.equal(store.get(record.key), undefined);
          assert.equal(store.size, KEYS - 1);
          store.put(record.key, valueOf(numberOf(record.key)));
          store.close();
          store = Store.open(path);
          assert.deepEqual(readAll(store).broken, []);
        } finally {
          store.close();
        }
      }
    }
  });

  /** Whatever open() and get() do, what they give is right; and salvage gives all that the log has. */
  async function harmless(place, what) {
    let store;
    try {
      store = Store.open(damaged(place));
    } catch (error) {
      assert.match(error.code, /^ERR_MEMMAP_(CORRUPT|NOT_A_STORE)$/, `${what}: ${error.stack}`);
    }
    if (store !== undefined) {
      let missing = 0;
      let report;
      try {
        const { broken } = readAll(store, undefined, () => ((missing += 1), true));
        missing += broken.length;
        report = await store.check();
      } finally {
        store.close();
      }
      if (missing > 0) assert.ok(report.damage.length > 0, `${what}: check() says nothing`);
    }
    const salvaged = Store.open(damaged(place), { salvage: true });
    try {
      assert.deepEqual(readAll(salvaged).broken, [], `${what}, salvaged`);
      assert.equal(salvaged.size, KEYS, `${what}, salvaged`);
      assert.deepEqual((await salvaged.check()).damage, [], `${what}, salvaged`);
    } finally {
      salvaged.close();
    }
  }

  it("gives nothing wrong when the file's header has changed", async () => {
    for (let at = next(3); at < 192; at += 3) await harmless(at, `byte ${at} of the header`);
    for (let i = 0; i < 20; i++) {
      const at = 4096 + next(64);
      await harmless(at, `byte ${at} of the catalog`);
    }
  });

  it("gives nothing wrong when an extent's header has changed", async () => {
    for (const extent of layout.extents) {
      for (let at = next(5); at < 128; at += 5) await harmless(extent + at, `byte ${at} of an extent`);
    }
  });

  it('gives nothing wrong when the index has changed', async () => {
    for (let at = 0; at < 8; at++) await harmless(layout.directory + at, `byte ${at} of the directory`);
    for (const slot of layout.slots.filter((_, i) => i % 8 === 0)) {
      for (let at = 0; at < 8; at++) await harmless(slot + at, `byte ${at} of the slot at ${slot}`);
    }
  });

  describe('whose writer was killed', () => {
    const large = (i) => Buffer.alloc(i % 10 === 0 ? 90_000 : 10 + 7 * i, i + 1);
    let path;
    let bytes;
    let extents;
    before(() => {
      path = file('killed');
      const { signal } = spawnSync(process.execPath, [KILLED, path, KEYS], { stdio: 'inherit' });
      assert.equal(signal, 'SIGKILL');
      bytes = readFileSync(path);
      ({ extents } = layoutOf(path));
      assert.ok(extents.length > 1);
    });

    /** In the same file, as the kernel would have it: another one is walked whole. */
    function flip(at, bit) {
      truncateSync(path, bytes.length);
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 << bit;
      writeFileSync(path, changed, { flag: 'r+' });
    }

    function isRight(store, where) {
      for (let i = 0; i < KEYS; i++) assert.ok(store.get(`key ${i}`)?.equals(large(i)), `key ${i}, ${where}`);
    }

    for (const readOnly of [false, true]) {
      it(`has every pair, and loses none to what is put, with a bit of the header changed, ${readOnly ? 'for reading' : 'for writing'}`, async () => {
        // Sums, directory, last number, a segment being replaced; the catalog, and some of what is free in it.
        const words = [26, 27, 28, 29, 33, 38, 40, 41, 42, 43, 44, 45, 46, 47];
        for (let i = 0; i < 4 * extents.length; i++) words.push(AT_CATALOG + i);
        for (let i = 0; i < 6; i++) words.push(AT_CATALOG + 4 * extents.length + next(8000));
        for (const word of words) {
          for (let bit = next(8); bit < 32; bit += 8) {
            const where = `word ${word}, bit ${bit}`;
            flip(4 * word + (bit >> 3), bit & 7);
            let store = Store.open(path, { readOnly });
            isRight(store, where);
            store.close();
            store = Store.open(path);
            for (let i = 0; i < 30; i++) store.put(`new ${i}`, Buffer.alloc(40_000, 1));
            isRight(store, where);
            assert.equal(store.size, KEYS + 30, where);
            assert.deepEqual((await store.check()).damage, [], where);
            store.close();
          }
        }
      });
    }
  });

  for (const deleted of [false, true]) {
    for (const between of [10, 400_000]) {
      it(`says where the index leads to an older record: ${deleted ? 'the key was deleted' : 'it was put again'}, ${between} bytes later`, async () => {
        const path = file(`older-${deleted}-${between}`);
        const store = Store.open(path);
        store.put('x', Buffer.from('old'));
        store.put('y', Buffer.alloc(between));
        if (deleted) store.delete('x');
        else store.put('x', Buffer.from('new'));
        store.put('z', Buffer.from('last'));
        assert.deepEqual((await store.check()).damage, []);
        store.close();
        const { records, slots, segment } = layoutOf(path);
        const [old, newer] = records.filter(({ key }) => key === 'x').map(({ offset }) => offset / 8);
        const bytes = readFileSync(path);
        const all = deleted ? Array.from({ length: 8192 }, (_, i) => segment + 8 * i) : slots;
        const slot = all.find((at) => bytes.readUInt32LE(at + 4) === (deleted ? 1 : newer));
        bytes.writeUInt32LE(old, slot + 4);
        writeFileSync(path, bytes);
        for (const readOnly of [true, false]) {
          const wrong = Store.open(path, { readOnly });
          assert.equal(wrong.get('x').toString(), 'old');
          const { damage } = await wrong.check();
          assert.equal(damage[0].what, 'the index, which leads to an older record of the same key,');
          if (!deleted) assert.equal(damage[0].offset, 8 * newer);
          wrong.close();
        }
        const salvaged = Store.open(path, { salvage: true });
        assert.equal(salvaged.get('x')?.toString(), deleted ? undefined : 'new');
        assert.deepEqual((await salvaged.check()).damage, []);
        salvaged.close();
      });
    }
  }

  for (const access of ['read', 'write']) {
    it(`throws a FaultError when its file is truncated while it is open to ${access}`, () =>
      runs('truncated-store', [file(`truncated-${access}`), access]));
  }

  // The index has no sums: zeros in its place, of a file that was made longer again, are an index without keys.
  for (const part of [0, 0.4, 0.5, 0.512345, 0.9]) {
    for (const after of ['leave', 'grow']) {
      it(`has each key's value, or throws, when its file is cut to ${part} of it: ${after}`, () =>
        runs('cut-store', [file(`cut-${part}-${after}`), part, after]));
    }
  }
});
