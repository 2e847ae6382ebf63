// dump() and restore() bring back the pages that were in the page cache, at a rate, until stopped:
// lib/file/cache-dump.ts, lib/file/rate-limiter.ts.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { dump, features, mapFile, residencyOf, restore } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { seeded } from '../support/random.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 256;
const LENGTH = PAGES * PAGE_SIZE;

describe('dump and restore', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file of which only these pages are in memory. */
  function cached(context, name, pages) {
    const path = file(name, Buffer.alloc(LENGTH, 'f'));
    const mapping = mapFile(path, { advice: 'random' });
    needsDisk(context, mapping);
    mapping.evict();
    for (const page of pages) mapping.bytes[page * PAGE_SIZE];
    mapping.close();
    assert.equal(residencyOf(path).resident, new Set(pages).size);
    return path;
  }

  function evict(path) {
    const mapping = mapFile(path);
    mapping.evict();
    mapping.close();
    assert.equal(residencyOf(path).resident, 0);
  }

  const pattern = () => {
    const next = seeded(7);
    return Array.from({ length: 90 }, () => next(PAGES));
  };

  it('brings back the pages that were in memory, and no others', async function () {
    const path = cached(this, 'pattern', pattern());
    const kept = JSON.parse(JSON.stringify(dump(path)));
    assert.deepEqual(kept.runs, residentParts(residencyOf(path)));
    assert.deepEqual([kept.path, kept.size], [path, LENGTH]);
    evict(path);
    const read = kept.runs.reduce((bytes, { length }) => bytes + length, 0);
    assert.deepEqual(await restore(kept), { read, present: 0, gone: 0, changed: false });
    assert.deepEqual(residentParts(residencyOf(path)), kept.runs);
  });

  it('reads only what is missing', async function () {
    const path = cached(this, 'missing', [1, 2, 3, 4, 100]);
    const kept = dump(path);
    evict(path);
    const mapping = mapFile(path, { advice: 'random' });
    mapping.bytes[2 * PAGE_SIZE];
    mapping.close();
    assert.deepEqual(await restore(kept), { read: 4 * PAGE_SIZE, present: PAGE_SIZE, gone: 0, changed: false });
    assert.deepEqual(await restore(kept), { read: 0, present: 5 * PAGE_SIZE, gone: 0, changed: false });
  });

  it('tells how far it is, and stops when it is told to', async function () {
    const path = cached(this, 'progress', Array.from({ length: 100 }, (_, i) => 2 * i));
    const kept = dump(path);
    evict(path);
    const stop = new AbortController();
    const seen = [];
    const onProgress = (progress) => {
      seen.push(progress);
      stop.abort(new Error('enough'));
    };
    await assert.rejects(restore(kept, { signal: stop.signal, onProgress }), { message: 'enough' });
    assert.equal(seen.length, 1);
    assert.equal(seen[0].total, 100 * PAGE_SIZE);
    // The disk had been asked for some more.
    const { resident } = residencyOf(path);
    assert.ok(resident >= seen[0].done / PAGE_SIZE && resident < 100, `${resident}`);
    const all = [];
    await restore(kept, { onProgress: ({ done, total }) => all.push(done / total) });
    assert.equal(all.at(-1), 1);
    await assert.rejects(restore(kept, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });

  describe('rate', () => {
    const size = ({ runs }) => runs.reduce((bytes, { length }) => bytes + length, 0);

    /** The result, and the ms it took. */
    async function timed(kept, options) {
      const begun = performance.now();
      const restored = await restore(kept, options);
      return { ...restored, ms: performance.now() - begun };
    }

    it('is kept for a few long runs and for many short ones', async function () {
      const long = cached(this, 'long', Array.from({ length: 96 }, (_, i) => 10 + i));
      const short = cached(this, 'short', pattern());
      for (const path of [long, short]) {
        const kept = dump(path);
        evict(path);
        const bytes = size(kept);
        const done = [];
        const { read, ms } = await timed(kept, { rate: 4 * bytes, onProgress: (progress) => done.push(progress.done / progress.total) });
        assert.equal(read, bytes);
        assert.ok(ms >= 250, `${ms} ms`);
        assert.deepEqual(residentParts(residencyOf(path)), kept.runs);
        assert.equal(done.at(-1), 1);
        assert.deepEqual(done, done.toSorted((a, b) => a - b));
      }
    });

    it('is kept by calls one after the other', async function () {
      const kept = Array.from({ length: 10 }, (_, i) => dump(cached(this, `small-${i}`, [i])));
      for (const { path } of kept) evict(path);
      let sum = 0;
      for (const one of kept) {
        const { read, ms } = await timed(one, { rate: 40 * PAGE_SIZE });
        assert.equal(read, PAGE_SIZE);
        sum += ms;
      }
      assert.ok(sum >= 250, `${sum} ms`);
    });

    it('does not hold up what is in memory already, nor what others have read meanwhile', async function () {
      if (!features().supports.cachestat.supported) skip(this, 'the kernel does not tell');
      const path = cached(this, 'meanwhile', Array.from({ length: 100 }, (_, i) => i));
      const kept = dump(path);
      // At that rate it would take two days.
      assert.deepEqual(await restore(kept, { rate: 2 }), { read: 0, present: 100 * PAGE_SIZE, gone: 0, changed: false });
      evict(path);
      const onProgress = ({ done }) => {
        if (done === PAGE_SIZE) readFileSync(path);
      };
      const { read, present } = await restore(kept, { rate: 8 * PAGE_SIZE, onProgress });
      assert.deepEqual([read, present], [PAGE_SIZE, 99 * PAGE_SIZE]);
    });

    it('ends a pause at once when it is told to', async function () {
      const path = cached(this, 'paused', [0, 1, 2]);
      const kept = dump(path);
      evict(path);
      const reason = new Error('no time');
      const stop = new AbortController();
      // At that rate the first pause would take an hour.
      const onProgress = () => setTimeout(() => stop.abort(reason), 10);
      await assert.rejects(restore(kept, { rate: 1, signal: stop.signal, onProgress }), reason);
      assert.equal(residencyOf(path).resident, 1);
      assert.doesNotMatch(readFileSync('/proc/self/maps', 'latin1'), /\/paused$/m);
    });

    it('that is none is refused before anything happens', async function () {
      const path = cached(this, 'refused', [0, 1, 2]);
      const kept = dump(path);
      evict(path);
      const onProgress = () => assert.fail('it has read');
      for (const [rate, code] of [
        [0, 'ERR_OUT_OF_RANGE'], [-1, 'ERR_OUT_OF_RANGE'], [0.5, 'ERR_OUT_OF_RANGE'], [NaN, 'ERR_OUT_OF_RANGE'], [Infinity, 'ERR_OUT_OF_RANGE'],
        ['1', 'ERR_INVALID_ARG_TYPE'], [null, 'ERR_INVALID_ARG_TYPE'], [1n, 'ERR_INVALID_ARG_TYPE'],
      ]) {
        await assert.rejects(restore(kept, { rate, onProgress }), { code, message: /options\.rate/ });
        await assert.rejects(restore({ ...kept, path: file('absent') }, { rate }), { code });
      }
      assert.equal(residencyOf(path).resident, 0);
    });
  });

  it('says when the file is no longer what it was, and restores what is left of it', async function () {
    const path = cached(this, 'changed', [0, 1, 200]);
    const kept = dump(path);
    appendFileSync(path, 'more');
    assert.equal((await restore(kept)).changed, true);
    truncateSync(path, 2 * PAGE_SIZE - 10);
    evict(path);
    assert.deepEqual(await restore(kept), { read: 2 * PAGE_SIZE - 10, present: 0, gone: PAGE_SIZE + 10, changed: true });
    rmSync(path);
    await assert.rejects(restore(kept), { code: 'ENOENT', path });
  });

  it('takes empty files, and leaves nothing mapped', async function () {
    const kept = dump(file('empty', ''));
    assert.deepEqual(kept.runs, []);
    assert.deepEqual(await restore(kept), { read: 0, present: 0, gone: 0, changed: false });
    assert.doesNotMatch(readFileSync('/proc/self/maps', 'latin1'), /\/(pattern|missing|progress|changed)$/m);
  });
});
