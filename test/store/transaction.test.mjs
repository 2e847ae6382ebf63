// Large transactions, and how much of the index they take: lib/store/{writer,index-updater}.ts,
// lib/store/index/{hash-index,growth}.ts.
import assert from 'node:assert/strict';
import { Store } from 'memmap/store';
import { temporaryFiles } from '../support/temp.mjs';

/** More than a segment of the index has slots. */
const MANY = 20_000;
const SEGMENT = 2 ** 16;

const bytes = (text) => Buffer.from(String(text));

describe('a transaction of many records', function () {
  this.timeout(60_000);
  const file = temporaryFiles();
  let count = 0;
  let store;
  beforeEach(() => {
    store = Store.open(file(`${(count += 1)}.db`));
  });
  afterEach(() => store.close());

  async function isSound() {
    assert.deepEqual((await store.check()).damage, []);
  }

  for (const known of [false, true]) {
    it(`of one key, ${known ? 'which was there' : 'which is new'}, takes one slot`, async () => {
      if (known) store.put('counter', bytes('before'));
      const { indexBytes } = store.stats();
      store.transaction(() => {
        for (let i = 0; i < MANY; i++) store.put('counter', bytes(i));
      });
      assert.equal(String(store.get('counter')), String(MANY - 1));
      assert.equal(store.size, 1);
      assert.equal(store.stats().indexBytes, indexBytes);
      await isSound();
    });
  }

  it('of keys that come and go has room for each of them', async () => {
    store.transaction(() => {
      for (let i = 0; i < MANY; i++) {
        store.put(`key ${i}`, bytes(i));
        assert.equal(store.delete(`key ${i}`), true);
        assert.equal(store.delete(`key ${i}`), false);
        assert.equal(store.get(`key ${i}`), undefined);
      }
      store.put('key 7', bytes('again'));
    });
    assert.equal(store.size, 1);
    assert.equal(String(store.get('key 7')), 'again');
    await isSound();
  });

  it('of keys that are there, and of new ones, takes slots for the new ones only', async () => {
    for (let i = 0; i < MANY; i++) store.put(`key ${i}`, bytes(i));
    const before = store.stats().indexBytes;
    store.transaction(() => {
      for (let i = 0; i < MANY; i++) store.put(`key ${i}`, bytes(-i));
    });
    assert.equal(store.stats().indexBytes, before);
    store.transaction(() => {
      for (let i = 0; i < 2 * MANY; i++) store.put(`key ${i}`, bytes(2 * i));
    });
    assert.ok(store.stats().indexBytes <= 3 * before + SEGMENT, `${store.stats().indexBytes} of ${before} before`);
    assert.equal(store.size, 2 * MANY);
    for (let i = 0; i < 2 * MANY; i++) assert.equal(String(store.get(`key ${i}`)), String(2 * i));
    await isSound();
  });
});
