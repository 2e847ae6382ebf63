// check() and compact() of a store that is being written, and what its header counts:
// lib/store/{check,compaction}.ts, lib/store/file/blocks.ts.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { Store } from 'memmap/store';
import { emptyCatalog, fillCatalog, pokeCount, pokeLive } from '../support/store/store-bytes.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAIRS = 20_000;

describe('check()', function () {
  this.timeout(60_000);
  const file = temporaryFiles();
  let count = 0;
  let path;
  let store;
  beforeEach(() => {
    path = file(`${(count += 1)}.db`);
    store = Store.open(path);
    for (let i = 0; i < PAIRS; i++) store.put(`old ${i}`, Buffer.alloc(8));
  });
  afterEach(() => store.close());

  /** Puts and deletes, a turn of the loop each, until `ends` settles. Returns how many turns. */
  async function writesUntil(ends, act) {
    let over = false;
    const settled = ends.finally(() => (over = true));
    let turns = 0;
    for (; !over; turns++) {
      act(turns);
      await setImmediate();
    }
    await settled;
    return turns;
  }

  for (const whose of ['its own', "a reader's"]) {
    it(`finds no damage where there is none, while pairs come and go: ${whose}`, async () => {
      const reader = Store.open(path, { readOnly: true });
      let next = 0;
      const checked = (whose === 'its own' ? store : reader).check();
      const turns = await writesUntil(checked, () => {
        for (let i = 0; i < 300; i++, next++) {
          store.put(`new ${next}`, Buffer.alloc(3000));
          store.delete(`old ${PAIRS - 1 - next}`);
        }
      });
      const { damage } = await checked;
      reader.close();
      assert.ok(turns > 2, 'it leaves others their turn');
      assert.deepEqual(damage, []);
      assert.deepEqual((await store.check()).damage, []);
    });
  }

  it('leaves others their turn in a log of many pieces, of few records each', async () => {
    for (let i = 0; i < 300; i++) store.put(`large ${i}`, Buffer.alloc(2 ** 19));
    const turns = await writesUntil(store.check(), () => {});
    // It looks at 150 MiB twice, 16 at a time.
    assert.ok(turns >= 18, `${turns} turns`);
  });

  it('says so when the number of pairs is wrong', async () => {
    pokeCount(path, PAIRS - 5);
    const { damage, pairs } = await store.check();
    assert.deepEqual(damage, [{ offset: 0, what: `the number of pairs (${PAIRS - 5}, not ${PAIRS})` }]);
    assert.equal(pairs, PAIRS);
  });

  it('compact() counts again which bytes are current', async () => {
    const { liveBytes } = store.stats();
    pokeLive(path, liveBytes + 123_456);
    assert.equal(store.stats().liveBytes, liveBytes + 123_456);
    await store.compact();
    assert.equal(store.stats().liveBytes, liveBytes);
  });

  it('a log of too many pieces takes no more, and is what it was', async () => {
    const free = fillCatalog(path);
    let put = 0;
    assert.throws(
      () => {
        for (; ; put++) store.put(`large ${put}`, Buffer.alloc(60_000));
      },
      { code: 'ERR_MEMMAP_STORE_FULL', message: /too many pieces/ },
    );
    const { fileBytes } = store.stats();
    for (let i = 0; i < 100; i++) assert.throws(() => store.put('large', Buffer.alloc(60_000)), { code: 'ERR_MEMMAP_STORE_FULL' });
    assert.equal(store.stats().fileBytes, fileBytes, 'what is refused takes no room');
    emptyCatalog(path, free);
    assert.equal(store.size, PAIRS + put);
    assert.deepEqual((await store.check()).damage, []);
    store.put('more', Buffer.alloc(60_000));
    store.close();
    store = Store.open(path);
    assert.equal(store.size, PAIRS + put + 1);
  });
});
