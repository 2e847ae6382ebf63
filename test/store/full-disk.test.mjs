// A store on a full file system of 8 MB, and every pair in it: lib/store/writer.ts, lib/store/file/blocks.ts,
// lib/store/log/log.ts, lib/store/index/growth.ts.
import assert from 'node:assert/strict';
import { rmSync, statSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { Store } from 'memmap/store';
import { fillFileSystem, smallTmpfs } from '../support/kernel/mount.mjs';
import { contentsOf, difference, liveBytes, same, valueOf } from '../support/store/store-ops.mjs';

const SIZE = 8 * 2 ** 20;
/** Deletions, which take room themselves until compact(). */
const MOST_DELETED = 4000;
/** Pairs that the first segment of the index takes, but for some ten. */
const NEARLY = 6540;
const BLOCK = 2 ** 16;
const FULL = { name: 'SystemError', code: 'ENOSPC' };

describe('a store on a full disk', function () {
  this.timeout(60_000);
  const file = smallTmpfs(SIZE);
  let store;
  let model;

  beforeEach(() => {
    store = Store.open(file('store'));
    model = new Map();
  });
  afterEach(() => {
    store.close();
    for (const name of ['store', 'ballast', 'more']) rmSync(file(name), { force: true });
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

  /** Deletes until there is no room for saying so. */
  function emptied(length) {
    for (const key of model.keys()) {
      try {
        assert.equal(store.delete(key), true);
      } catch (error) {
        assert.deepEqual({ name: error.name, code: error.code }, FULL);
        return;
      }
      model.delete(key);
    }
    assert.ok(length > BLOCK, 'what was left of the log was enough for all');
  }

  async function isSound() {
    const found = contentsOf(store);
    assert.ok(same(found, model), difference(found, model));
    assert.equal(store.size, model.size);
    assert.equal(store.stats().liveBytes, liveBytes(model));
    assert.deepEqual((await store.check()).damage, []);
  }

  for (const length of [200, 3000, 100_000]) {
    it(`is what it was when no more values of ${length} bytes fit`, async () => {
      assert.ok(fill(length) > 10);
      await isSound();
      // What is left of the log is there for smaller ones.
      assert.ok(length < BLOCK || fill(8, 'small') > 10);
      await isSound();
      // It stays so, and can be committed, closed and opened.
      store.commit();
      store.close();
      store = Store.open(file('store'));
      await isSound();
      assert.throws(() => store.put('more', Buffer.alloc(2 ** 20)), FULL);
      await isSound();
      emptied(length);
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
      // Somebody else takes it, for a while.
      fillFileSystem(file('ballast'));
      fill(length, 'meanwhile');
      await isSound();
      rmSync(file('ballast'));
      const { fileBytes } = store.stats();
      assert.ok(fill(length, 'again') > 10);
      await isSound();
      assert.ok(store.stats().fileBytes <= Math.max(fileBytes, SIZE), 'holes are filled before the file grows');
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

  describe('whose index can grow no more, though its log can', () => {
    beforeEach(() => {
      for (let i = 0; i < NEARLY; i++) {
        const [key, value] = [`key ${i}`, valueOf('', i, 8)];
        store.put(key, value);
        model.set(key, value);
      }
      fillFileSystem(file('ballast'));
    });

    const give = () => truncateSync(file('ballast'), statSync(file('ballast')).size - BLOCK);

    it('is what it was, and goes on as soon as there are two blocks', async () => {
      assert.ok(fill(8, 'more') < 100);
      await isSound();
      give();
      // Whatever it takes of the one block is not lost.
      for (let i = 0; i < 3; i++) assert.throws(() => store.put(`one ${i}`, Buffer.alloc(8)), FULL);
      await isSound();
      give();
      assert.ok(fill(8, 'two') > 100);
      await isSound();
    });

    it('keeps nothing of a transaction', async () => {
      assert.throws(() => store.transaction(() => {
        for (let i = 0; i < 100; i++) store.put(`new ${i}`, Buffer.alloc(8));
        store.delete('key 1');
      }), FULL);
      await isSound();
      // Nor when it is looked for in the log.
      store.close();
      store = Store.open(file('store'), { salvage: true });
      await isSound();
    });
  });

  it('is recovered where it is: the index is made again, and the log goes on', async () => {
    fill(3000);
    store.close();
    store = Store.open(file('store'), { salvage: true });
    await isSound();
    fill(3000, 'again');
    await isSound();
  });

  it('is recovered where it is, when most of the last extent has not been written', async () => {
    fillFileSystem(file('ballast'));
    store.put('one', valueOf('one', 1, 8));
    model.set('one', store.get('one'));
    store.close();
    store = Store.open(file('store'), { salvage: true });
    // What it has given back is its own again: nobody else has it.
    fillFileSystem(file('more'));
    assert.ok(fill(3000) > 10);
    await isSound();
  });
});

describe('a larger store on a disk that is nearly full', function () {
  this.timeout(60_000);
  const file = smallTmpfs(64 * 2 ** 20);

  it('takes what there is room for, though its log grows in larger pieces', async () => {
    const store = Store.open(file('store'));
    const value = Buffer.alloc(10_000);
    let count = 0;
    assert.throws(() => {
      for (; ; count++) store.put(`key ${count}`, value);
    }, FULL);
    const { bavail, bsize } = statfsSync(file('store'));
    // The least piece of a log is 256 KiB.
    assert.ok(bavail * bsize < 2 ** 18, `${bavail * bsize} bytes are left`);
    assert.equal(store.size, count);
    assert.deepEqual((await store.check()).damage, []);
    assert.equal(store.delete('key 0'), true);
    store.close();
  });
});
