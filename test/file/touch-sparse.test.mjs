// touch() leaves holes alone, and an aborted call says what it did: lib/file/{touch,touch-call}.ts,
// src-native/core/residency/touch.cc.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { dump, mapFile, residencyOf, restore, touch } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk } from '../support/kernel/resident.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PIECE = 2 ** 22;
const MIB = 2 ** 20;

describe('touch() of sparse files', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file with data in these spans of bytes, and nothing in memory. */
  function sparse(context, name, size, spans) {
    const path = file(name, '');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, size);
    for (const [offset, length] of spans) writeSync(fd, Buffer.alloc(length, 1), 0, length, offset);
    closeSync(fd);
    const mapping = mapFile(path, { noReserve: true });
    needsDisk(context, mapping);
    mapping.evict();
    mapping.close();
    assert.equal(residencyOf(path).resident, 0);
    return path;
  }

  async function touched(path, options) {
    let found;
    const totals = await touch([path], { ...options, onFile: (one) => (found = one) });
    return { totals, found };
  }

  it('reads the data of a small file, and no hole', async function () {
    const path = sparse(this, 'small', 64 * PAGE_SIZE, [[0, PAGE_SIZE], [10 * PAGE_SIZE, 3 * PAGE_SIZE], [63 * PAGE_SIZE, PAGE_SIZE]]);
    const { totals, found } = await touched(path);
    assert.equal(residencyOf(path).resident, 5);
    const holes = 59 * PAGE_SIZE;
    assert.deepEqual(found, { path, size: 64 * PAGE_SIZE, pages: 64, present: 0, read: 5 * PAGE_SIZE, holes });
    assert.deepEqual(totals, { files: 1, failed: 0, bytes: 64 * PAGE_SIZE, present: 0, read: 5 * PAGE_SIZE, holes });
    assert.deepEqual((await touched(path)).totals, { ...totals, present: 5 * PAGE_SIZE, read: 0 });
  });

  it('with holes: true it reads all', async function () {
    const path = sparse(this, 'all', 64 * PAGE_SIZE, [[0, PAGE_SIZE]]);
    const { totals, found } = await touched(path, { holes: true });
    assert.equal(residencyOf(path).resident, 64);
    assert.equal(totals.read, 64 * PAGE_SIZE);
    assert.equal(totals.holes, 0);
    assert.ok(!('holes' in found));
  });

  it('passes over a hole of a terabyte at once', async function () {
    const size = 2 ** 40;
    const path = sparse(this, 'terabyte', size, [[5, 10], [size / 2, PAGE_SIZE], [size - 1, 1]]);
    const seen = [];
    const { totals } = await touched(path, { onProgress: ({ done }) => seen.push(done) });
    assert.equal(totals.read, 3 * PAGE_SIZE);
    assert.equal(totals.holes, size - 3 * PAGE_SIZE);
    assert.equal(seen.at(-1), size);
    assert.ok(seen.length < 30, `${seen.length} pieces`);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  });

  it('a file that is one hole, a part in a hole, and one that begins in it', async function () {
    const path = sparse(this, 'hole', 40 * MIB, [[20 * MIB, PAGE_SIZE]]);
    assert.deepEqual((await touched(sparse(this, 'nothing', 9 * MIB, []))).totals, { files: 1, failed: 0, bytes: 9 * MIB, present: 0, read: 0, holes: 9 * MIB });
    assert.equal((await touched(path, { offset: MIB, length: 12 * MIB })).totals.holes, 12 * MIB);
    assert.equal(residencyOf(path).resident, 0);
    const { totals } = await touched(path, { offset: MIB + 1, length: 30 * MIB });
    assert.deepEqual([totals.bytes, totals.read, totals.holes], [30 * MIB, PAGE_SIZE, 30 * MIB - PAGE_SIZE]);
    assert.equal(residencyOf(path).resident, 1);
  });

  it('many pieces of data and holes add up to the part', async function () {
    const spans = Array.from({ length: 50 }, (_, i) => [i * MIB + ((i * 7919) % 100) * PAGE_SIZE, (1 + (i % 5)) * PAGE_SIZE]);
    const path = sparse(this, 'mixed', 50 * MIB + 17, spans);
    const data = spans.reduce((sum, [, length]) => sum + length, 0);
    const { totals } = await touched(path);
    assert.deepEqual([totals.read, totals.present + totals.read + totals.holes], [data, 50 * MIB + 17]);
    assert.equal(residencyOf(path).resident, data / PAGE_SIZE);
  });

  it('restore() brings back the pages of holes that were in memory', async function () {
    const path = sparse(this, 'restored', 8 * PAGE_SIZE, [[0, PAGE_SIZE]]);
    await touch([path], { holes: true });
    const cached = dump(path);
    const mapping = mapFile(path);
    mapping.evict();
    mapping.close();
    assert.equal((await restore(cached)).read, 8 * PAGE_SIZE);
  });

  describe('an aborted call', () => {
    it('leaves its totals in the reason, with files under way', async () => {
      const paths = ['a', 'b', 'c', 'd'].map((name) => file(name, Buffer.alloc(3 * PIECE, 1)));
      const stop = new AbortController();
      const reason = new Error('enough');
      let calls = 0;
      const onProgress = () => {
        if (++calls === 5) stop.abort(reason);
      };
      const error = await touch(paths, { signal: stop.signal, onProgress }).catch((one) => one);
      assert.equal(error, reason);
      const { files, failed, bytes, present, read, holes } = error.totals;
      assert.deepEqual([failed, holes], [0, 0]);
      assert.ok(files < paths.length);
      assert.ok(bytes >= 5 * PIECE && bytes < 12 * PIECE && bytes % PIECE === 0, `${bytes}`);
      assert.equal(present + read, bytes);
    });

    it('also before it began, and with the default reason', async () => {
      const path = file('never', 'x');
      const error = await touch([path], { signal: AbortSignal.abort() }).catch((one) => one);
      assert.equal(error.name, 'AbortError');
      assert.deepEqual(error.totals, { files: 0, failed: 0, bytes: 0, present: 0, read: 0, holes: 0 });
    });

    it('accepts a reason that can hold nothing', async () => {
      for (const reason of ['text', 5, Object.freeze(new Error('frozen'))]) {
        await assert.rejects(touch([file('never', 'x')], { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      }
    });
  });

  it('refuses holes that is not a boolean', async () => {
    await assert.rejects(touch([file('x', '')], { holes: 1 }), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(statSync(file('x')).size, 0);
  });
});
