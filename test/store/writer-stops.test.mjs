// The writer dies between any two of its steps, each of which is tried: lib/store/{recovery,writer,compaction}.ts,
// lib/store/file/memory-order.ts, lib/store/index/growth.ts.
import assert from 'node:assert/strict';
import { copyFileSync, rmSync } from 'node:fs';
import { Store } from '../support/store/unbundled.mjs';
import { contentsOf, difference, keyOf, operation, perform, same, through, valueOf } from '../support/store/store-ops.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { STORES, copyStore, stopping, withoutRebuilding } from '../support/store/writer-stops.mjs';

/** Pairs that the first segment of the index takes. */
const SEGMENT = 6553;

/** Puts, deletes and transactions over few keys, so that most change what is there; and compactions. */
function script(seed) {
  const acts = Array.from({ length: 50 }, (_, number) => operation(seed, number, { keys: 8, large: 30_000 }));
  const big = (number) => ({ kind: 'put', steps: [[[keyOf(number), valueOf(keyOf(number), 9000 + number, 150_000)]]] });
  acts.splice(20, 0, big(1), big(2), big(1), { kind: 'compact', steps: [], waste: 0 });
  return acts;
}

describe('a writer that dies', function () {
  this.timeout(120_000);
  const file = temporaryFiles();

  /** The next writer finds one of the models, and goes on where the dead one stopped. */
  async function isSound(path, models, where) {
    const store = withoutRebuilding(() => Store.open(path), where);
    try {
      const found = contentsOf(store);
      assert.ok(models.some((model) => same(model, found)), `${where}: ${difference(found, models[0])}`);
      assert.equal(store.size, found.size, where);
      // Over what the dead one left behind the end of the log.
      for (let i = 0; i < 4; i++) {
        const [key, value] = [`next ${i}`, Buffer.alloc(700, i)];
        store.put(key, value);
        found.set(key, value);
      }
      assert.ok(same(contentsOf(store), found), `${where}, then: ${difference(contentsOf(store), found)}`);
      assert.deepEqual((await store.check()).damage, [], where);
    } finally {
      store.close();
    }
  }

  for (const seed of [1, 2, 3]) {
    it(`between two of its steps leaves all it had done, history ${seed}`, async () => {
      const path = file(`stops-${seed}`);
      const store = Store.open(path);
      const stops = [];
      let model = new Map();
      try {
        for (const act of script(seed)) {
          const left = [];
          const done = stopping((where) => {
            const copy = file(`stop-${seed}-${stops.length + left.length}`);
            copyStore(path, copy);
            left.push({ copy, where: `${act.kind}, ${where}` });
          });
          const models = through(model, act.steps);
          try {
            await perform(store, act);
          } finally {
            done();
          }
          for (const { copy, where } of left) {
            await isSound(copy, models, where);
            rmSync(copy);
            stops.push(where);
          }
          model = models.at(-1);
        }
        assert.ok(same(contentsOf(store), model));
      } finally {
        store.close();
      }
      // Each step was one at which it stopped, but those that this history has no need of.
      assert.ok(stops.length > 300, `${stops.length} stops`);
      assert.ok(['put, after HashIndex.move', 'put, after HashIndex.add', 'delete, after HashIndex.remove'].every((one) => stops.includes(one)));
    });
  }

  it('while its index grows leaves all it had done', async () => {
    const path = file('grows');
    const store = Store.open(path);
    const model = new Map();
    try {
      for (let number = 0; number < SEGMENT; number++) {
        const [key, value] = [`key ${number}`, Buffer.from(String(number))];
        store.put(key, value);
        model.set(key, value);
      }
      const copies = [];
      const done = stopping((where) => {
        const copy = file(`grows-${copies.length}`);
        copyStore(path, copy);
        copies.push({ copy, where });
      }, [STORES]);
      const step = [['one more', Buffer.from('it')]];
      store.put(...step[0]);
      done();
      for (const { copy, where } of copies) {
        await isSound(copy, through(model, [step]), where);
        rmSync(copy);
      }
      assert.ok(copies.length > 20, `${copies.length} stops`);
      assert.ok(store.stats().indexBytes > 2 * 2 ** 16, 'it has grown');
    } finally {
      store.close();
    }
  });

  it('after a compaction does not leave what was deleted before it to be found again', async () => {
    const path = file('deleted');
    const store = Store.open(path);
    const value = Buffer.alloc(200_000, 'x');
    store.put('deleted', Buffer.from('long ago'));
    store.put('stays', value);
    // A piece of the log that comes later has the deletion, and nothing else that counts.
    while (store.stats().extents < 3) store.put('goes', value);
    store.delete('deleted');
    while (store.stats().extents < 6) store.put('goes', value);
    const { freed } = await store.compact({ waste: 0.5 });
    assert.ok(freed > 0);
    store.commit();
    // Another file than the header says: the index is made again, from the log alone.
    const copy = file('deleted-copy');
    copyFileSync(path, copy);
    store.close();
    const again = Store.open(copy);
    assert.equal(again.get('deleted'), undefined);
    assert.deepEqual([...contentsOf(again).keys()].toSorted(), ['goes', 'stays']);
    again.close();
  });
});
