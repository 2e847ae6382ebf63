// Every call of the store to the file system fails once, and once for good: each operation does all or nothing:
// lib/store/file/store-file.ts, lib/store/{writer,open,compaction}.ts, lib/store/index/growth.ts.
import assert from 'node:assert/strict';
import { Store } from '../support/store/unbundled.mjs';
import { descriptors } from '../support/descriptors.mjs';
import { failingDisk } from '../support/store/failing-disk.mjs';
import { maps } from '../support/kernel/proc.mjs';
import { contentsOf, difference, keyOf, operation, perform, same, through, valueOf } from '../support/store/store-ops.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** Codes that an operation may fail with when the disk does. */
const CODES = new Set(['ENOSPC', 'EIO', 'ERR_MEMMAP_STORE_FAILED']);

/** What is done: puts and deletes, growth to several extents, compactions, closing and reopening. */
function script() {
  const acts = Array.from({ length: 36 }, (_, number) => operation(3, number, { keys: 16 }));
  const big = (number, length) => ({ kind: 'put', steps: [[[keyOf(number), valueOf(keyOf(number), 9000 + number, length)]]] });
  const batch = { kind: 'transaction', steps: [Array.from({ length: 6 }, (_, i) => [keyOf(i), valueOf(keyOf(i), 9100 + i, 90_000)])] };
  acts.splice(8, 0, big(1, 200_000), { kind: 'commit', steps: [] }, big(2, 220_000));
  acts.splice(16, 0, { kind: 'reopen', steps: [] }, batch, { kind: 'compact', steps: [], waste: 0 });
  acts.splice(28, 0, { kind: 'commitAsync', steps: [] }, { kind: 'reopen', steps: [] }, big(1, 10), { kind: 'compact', steps: [], waste: 0 });
  acts.push({ kind: 'reopen', steps: [] });
  return acts;
}

const SCRIPT = script();

function leaks(path) {
  const here = (text) => text.startsWith(path);
  return [...[...descriptors().values()].filter(here), ...maps().map((one) => one.path).filter(here)];
}

class Run {
  #path;
  #options;
  #store;
  #model = new Map();
  /** Codes of what failed. */
  codes = [];

  constructor(path, options) {
    this.#path = path;
    this.#options = options;
  }

  async all() {
    for (const act of SCRIPT) await this.#one(act);
    this.#tries(() => this.#store?.close());
    assert.deepEqual(leaks(this.#path), []);
  }

  #tries(act) {
    try {
      return act();
    } catch (error) {
      this.#expect(error);
      return undefined;
    }
  }

  #expect(error) {
    assert.ok(CODES.has(error.code), error.stack);
    this.codes.push(error.code);
  }

  #reopen() {
    const store = this.#store;
    this.#tries(() => store?.close());
    assert.ok(store === undefined || store.closed);
    assert.deepEqual(leaks(this.#path), []);
    this.#store = undefined;
    // The disk fails for good, perhaps: then the operations fail that come.
    this.#store = this.#tries(() => Store.open(this.#path, this.#options));
    if (this.#store === undefined) assert.deepEqual(leaks(this.#path), []);
  }

  async #one(act) {
    if (this.#store === undefined || act.kind === 'reopen') this.#reopen();
    if (this.#store === undefined || act.kind === 'reopen') return;
    const models = through(this.#model, act.steps);
    try {
      await perform(this.#store, act);
      this.#model = models.at(-1);
    } catch (error) {
      this.#expect(error);
      const fatal = error.code === 'ERR_MEMMAP_STORE_FAILED';
      this.#model = await this.#left(models, act.kind);
      if (fatal) this.#reopen();
    }
  }

  async #left(models, what) {
    const found = contentsOf(this.#store);
    const model = models.find((one) => same(one, found));
    assert.ok(model !== undefined, `${what}: ${difference(found, models[0])}`);
    assert.equal(this.#store.size, found.size);
    return model;
  }

  /** With a disk that works again: all is there. */
  async isSound() {
    const store = Store.open(this.#path);
    try {
      assert.ok(same(contentsOf(store), this.#model), difference(contentsOf(store), this.#model));
      assert.deepEqual((await store.check()).damage, []);
      store.put('afterwards', Buffer.from('works'));
      await store.compact({ waste: 0 });
      assert.equal(String(store.get('afterwards')), 'works');
      assert.equal(store.size, this.#model.size + 1);
    } finally {
      store.close();
    }
  }
}

async function runWith(path, fails, options) {
  const run = new Run(path, options);
  const disk = failingDisk(fails);
  try {
    await run.all();
  } finally {
    disk.close();
  }
  await run.isSound();
  return { disk, run };
}

describe('a store on a disk that fails', function () {
  this.timeout(120_000);
  const file = temporaryFiles();

  it('calls for all that can fail', async () => {
    const { disk, run } = await runWith(file('none'), () => false);
    assert.deepEqual([...new Set(disk.calls)].toSorted(), ['allocate', 'punch', 'sync', 'syncAll', 'syncAsync', 'syncName']);
    assert.deepEqual(run.codes, []);
  });

  for (const [what, options] of [['commits when told to', {}], ['commits each put', { durability: 'put' }]]) {
    for (const [how, from] of [['once', (n) => (i) => i === n], ['from then on', (n) => (i) => i >= n], ['three times', (n) => (i) => i >= n && i < n + 3]]) {
      it(`that ${what} loses nothing, whichever call fails ${how}`, async () => {
        const { disk: { calls } } = await runWith(file(`${what}-${how}`), () => false, options);
        // Some of them; STORE_FAIL_EACH=1 takes every one.
        const step = process.env.STORE_FAIL_EACH === '1' ? 1 : Math.max(1, Math.floor(calls.length / 16));
        for (let number = 0; number < calls.length; number += step) {
          const name = `${what}-${how}-${number}`;
          try {
            const { disk, run } = await runWith(file(name), from(number), options);
            assert.ok(disk.failed.length > 0);
            assert.ok(run.codes.length > 0 || disk.failed.every((one) => one === 'allocate'), 'somebody was told');
          } catch (error) {
            error.message = `call ${number}, ${calls[number]}: ${error.message}`;
            throw error;
          }
        }
      });
    }
  }
});
