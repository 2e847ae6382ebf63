// residencyOf() of files that are not mapped: lib/file/residency-of.ts, src-native/core/residency/residency_of.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mapFile, residencyOf } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { seeded } from '../support/random.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 64;
const LENGTH = PAGES * PAGE_SIZE;

describe('residencyOf', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  it('is the residency of a file that is not mapped', function () {
    const path = file('of', Buffer.alloc(LENGTH, 'f'));
    const mapping = mapFile(path, { advice: 'random' });
    needsDisk(this, mapping);
    mapping.evict();
    assert.equal(residencyOf(path).resident, 0);
    mapping.advise('normal');
    mapping.populate({ offset: 0, length: 4 * PAGE_SIZE });
    assert.deepEqual(residentParts(residencyOf(path)), residentParts(mapping.residency()));
    assert.equal(residencyOf(path, { offset: 0, length: PAGE_SIZE }).resident, 1);
    mapping.close();
  });

  it('is what a mapping says, of any range', function () {
    const path = file('ranges', Buffer.alloc(LENGTH - 100, 'f'));
    const mapping = mapFile(path, { advice: 'random' });
    needsDisk(this, mapping);
    mapping.evict();
    const next = seeded(3);
    for (let i = 0; i < 20; i++) mapping.bytes[next(PAGES - 1) * PAGE_SIZE];
    const fresh = mapFile(path);
    const ranges = [undefined, {}, { offset: 0 }, { length: 1 }, { offset: LENGTH - 100 }, { offset: 5, length: 0 }];
    for (let i = 0; i < 50; i++) {
      const offset = next(LENGTH - 100);
      ranges.push({ offset, length: 1 + next(LENGTH - 100 - offset) }, { offset });
    }
    for (const range of ranges) assert.deepEqual(residencyOf(path, range), fresh.residency(range));
    fresh.close();
    mapping.close();
  });

  it('looks at no fifo, and refuses ranges that are none before it looks at anything', () => {
    const fifo = file('fifo');
    execFileSync('mkfifo', [fifo]);
    assert.throws(() => residencyOf(fifo), { code: 'ENODEV' });
    const path = file('range', 'abc');
    assert.throws(() => residencyOf(path, { offset: 4 }), { code: 'ERR_OUT_OF_RANGE', message: /3/ });
    assert.throws(() => residencyOf(path, { offset: 1, length: 3 }), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => residencyOf(file('nowhere'), { ofset: 1 }), { code: 'ERR_INVALID_ARG_VALUE' });
  });

  it('takes descriptors and empty files, leaves no mapping, and refuses what has no pages', () => {
    const path = file('empty', '');
    assert.deepEqual(residencyOf(path).runs, []);
    const fd = openSync(file('fd', Buffer.alloc(PAGE_SIZE, 'f')), 'r');
    assert.equal(residencyOf(fd).pages, 1);
    closeSync(fd);
    assert.doesNotMatch(readFileSync('/proc/self/maps', 'latin1'), /\/fd$/m);
    rmSync(path);
    assert.throws(() => residencyOf(path), { code: 'ENOENT', path });
    assert.throws(() => residencyOf('/'), { code: 'EISDIR' });
    assert.throws(() => residencyOf('/proc/self/maps'), { code: 'ENODEV' });
  });
});
