import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { dump, mapFile, residencyOf, restore } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { seeded } from '../support/random.mjs';
import { despiteReclaim } from '../support/reclaim.mjs';
import { residentParts } from '../support/resident.mjs';
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
    if (mapping.filesystem === 'tmpfs') skip(context, 'temporary files are always in memory here');
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
