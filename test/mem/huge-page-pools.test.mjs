// hugePagePools() follows the kernel's pools, and errors name an empty one: lib/mem/machine/huge-page-pools.ts,
// lib/internal/{kernel-files,remedy}.ts.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';

import { hugePagePools, mapAnonymous, numaNodes } from 'memmap';

import { withFolders } from '../support/kernel/fake-sysfs.mjs';
import { skip } from '../support/hooks.mjs';
import { freeHugePages, withHugePages } from '../support/kernel/huge-pages.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const POOLS = '/sys/kernel/mm/hugepages';
const HUGE = 2 ** 21;
const pool = (size = HUGE) => hugePagePools().find((one) => one.size === size);

describe('hugePagePools', () => {
  it('has each pool of the kernel, by size, and one that is the default', function () {
    if (!existsSync(POOLS)) skip(this, 'this kernel has no huge pages');
    const sizes = readdirSync(POOLS).map((name) => Number(/\d+/.exec(name)[0]) * 1024).toSorted((a, b) => a - b);
    assert.deepEqual(hugePagePools().map(({ size }) => size), sizes);
    const standard = Number(/Hugepagesize: +(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))[1]) * 1024;
    for (const { size, default: isDefault, nodes, total, free, surplus } of hugePagePools()) {
      assert.equal(isDefault, size === standard);
      const sum = (name) => nodes.reduce((pages, node) => pages + node[name], 0);
      assert.deepEqual([sum('total'), sum('free'), sum('surplus')], [total, free, surplus]);
    }
  });

  itExternal('follows what is added, promised and used', async function () {
    await withHugePages(this, HUGE, 3, () => {
      const before = pool();
      assert.equal(before.free - before.reserved, 3);
      const memory = mapAnonymous({ length: 2 * HUGE, hugePages: '2MB' });
      assert.deepEqual([pool().free, pool().reserved], [before.free, before.reserved + 2]);
      memory.bytes[0] = 1;
      const { free, reserved, total } = pool();
      assert.deepEqual([free, reserved, total], [before.free - 1, before.reserved + 1, before.total]);
      assert.equal(free - reserved, freeHugePages(HUGE));
      const onNodes = numaNodes().flatMap(({ hugePages }) => hugePages.filter(({ size }) => size === HUGE));
      assert.equal(onNodes.reduce((pages, node) => pages + node.free, 0), free);
      memory.close();
      assert.deepEqual(pool(), before);
    });
  });

  it('tells what the kernel has taken beyond the pool', async function () {
    await withHugePages(this, HUGE, 0, () => {
      const path = `${POOLS}/hugepages-2048kB/nr_overcommit_hugepages`;
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, '2');
      try {
        assert.equal(pool().overcommit, 2);
        const { total, surplus } = pool();
        let memory;
        try {
          memory = mapAnonymous({ length: HUGE, hugePages: '2MB' });
        } catch {
          skip(this, 'the kernel found no memory for a huge page');
        }
        memory.bytes[0] = 1;
        assert.deepEqual([pool().total - total, pool().surplus - surplus], [1, 1]);
        memory.close();
        assert.deepEqual([pool().total, pool().surplus], [total, surplus]);
      } finally {
        writeFileSync(path, before);
      }
    });
  });

  it('is empty on a kernel without huge pages', function () {
    if (!existsSync(POOLS)) skip(this, 'this is one');
    assert.deepEqual(withFolders(this, { [POOLS]: {} }, 'topology').pools, []);
  });

  describe('the error of an empty pool', () => {
    const refused = (size, hugePages) => {
      try {
        // More than the machine has in one pool.
        mapAnonymous({ length: 2 ** 45, hugePages }).close();
      } catch (error) {
        return error.message;
      }
      return assert.fail(`there is no end of pages of ${size} bytes`);
    };

    itExternal('says what there is, and how to get more', function () {
      const { total, free, reserved } = pool() ?? skip(this, 'this kernel has no such pool');
      const message = refused(HUGE, '2MB');
      assert.match(message, new RegExp(`has ${total} pages: ${free} free, ${reserved} of them reserved\\.`));
      assert.match(message, /as root: echo N > \/sys\/kernel\/mm\/hugepages\/hugepages-2048kB\/nr_hugepages/);
      assert.equal(/nodeX\/hugepages/.test(message), numaNodes().length > 1);
      assert.doesNotMatch(message, /command line/);
    });

    itExternal('says that pages of 1 GB are had at boot', function () {
      if (pool(2 ** 30) === undefined) skip(this, 'this kernel has no such pool');
      assert.match(refused(2 ** 30, '1GB'), /hugepages-1048576kB\/nr_hugepages.*hugepagesz=1G hugepages=N on the kernel command line/);
    });
  });
});
