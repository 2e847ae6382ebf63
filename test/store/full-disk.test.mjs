// A store on a file system of 8 MB that is full. Witness: every pair, each time.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { Store } from 'memmap/store';
import { smallTmpfs } from '../support/mount.mjs';
import { contentsOf, difference, same, valueOf } from '../support/store-ops.mjs';

/** Deletions, which take room themselves until compact(). */
const MOST_DELETED = 4000;
const FULL = { name: 'SystemError', code: 'ENOSPC' };

describe('a store on a full disk', function () {
  this.timeout(60_000);
  const file = smallTmpfs(8 * 2 ** 20);
  let store;
  let model;

  beforeEach(() => {
    store = Store.open(file('store'));
    model = new Map();
  });
  afterEach(() => {
    store.close();
    rmSync(file('store'), { force: true });
  });

  /** Puts pairs until there is no room. */
  function fill(length, name = 'key') {
    for (let i = 0; ; i++) {
      const key = `${name} ${i}`;
      const value = valueOf(key, i, length);
      try {
        store.put(key, value);
      } catch (error) {
        assert.deepEqual({ name: error.name, code: error.code }, FULL);
        return i;
      }
      model.set(key, value);
      assert.ok(i < 2 ** 20, 'it is never full');
    }
  }

  async function isSound() {
    const found = contentsOf(store);
    assert.ok(same(found, model), difference(found, model));
    assert.equal(store.size, model.size);
    assert.deepEqual((await store.check()).damage, []);
  }

  for (const length of [200, 3000, 100_000]) {
    it(`is what it was when no more values of ${length} bytes fit`, async () => {
      assert.ok(fill(length) > 10);
      await isSound();
      // It stays so, and can be committed, closed and opened.
      store.commit();
      store.close();
      store = Store.open(file('store'));
      await isSound();
      assert.throws(() => store.put('more', Buffer.alloc(2 ** 20)), FULL);
      await isSound();
    });

    it(`takes more values of ${length} bytes after others were deleted and it was compacted`, async () => {
      // What somebody else takes, and gives back: deleting and compacting want some room themselves.
      writeFileSync(file('ballast'), Buffer.alloc(2 ** 20));
      const count = fill(length);
      rmSync(file('ballast'));
      for (const key of model.keys()) {
        if (!key.endsWith('0')) assert.ok(store.delete(key) && model.delete(key));
        if (count - model.size > MOST_DELETED) break;
      }
      await isSound();
      const before = store.stats().diskBytes;
      await compacts();
      assert.ok(store.stats().diskBytes < before, 'room goes back to the disk');
      await isSound();
      assert.ok(fill(length, 'again') > 10);
      await isSound();
    });
  }

  /** Until nothing more can be had: each time some is given back, perhaps, before the disk is full. */
  async function compacts() {
    for (let i = 0; i < 20; i++) {
      try {
        await store.compact({ waste: 0 });
        return;
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      }
    }
  }

  it('keeps nothing of a transaction that does not fit', async () => {
    fill(100_000);
    for (const key of ['key 1', 'key 2']) {
      assert.throws(() => {
        store.transaction(() => {
          store.delete(key);
          for (let i = 0; ; i++) store.put(`new ${i}`, Buffer.alloc(50_000));
        });
      }, FULL);
      await isSound();
    }
    store.close();
    store = Store.open(file('store'));
    await isSound();
  });

  it('is recovered where it is: the index is made again, and the log goes on', async () => {
    fill(3000);
    store.close();
    store = Store.open(file('store'), { salvage: true });
    await isSound();
  });
});
