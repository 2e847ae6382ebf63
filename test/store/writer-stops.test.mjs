// The writer dies between any two of its steps: the file as it is at that instant is what its
// death leaves behind, as the memory is the kernel's. The kill test falls into these instants
// seldom; here each one is tried.
import assert from 'node:assert/strict';
import { closeSync, copyFileSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { Store } from 'memmap/store';
import { Disk } from '../../dist/store/disk.js';
import { HashIndex } from '../../dist/store/hash-index.js';
import { Header } from '../../dist/store/header.js';
import { AT_STAMP } from '../../dist/store/layout.js';
import { Log } from '../../dist/store/log.js';
import { contentsOf, difference, keyOf, operation, perform, same, through, valueOf } from '../support/store-ops.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** What changes the file, or comes between two changes. */
const STEPS = [
  [HashIndex, ['add', 'move', 'remove']],
  [Log, ['reserve', 'write', 'copy', 'publish', 'beginBatch', 'endBatch', 'dropBatch']],
  [Header, ['strike', 'advance']],
  [Disk, ['allocate', 'punch', 'sync', 'syncAll']],
];

/** Calls `stop(name)` before and after each step, until the function that it returns is called. */
function stopping(stop) {
  const undo = [];
  for (const [{ name: owner, prototype }, names] of STEPS) {
    for (const name of names) {
      const original = prototype[name];
      assert.equal(typeof original, 'function', `${owner}.${name}`);
      prototype[name] = function stopped(...args) {
        stop(`before ${owner}.${name}`);
        const result = original.apply(this, args);
        stop(`after ${owner}.${name}`);
        return result;
      };
      undo.push(() => (prototype[name] = original));
    }
  }
  return () => undo.forEach((one) => one());
}

/** Puts, deletes and transactions over few keys, so that most change what is there; and compactions. */
function script(seed) {
  const acts = Array.from({ length: 50 }, (_, number) => operation(seed, number, { keys: 8, large: 30_000 }));
  const big = (number) => ({ kind: 'put', steps: [[[keyOf(number), valueOf(keyOf(number), 9000 + number, 150_000)]]] });
  acts.splice(20, 0, big(1), big(2), big(1), { kind: 'compact', steps: [], waste: 0 });
  return acts;
}

/** A copy of the file, in the place of the file itself: the header says which one is meant, on which boot. */
function copyStore(path, copy) {
  copyFileSync(path, copy);
  const { dev, ino } = statSync(copy, { bigint: true });
  const fd = openSync(copy, 'r+');
  writeSync(fd, new BigInt64Array([dev, ino]), 0, 16, 4 * (AT_STAMP + 4));
  closeSync(fd);
}

describe('a writer that dies', function () {
  this.timeout(120_000);
  const file = temporaryFiles();

  /** The next writer finds one of the models, and goes on where the dead one stopped. */
  async function isSound(path, models, where) {
    const real = Object.getOwnPropertyDescriptor(Header.prototype, 'invalidate');
    Header.prototype.invalidate = () => assert.fail(`${where}: the index is made again, not taken as it is`);
    const store = Store.open(path);
    Object.defineProperty(Header.prototype, 'invalidate', real);
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
