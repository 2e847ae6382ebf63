// Pools of huge pages on three nodes, one page of 1 GiB on node 1 and sixteen of 2 MiB on nodes 0 and 1 each:
// lib/mem/anonymous.ts, lib/shm/memory/shared-memory.ts.
import assert from 'node:assert/strict';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { features, mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { freeHugePages } from '../support/kernel/huge-pages.mjs';
import { mountHugetlbfs } from '../support/kernel/mount.mjs';
import { keeper } from '../support/kernel/numa.mjs';
import { smapsAt } from '../support/kernel/proc.mjs';
import { run, runs } from '../support/process/run.mjs';

const HUGE = 2 ** 21;
const GIB = 2 ** 30;

describe('Huge pages on three nodes', () => {
  const keep = keeper();
  const file = mountHugetlbfs();
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
    assert.deepEqual([freeHugePages(HUGE), freeHugePages(GIB)], [32, 1]);
  });
  afterEach(() => assert.deepEqual([freeHugePages(HUGE), freeHugePages(GIB)], [32, 1], 'all are back'));

  it('one page of 1 GiB is anonymous memory', () => {
    const memory = mapAnonymous({ length: GIB, hugePages: '1GB' });
    assert.equal(memory.residency({ length: PAGE_SIZE }).resident, 0);
    memory.bytes[GIB - 1] = 1;
    assert.equal(smapsAt(memory.address).KernelPageSize, GIB / 1024);
    assert.deepEqual([...memory.nodes()], [1]);
    const { pages, resident, mapped, swapped, runs: found } = memory.residency();
    assert.deepEqual([pages, resident, mapped, swapped], [GIB / PAGE_SIZE, GIB / PAGE_SIZE, GIB / PAGE_SIZE, 0]);
    assert.deepEqual(found.map(({ offset, length, hugeSize, node }) => ({ offset, length, hugeSize, node })), [
      { offset: 0, length: GIB, hugeSize: GIB, node: 1 },
    ]);
    memory.close();
  });

  it('one page of 1 GiB is shared memory', () => {
    const shared = keep(SharedMemory.create({ length: GIB, hugePages: '1GB' }));
    const [one, another] = [keep(shared.map()), keep(shared.map({ access: 'read' }))];
    one.bytes[GIB - 1] = 7;
    assert.equal(another.bytes[GIB - 1], 7);
    assert.equal(smapsAt(another.address).KernelPageSize, GIB / 1024);
    assert.deepEqual([[...one.nodes()], [...another.nodes()]], [[1], [1]]);
    assert.equal(one.residency({ offset: GIB - 1, length: 1 }).runs[0].hugeSize, GIB);
    // The same memory, as a file: its pages are no transparent ones.
    const asFile = keep(mapFile(shared.fd, { access: 'read-write' }));
    assert.equal(asFile.bytes[GIB - 1], 7);
    assert.equal(asFile.residency({ offset: GIB - 1, length: 1 }).runs[0].hugeSize, GIB);
    for (const mapping of [asFile, one, another]) mapping.close();
    shared.close();
  });

  it('pages of 2 MiB know their size, touched or not', () => {
    for (const sharing of ['private', 'shared']) {
      const memory = mapAnonymous({ length: 3 * HUGE, hugePages: '2MB', sharing });
      memory.bytes[HUGE] = 1;
      const { mapped, runs: found } = memory.residency();
      assert.equal(mapped, HUGE / PAGE_SIZE, sharing);
      assert.ok(found.every(({ hugeSize }) => hugeSize === HUGE), sharing);
      assert.deepEqual(found.filter((one) => one.mapped).map(({ offset, length }) => [offset, length]), [[HUGE, HUGE]]);
      assert.equal(smapsAt(memory.address).Private_Hugetlb, HUGE / 1024);
      memory.close();
    }
  });

  it('files on hugetlbfs have the pages of their file system', () => {
    const path = file('mapped');
    writeFileSync(path, '');
    truncateSync(path, 2 * HUGE);
    const mapping = mapFile(path, { access: 'read-write' });
    mapping.bytes[HUGE] = 7;
    assert.equal(mapping.filesystem, 'hugetlbfs');
    assert.equal(smapsAt(mapping.address).KernelPageSize, HUGE / 1024);
    const { mapped, runs: found } = mapping.residency();
    assert.equal(mapped, HUGE / PAGE_SIZE);
    assert.ok(found.every(({ hugeSize }) => hugeSize === HUGE), JSON.stringify(found));
    mapping.close();
    const again = mapFile(path);
    assert.equal(again.bytes[HUGE], 7);
    again.close();
    rmSync(path);
  });

  describe('that are not to be had', () => {
    it('are ENOMEM where they are reserved, with what to do', () => {
      const length = 33 * HUGE;
      for (const make of [
        () => mapAnonymous({ length, hugePages: '2MB' }),
        () => mapAnonymous({ length, hugePages: '2MB', sharing: 'shared' }),
      ]) {
        assert.throws(make, ({ code, message }) => {
          assert.match(code, /^(ENOMEM|ENOSPC)$/);
          assert.match(message, /The pool of 2048 kB huge pages has 32 pages: \d+ free, \d+ of them reserved\. /);
          assert.match(message, /Enlarge it as root: echo N > \/sys\/kernel\/mm\/hugepages\/hugepages-2048kB\/nr_hugepages, or on one of the nodes 0, 1, 2/);
          return true;
        });
      }
    });

    for (const name of ['pool empty', 'pool too small', 'no page on the node', 'file, written', 'file, read']) {
      it(`are a guarded fault where they are not: ${name}`, async () => {
        const path = file(name);
        await runs('no-huge-page', [name, path]);
        const { signal, stderr } = await run('no-huge-page', [name, path, 'unguarded']);
        assert.equal(signal, 'SIGBUS', stderr);
        rmSync(path, { force: true });
      });
    }
  });

  it('have the sizes that features() lists', () => {
    const sizes = features().hugePageSizes;
    assert.ok([HUGE, GIB].every((size) => sizes.includes(size)), sizes.join());
  });
});
