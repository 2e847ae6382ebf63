// mapAnonymous() with huge pages of a pool, which root fills for the test: lib/mem/{anonymous,pages}.ts.
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';

import { mapAnonymous, mapFile, reserve } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { hole } from '../support/kernel/addresses.mjs';
import { skip } from '../support/hooks.mjs';
import { freeHugePages, hugePagePool } from '../support/kernel/huge-pages.mjs';
import { mapAt, smapsAt } from '../support/kernel/proc.mjs';
import { runs } from '../support/process/run.mjs';
import { mountHugetlbfs } from '../support/kernel/mount.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const SIZES = { '2MB': 2 ** 21, '1GB': 2 ** 30 };

describe('mapAnonymous with huge pages', () => {
  describe('without a pool', () => {
    for (const [hugePages, size] of Object.entries(SIZES)) {
      for (const sharing of ['private', 'shared']) {
        itExternal(`fails, and says how to get one, or that there is none (${hugePages}, ${sharing})`, function () {
          if (freeHugePages(size) > 0) skip(this, `the machine has a pool of ${hugePages} pages`);
          assert.throws(() => mapAnonymous({ length: size, hugePages, sharing }), {
            name: 'SystemError',
            ...(Number.isNaN(freeHugePages(size)) ? {
              code: /^(ENOMEM|ENOSPC|EINVAL|ENODEV)$/,
              message: new RegExp(`This kernel has no huge pages of ${size / 1024} kB`),
            } : {
              code: /^(ENOMEM|ENOSPC)$/,
              message: new RegExp(`hugepages-${size / 1024}kB/nr_hugepages`),
            }),
          });
        });
      }
    }
  });

  for (const [hugePages, size] of Object.entries(SIZES)) {
    describe(`with a pool of ${hugePages} pages`, () => {
      // A free GiB in one piece is rare: one has to do.
      const pages = hugePages === '2MB' ? 2 : 1;
      hugePagePool(size, pages);

      itExternal('has the kernel map pages of that size', () => {
        const memory = mapAnonymous({ length: size, hugePages });
        const { KernelPageSize, VmFlags } = smapsAt(memory.address);
        assert.equal(KernelPageSize * 1024, size);
        assert.ok(VmFlags.includes('ht'));
        memory.bytes[size - 1] = 1;
        memory.close();
      });

      itExternal('rounds the pages up, not the length', () => {
        const memory = mapAnonymous({ length: 100, hugePages });
        const { start, end } = mapAt(memory.address);
        assert.equal(memory.length, 100);
        assert.equal(memory.bytes.length, 100);
        assert.equal(Number(end - start), size);
        memory.close();
      });

      itExternal('gives the page back to the pool on close, though a view is still about', () => {
        const memory = mapAnonymous({ length: size, hugePages });
        const { bytes } = memory;
        bytes.fill(7, 0, 64);
        assert.equal(freeHugePages(size), pages - 1);
        memory.close();
        assert.equal(freeHugePages(size), pages);
        if (bytes.length > 0) assert.equal(bytes[0], 0); // an ArrayBuffer is empty instead
      });

      itExternal('is shared memory for a process that inherits it', async () => {
        const memory = mapAnonymous({ length: size, hugePages, sharing: 'shared' });
        assert.equal(smapsAt(memory.address).KernelPageSize * 1024, size);
        memory.view(Int32Array)[0] = 41;
        await runs('inherit-memory', [41, 42], { stdio: [memory.fd] });
        assert.equal(memory.view(Int32Array)[0], 42);
        memory.close();
        assert.equal(freeHugePages(size), pages);
      });

      itExternal('does not replace what is placed inside the huge page of a reservation', () => {
        const space = reserve(3 * size);
        const aligned = Number((BigInt(size) - (space.address % BigInt(size))) % BigInt(size));
        const small = space.place(aligned + 2 * PAGE_SIZE, { length: PAGE_SIZE });
        small.bytes[0] = 7;
        assert.throws(() => space.place(aligned, { length: PAGE_SIZE, hugePages }), { code: 'EEXIST' });
        assert.equal(small.bytes[0], 7);
        small.close();
        const huge = space.place(aligned, { length: PAGE_SIZE, hugePages });
        assert.equal(smapsAt(huge.address).KernelPageSize * 1024, size);
        assert.throws(() => space.place(aligned + 2 * PAGE_SIZE, { length: PAGE_SIZE }), { code: 'EEXIST' });
        space.close();
        assert.equal(freeHugePages(size), pages);
      });
    });
  }

  describe('what destroys', () => {
    const PAGE = SIZES['2MB'];
    hugePagePool(PAGE, 2);

    itExternal('demands whole huge pages of what destroys', () => {
      const memory = mapAnonymous({ length: 2 * PAGE, hugePages: '2MB' });
      assert.throws(() => memory.discard({ offset: PAGE_SIZE, length: PAGE }), { code: 'ERR_OUT_OF_RANGE' });
      memory.bytes[0] = 1;
      memory.bytes[PAGE] = 1;
      memory.discard({ offset: 0, length: PAGE });
      assert.equal(memory.bytes[0], 0);
      assert.equal(memory.bytes[PAGE], 1);
      memory.close();
    });
  });

  describe('of a file on hugetlbfs', () => {
    const PAGE = SIZES['2MB'];
    hugePagePool(PAGE, 1);
    const onHugetlbfs = mountHugetlbfs();

    itExternal('are whole pages; a part of one is not placed over its neighbours', () => {
      const path = onHugetlbfs('file');
      writeFileSync(path, '');
      truncateSync(path, PAGE);
      const mapping = mapFile(path, { access: 'read-write', length: PAGE_SIZE });
      assert.equal(mapping.filesystem, 'hugetlbfs');
      assert.equal(smapsAt(mapping.address).KernelPageSize * 1024, PAGE);
      mapping.bytes[0] = 7;
      mapping.close();
      const space = reserve(2 * PAGE);
      const aligned = Number((BigInt(PAGE) - (space.address % BigInt(PAGE))) % BigInt(PAGE));
      const small = space.place(aligned + 2 * PAGE_SIZE, { length: PAGE_SIZE });
      small.bytes[0] = 9;
      assert.throws(() => space.place(aligned, { file: path, length: PAGE_SIZE }), { name: 'SystemError', code: 'EINVAL' });
      assert.equal(small.bytes[0], 9);
      small.close();
      assert.equal(space.place(aligned, { file: path, length: PAGE, buffer: 'array' }).bytes[0], 7);
      space.close();
    });
  });

  describe('transparent', () => {
    it('has the kernel note it (VmFlags hg)', () => {
      const memory = mapAnonymous({ length: 2 ** 22, hugePages: 'transparent' });
      assert.ok(smapsAt(memory.address).VmFlags.includes('hg'));
      memory.close();
    });
  });

  describe('after close', () => {
    hugePagePool(SIZES['2MB'], 1);

    itExternal('leaves no huge page mapped', () => {
      // Where no other thread maps anything meanwhile.
      const address = hole(SIZES['2MB']);
      const memory = mapAnonymous({ length: 1, hugePages: '2MB', address });
      assert.equal(memory.address, address);
      memory.close();
      assert.equal(mapAt(address), undefined);
      assert.equal(freeHugePages(SIZES['2MB']), 1);
    });
  });
});
