import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE, mincore } from 'memmap/sys';

import { skip } from '../support/hooks.mjs';
import { seeded } from '../support/random.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 64;
const LENGTH = PAGES * PAGE_SIZE;

/** The runs of pages that mincore(2) finds. */
function runsOf(mapping) {
  const runs = [];
  mincore(mapping.buffer).forEach((page, number) => {
    if ((page & 1) === 0) return;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === number * PAGE_SIZE) last.length += PAGE_SIZE;
    else runs.push({ offset: number * PAGE_SIZE, length: PAGE_SIZE });
  });
  return runs;
}

describe('residency', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('takes a range inside the mapping only', () => {
      const memory = mapAnonymous({ length: LENGTH });
      assert.throws(() => memory.residency({ offset: LENGTH + 1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => memory.residency({ offset: 1, length: LENGTH }), { code: 'ERR_OUT_OF_RANGE' });
      memory.close();
    });
  });

  describe('behaviour', () => {
    it('is what mincore says of memory, page by page', () => {
      const memory = mapAnonymous({ length: LENGTH, advice: 'nohugepage' });
      assert.deepEqual(memory.residency(), { pageSize: PAGE_SIZE, pages: PAGES, resident: 0, runs: [] });
      const next = seeded(1);
      const touched = new Set();
      for (let i = 0; i < 30; i++) {
        const page = next(PAGES);
        touched.add(page);
        memory.bytes[page * PAGE_SIZE] = 1;
      }
      const { resident, runs } = memory.residency();
      assert.equal(resident, touched.size);
      assert.deepEqual(runs, runsOf(memory));
      memory.close();
    });

    it('is what fincore says of a file', function () {
      const path = file('fincore', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path);
      if (mapping.filesystem === 'tmpfs') skip(this, 'temporary files are always in memory here');
      const pages = () => {
        try {
          return Number(execFileSync('fincore', ['-n', '-b', '-o', 'PAGES', path], { encoding: 'utf8' }));
        } catch (error) {
          return skip(this, `no fincore(1): ${error.code}`);
        }
      };
      assert.equal(mapping.residency().resident, pages());
      assert.equal(pages(), PAGES);
      mapping.evict();
      assert.equal(mapping.residency().resident, pages());
      assert.equal(pages(), 0);
      mapping.close();
    });

    it('counts the pages a range touches, and clips runs to the range', () => {
      const memory = mapAnonymous({ length: LENGTH, advice: 'nohugepage' });
      memory.bytes[2 * PAGE_SIZE] = 1;
      memory.bytes[3 * PAGE_SIZE] = 1;
      const range = { offset: 2 * PAGE_SIZE + 10, length: PAGE_SIZE };
      assert.deepEqual(memory.residency(range), { pageSize: PAGE_SIZE, pages: 2, resident: 2, runs: [range] });
      assert.deepEqual(memory.residency({ offset: 10, length: 0 }).pages, 0);
      memory.close();
    });

    it('counts from the first byte of an unaligned mapping', () => {
      const mapping = mapFile(file('unaligned', Buffer.alloc(2 * PAGE_SIZE, 'f')), { offset: 100 });
      mapping.populate();
      const { pages, runs } = mapping.residency();
      assert.equal(pages, 2);
      assert.deepEqual(runs, [{ offset: 0, length: 2 * PAGE_SIZE - 100 }]);
      mapping.close();
    });

    it('goes over more pages than one call looks at', () => {
      const length = 2 ** 14 * PAGE_SIZE * 2 + PAGE_SIZE;
      const memory = mapAnonymous({ length, noReserve: true, advice: 'nohugepage' });
      const middle = 2 ** 14 * PAGE_SIZE;
      memory.bytes[middle - 1] = 1;
      memory.bytes[middle] = 1;
      memory.bytes[length - 1] = 1;
      assert.deepEqual(memory.residency().runs, [
        { offset: middle - PAGE_SIZE, length: 2 * PAGE_SIZE },
        { offset: length - PAGE_SIZE, length: PAGE_SIZE },
      ]);
      memory.close();
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
