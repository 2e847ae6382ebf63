// residency() of memory and files is what mincore, fincore and smaps say: lib/mem/residency.ts,
// src-native/core/residency/{residency,page_cache,page_table}.cc, src-native/napi/memory/residency.cc.
import assert from 'node:assert/strict';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';

import { features, mapAnonymous, mapFile, residencyOf } from 'memmap';
import { PAGE_SIZE, cachestat, mincore } from 'memmap/sys';

import { skip } from '../support/hooks.mjs';
import { fincore } from '../support/cli/in-memory.mjs';
import { seeded } from '../support/random.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { smapsAt } from '../support/kernel/proc.mjs';
import { hasTool, needsTools } from '../support/process/tools.mjs';

const PAGES = 64;
const LENGTH = PAGES * PAGE_SIZE;
const { supports } = features();

/** The parts that mincore(2) finds resident. */
function partsOf(mapping) {
  const found = [];
  mincore(mapping.buffer).forEach((page, number) => {
    found.push({ offset: number * PAGE_SIZE, length: PAGE_SIZE, resident: (page & 1) !== 0 });
  });
  return residentParts({ runs: found });
}

/** Pages with a property, by the runs; and that they cover the range without gaps. */
function countPages({ runs: found }, property, { offset = 0, length } = {}) {
  let pages = 0;
  let at = offset;
  for (const run of found) {
    assert.equal(run.offset, at, 'a run begins where the one before it ends');
    at += run.length;
    if (run[property] === true) pages += Math.ceil(run.length / PAGE_SIZE);
  }
  if (length !== undefined) assert.equal(at, offset + length);
  return pages;
}

describe('residency', function () {
  despiteReclaim(this);
  const file = temporaryFiles();
  const needs = (context, name) => {
    if (!supports[name].supported) skip(context, `this kernel has no ${supports[name].call}`);
  };

  describe('arguments', () => {
    it('takes a range inside the mapping only', () => {
      const memory = mapAnonymous({ length: LENGTH });
      assert.throws(() => memory.residency({ offset: LENGTH + 1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => memory.residency({ offset: 1, length: LENGTH }), { code: 'ERR_OUT_OF_RANGE' });
      memory.close();
    });
  });

  describe('of memory', () => {
    it('is what mincore says, page by page', () => {
      const memory = mapAnonymous({ length: LENGTH, advice: 'nohugepage' });
      assert.equal(memory.residency().resident, 0);
      const next = seeded(1);
      const touched = new Set();
      for (let i = 0; i < 30; i++) {
        const page = next(PAGES);
        touched.add(page);
        memory.bytes[page * PAGE_SIZE] = 1;
      }
      const found = memory.residency();
      assert.equal(found.resident, touched.size);
      assert.equal(found.mapped, touched.size);
      assert.equal(found.trust, 'exact');
      assert.equal(countPages(found, 'resident', { length: LENGTH }), touched.size);
      assert.deepEqual(residentParts(found), partsOf(memory));
      memory.close();
    });

    it('has runs of pages that are alike, with all that is known of them', function () {
      needs(this, 'pagemapScan');
      const memory = mapAnonymous({ length: 4 * PAGE_SIZE, advice: 'nohugepage' });
      memory.bytes[PAGE_SIZE] = 1;
      memory.bytes[2 * PAGE_SIZE] = 1;
      const { node, ...touched } = memory.residency().runs[1];
      assert.ok(Number.isInteger(node));
      assert.deepEqual(touched, {
        offset: PAGE_SIZE, length: 2 * PAGE_SIZE, resident: true, mapped: true, swapped: false, hugeSize: 0, trust: 'exact',
        // No file, no page cache.
        dirty: undefined, writeback: undefined, evicted: undefined, recentlyEvicted: undefined,
      });
      assert.equal(memory.residency().runs[0].node, undefined);
      memory.close();
    });

    it('tells of transparent huge pages what smaps says', function () {
      needs(this, 'pagemapScan');
      const length = 8 << 20;
      const memory = mapAnonymous({ length, hugePages: 'transparent' });
      memory.bytes.fill(1);
      const inSmaps = () => smapsAt(memory.address).AnonHugePages * 1024;
      let before;
      let found;
      do {
        before = inSmaps();
        ({ runs: found } = memory.residency());
      } while (inSmaps() !== before); // the kernel may put small pages together meanwhile
      const huge = found.filter(({ hugeSize }) => hugeSize > 0).reduce((sum, run) => sum + run.length, 0);
      assert.equal(huge, before);
      if (huge === 0) skip(this, 'the kernel gave no huge page');
      const size = Number(readFileSync('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size', 'utf8'));
      assert.ok(found.some(({ hugeSize }) => hugeSize === size));
      memory.close();
    });

    it('counts the pages a range touches, and clips runs to the range', () => {
      const memory = mapAnonymous({ length: LENGTH, advice: 'nohugepage' });
      memory.bytes[2 * PAGE_SIZE] = 1;
      memory.bytes[3 * PAGE_SIZE] = 1;
      const range = { offset: 2 * PAGE_SIZE + 10, length: PAGE_SIZE };
      const found = memory.residency(range);
      assert.deepEqual([found.pages, found.resident], [2, 2]);
      assert.deepEqual(residentParts(found), [range]);
      const nothing = memory.residency({ offset: 10, length: 0 });
      assert.deepEqual([nothing.pages, nothing.resident, nothing.swapped, nothing.runs.length], [0, 0, 0, 0]);
      memory.close();
    });

    it('goes over more pages than one call looks at', () => {
      const slice = 2 ** 14 * PAGE_SIZE;
      const length = slice * 2 + PAGE_SIZE;
      const memory = mapAnonymous({ length, noReserve: true, advice: 'nohugepage' });
      for (const at of [slice - 1, slice, length - 1]) memory.bytes[at] = 1;
      assert.deepEqual(residentParts(memory.residency()), [
        { offset: slice - PAGE_SIZE, length: 2 * PAGE_SIZE },
        { offset: length - PAGE_SIZE, length: PAGE_SIZE },
      ]);
      memory.close();
    });
  });

  describe('of a file', () => {
    it('is what fincore says', function () {
      const path = file('fincore', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path);
      needsDisk(this, mapping);
      if (!hasTool('fincore')) needsTools(this, 'python3');
      const pages = () => fincore([path])[0];
      assert.equal(mapping.residency().resident, pages());
      assert.equal(pages(), PAGES);
      mapping.evict();
      assert.equal(mapping.residency().resident, pages());
      assert.equal(pages(), 0);
      mapping.close();
    });

    it('tells what is in the page cache from what is faulted in', () => {
      const mapping = mapFile(file('cached', Buffer.alloc(LENGTH, 'f')), { advice: 'random' });
      assert.deepEqual([mapping.residency().resident, mapping.residency().mapped], [PAGES, 0]);
      mapping.populate({ offset: 4 * PAGE_SIZE, length: 2 * PAGE_SIZE });
      const found = mapping.residency();
      assert.equal(found.resident, PAGES);
      const mapped = found.runs.filter((run) => run.mapped).map(({ offset, length }) => ({ offset, length }));
      assert.ok(mapped.some(({ offset, length }) => offset <= 4 * PAGE_SIZE && offset + length >= 6 * PAGE_SIZE));
      assert.equal(countPages(found, 'mapped'), found.mapped);
      mapping.close();
    });

    it('finds by halving what cachestat counts: dirty pages, page by page', function () {
      needs(this, 'cachestat');
      const path = file('dirty', Buffer.alloc(LENGTH, 'f'));
      const fd = openSync(path, 'r+');
      fsyncSync(fd);
      const mapping = mapFile(path);
      needsDisk(this, mapping);
      assert.equal(mapping.residency().dirty, 0);
      let before;
      let found;
      let counted;
      do {
        for (const page of [3, 4, 17, 40, 63]) writeSync(fd, 'dirty', page * PAGE_SIZE);
        before = cachestat(fd).dirty;
        found = mapping.residency();
        counted = found.runs.map(({ offset, length }) => cachestat(fd, { offset, length }).dirty);
      } while (before < 5 || cachestat(fd).dirty !== before); // the kernel may write back on its own
      assert.equal(countPages(found, 'dirty', { length: LENGTH }), found.dirty);
      for (const [i, { offset, length, dirty }] of found.runs.entries()) {
        assert.equal(counted[i], dirty ? length / PAGE_SIZE : 0, `bytes ${offset} to ${offset + length}`);
      }
      assert.ok(found.dirty >= 5);
      fsyncSync(fd);
      assert.equal(mapping.residency().dirty, 0);
      closeSync(fd);
      mapping.close();
    });

    it('says what was evicted', function () {
      needs(this, 'cachestat');
      const mapping = mapFile(file('evicted', Buffer.alloc(LENGTH, 'f')));
      needsDisk(this, mapping);
      mapping.evict();
      const { resident, evicted, dirty, recentlyEvicted } = mapping.residency();
      assert.equal(resident, 0);
      assert.equal(dirty, 0);
      // The kernel notes evictions under pressure only; of these it may know or not.
      assert.ok(evicted <= PAGES && recentlyEvicted <= evicted);
      mapping.close();
    });

    it('does not take a copy of its own for a page of the file', function () {
      needs(this, 'cachestat');
      const path = file('copy', Buffer.alloc(LENGTH, 'f'));
      const fd = openSync(path, 'r+');
      const mapping = mapFile(path, { access: 'copy-on-write', advice: 'random' });
      needsDisk(this, mapping);
      mapping.bytes[5 * PAGE_SIZE] = 1;
      let found;
      do {
        writeSync(fd, Buffer.alloc(LENGTH, 'f'), 0, LENGTH, 0);
        found = mapping.residency();
      } while (cachestat(fd).dirty < PAGES); // the kernel may write back on its own
      assert.equal(found.dirty, PAGES - 1);
      const run = found.runs.find(({ dirty }) => !dirty);
      assert.deepEqual([run.offset, run.length, run.mapped], [5 * PAGE_SIZE, PAGE_SIZE, true]);
      closeSync(fd);
      mapping.close();
    });

    it('counts from the first byte of an unaligned mapping', () => {
      const mapping = mapFile(file('unaligned', Buffer.alloc(2 * PAGE_SIZE, 'f')), { offset: 100 });
      mapping.populate();
      assert.equal(mapping.residency().pages, 2);
      assert.deepEqual(residentParts(mapping.residency()), [{ offset: 0, length: 2 * PAGE_SIZE - 100 }]);
      mapping.close();
    });

    it('does without the file once its path leads elsewhere', function () {
      const path = file('replaced', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path, { advice: 'random' });
      needsDisk(this, mapping);
      renameSync(file('another', 'x'), path);
      const found = mapping.residency();
      assert.deepEqual([found.resident, found.dirty], [PAGES, undefined]);
      assert.equal(found.trust, 'claimed'); // the kernel cannot be tested
      mapping.populate({ length: PAGE_SIZE });
      assert.equal(mapping.residency({ length: PAGE_SIZE }).trust, 'exact'); // it is mapped
      mapping.close();
    });
  });

  describe('trust', () => {
    it("is 'claimed' where the kernel calls pages resident without looking, in a process of another user", async function () {
      if (process.getuid() !== 0) skip(this, 'it takes root to become another user');
      const path = file('of-others', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path);
      needsDisk(this, mapping);
      chmodSync(path, 0o644);
      mapping.evict();
      assert.equal(residencyOf(path).resident, 0);
      // The folder is of this user only: the other one gets the descriptor.
      const fd = openSync(path, 'r');
      await runs('residency-of-others', [PAGES], { stdio: [fd] });
      closeSync(fd);
      mapping.close();
    });
  });

  describe('after close', () => {
    it('is ERR_MEMMAP_CLOSED', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.close();
      assert.throws(() => memory.residency(), { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' });
      assert.throws(() => memory.residency({ length: 0 }), { code: 'ERR_MEMMAP_CLOSED' });
    });
  });
});
