// advise('willneed') asks for what is missing only, and looks less often when nothing is: lib/mem/prefetch.ts.
import assert from 'node:assert/strict';
import { mapAnonymous, mapFile, residencyOf } from 'memmap';
import { MADV, PAGE_SIZE } from 'memmap/sys';
import { callsOf } from '../support/boundary/native-calls.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk } from '../support/kernel/resident.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const PAGES = 64;
const LENGTH = PAGES * PAGE_SIZE;

describe("advise('willneed')", function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file of which no page is in memory. */
  function evicted(context, name, options) {
    const mapping = mapFile(file(name, Buffer.alloc(LENGTH, 'f')), { advice: 'random', ...options });
    needsDisk(context, mapping);
    mapping.evict();
    assert.equal(residencyOf(mapping.path).resident, 0);
    return mapping;
  }

  /** The ranges that were asked for, [offset, length], in calls of no more than the kernel takes. */
  function asked(mapping, range) {
    const ranges = [];
    for (const [, offset, length, advice] of callsOf('madvise', () => mapping.advise('willneed', range))) {
      assert.equal(advice, MADV.WILLNEED);
      assert.ok(length <= 2 ** 17);
      const last = ranges.at(-1);
      if (last !== undefined && last[0] + last[1] === offset && last[1] % 2 ** 17 === 0) last[1] += length;
      else ranges.push([offset, length]);
    }
    return ranges;
  }

  /** How often the kernel was asked what is in memory. */
  const looks = (mapping) => callsOf('mincore', () => mapping.advise('willneed')).length;

  it('brings the pages in, without waiting for them', async function () {
    const mapping = evicted(this, 'read');
    mapping.advise('willneed', { offset: 0, length: LENGTH / 2 });
    await until(() => residencyOf(mapping.path, { length: LENGTH / 2 }).resident === PAGES / 2, 'the first half is in memory');
    mapping.close();
  });

  it('brings all of a long range in, of which the kernel would take the beginning', async function () {
    const length = 2 ** 26;
    const mapping = mapFile(file('long', Buffer.alloc(length, 'f')));
    needsDisk(this, mapping);
    mapping.evict();
    mapping.advise('willneed');
    await until(() => residencyOf(mapping.path).resident === length / PAGE_SIZE, 'all is in memory');
    mapping.close();
  });

  it('asks for the absent runs only', function () {
    const mapping = evicted(this, 'absent');
    for (const page of [0, 5, 6, 63]) mapping.bytes[page * PAGE_SIZE];
    assert.equal(residencyOf(mapping.path).resident, 4);
    assert.deepEqual(asked(mapping), [[PAGE_SIZE, 4 * PAGE_SIZE], [7 * PAGE_SIZE, 56 * PAGE_SIZE]]);
    mapping.close();
  });

  it('asks within the range only, whole pages', function () {
    const mapping = evicted(this, 'within');
    mapping.bytes[3 * PAGE_SIZE];
    assert.deepEqual(asked(mapping, { offset: 2 * PAGE_SIZE + 1, length: 3 * PAGE_SIZE }), [
      [2 * PAGE_SIZE, PAGE_SIZE], [4 * PAGE_SIZE, PAGE_SIZE + 1],
    ]);
    assert.deepEqual(asked(mapping, { offset: 8, length: 0 }), []);
    mapping.close();
  });

  it('finds absent runs across the slices it looks at', () => {
    const slice = 2 ** 14 * PAGE_SIZE;
    const memory = mapAnonymous({ length: 2 * slice + PAGE_SIZE, noReserve: true, advice: 'nohugepage' });
    memory.bytes[slice] = 1;
    assert.deepEqual(asked(memory), [[0, slice], [slice + PAGE_SIZE, slice - PAGE_SIZE], [2 * slice, PAGE_SIZE]]);
    memory.close();
  });

  it('asks for nothing when all is there, and looks less and less often', () => {
    const mapping = mapFile(file('resident', Buffer.alloc(LENGTH, 'f')));
    const every = [];
    let since = 0;
    for (let request = 0; request < 1024 + 16 + 32 + 64 + 128 + 3 * 256; request++) {
      since += 1;
      const looked = looks(mapping);
      if (looked === 0) continue;
      assert.equal(looked, 1);
      if (since > 1) every.push(since);
      since = 0;
    }
    assert.deepEqual(every, [16, 32, 64, 128, 256, 256, 256]);
    assert.deepEqual(asked(mapping), []);
    mapping.close();
  });

  it('looks at every request again once something was missing', function () {
    const mapping = mapFile(file('again', Buffer.alloc(LENGTH, 'f')));
    needsDisk(this, mapping);
    for (let request = 0; request < 1024; request++) mapping.advise('willneed');
    assert.equal(looks(mapping), 0);
    mapping.evict();
    while (asked(mapping).length === 0);
    assert.equal(looks(mapping), 1);
    mapping.close();
  });

  it('is ERR_MEMMAP_CLOSED after close, and nothing for an empty mapping', () => {
    const mapping = mapFile(file('empty', ''));
    assert.deepEqual(asked(mapping), []);
    mapping.close();
    assert.throws(() => mapping.advise('willneed'), { code: 'ERR_MEMMAP_CLOSED' });
  });
});
