// Memory in swap: residency() says what /proc/self/pagemap says: lib/mem/residency.ts,
// src-native/core/residency/page_table.cc.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { features, mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { keeper } from '../support/kernel/numa.mjs';
import { pagemapAt, smapsAt } from '../support/kernel/proc.mjs';
import { seeded } from '../support/random.mjs';
import { until } from '../support/until.mjs';

const PAGES = 96;
const LENGTH = PAGES * PAGE_SIZE;
const { supports } = features();

/** Bytes that differ from page to page, and cannot be merged. */
function fill(mapping) {
  const next = seeded(7);
  const words = mapping.view(Uint32Array);
  for (let i = 0; i < words.length; i += 16) words[i] = next(2 ** 32);
}

function isFilled(mapping) {
  const next = seeded(7);
  return mapping.view(Uint32Array).every((word, i) => i % 16 !== 0 || word === next(2 ** 32));
}

/** One state for each page, of the runs; which cover the range without gaps. */
function pagesOf({ runs }, { offset = 0, length = LENGTH } = {}) {
  const states = [];
  let at = offset;
  for (const run of runs) {
    assert.equal(run.offset, at);
    at += run.length;
    for (let page = 0; page < run.length / PAGE_SIZE; page++) states.push(run);
  }
  assert.equal(at, offset + length);
  return states;
}

/** residency() of private memory, which must agree with pagemap page by page. */
function checked(mapping) {
  const kernel = pagemapAt(mapping.address, PAGES, PAGE_SIZE);
  const found = mapping.residency();
  assert.deepEqual(pagesOf(found).map(({ swapped }) => swapped), kernel.map(({ swapped }) => swapped));
  assert.deepEqual(pagesOf(found).map(({ mapped }) => mapped), kernel.map(({ present }) => present));
  assert.equal(found.swapped, kernel.filter(({ swapped }) => swapped).length);
  assert.equal(found.trust, 'exact');
  return found;
}

/** Pushes the pages out; the kernel may keep some at its first try. */
async function pushOut(mapping, range) {
  const { length = LENGTH } = range ?? {};
  await until(() => {
    mapping.evict(range);
    return mapping.residency(range).swapped === length / PAGE_SIZE;
  }, 'the pages are in swap');
}

function swapTests() {
  const keep = keeper();
  const anonymous = () => keep(mapAnonymous({ length: LENGTH, advice: 'nohugepage' }));

  it('has all pages of a range that is evicted, and gives them back', async () => {
    const memory = anonymous();
    assert.equal(checked(memory).swapped, 0);
    fill(memory);
    assert.equal(checked(memory).mapped, PAGES);
    await pushOut(memory);
    const { swapped, mapped } = checked(memory);
    assert.deepEqual([swapped, mapped], [PAGES, 0]);
    assert.ok(smapsAt(memory.address).Swap >= LENGTH / 1024);
    assert.ok(isFilled(memory));
    assert.equal(checked(memory).swapped, 0);
  });

  it('has every third page of a pattern, in runs', async () => {
    const memory = anonymous();
    fill(memory);
    for (let page = 0; page < PAGES; page += 3) {
      await pushOut(memory, { offset: page * PAGE_SIZE, length: PAGE_SIZE });
    }
    const found = checked(memory);
    assert.deepEqual(pagesOf(found).map(({ swapped }) => swapped), Array.from({ length: PAGES }, (_, page) => page % 3 === 0));
    assert.deepEqual([found.swapped, found.mapped], [PAGES / 3, (PAGES * 2) / 3]);
    const part = { offset: PAGE_SIZE + 1, length: 2 * PAGE_SIZE };
    assert.deepEqual([memory.residency(part).pages, memory.residency(part).swapped], [3, 1]);
    assert.ok(isFilled(memory));
  });

  it('has what a copy-on-write mapping wrote, not the pages of the file', async () => {
    const path = `/var/tmp/memmap-swap-${process.pid}`;
    writeFileSync(path, Buffer.alloc(LENGTH, 'f'));
    const mapping = keep(mapFile(path, { access: 'copy-on-write' }));
    const written = { offset: 4 * PAGE_SIZE, length: 8 * PAGE_SIZE };
    mapping.bytes.fill(7, written.offset, written.offset + written.length);
    await pushOut(mapping, written);
    assert.equal(checked(mapping).swapped, 8);
    assert.equal(mapping.bytes[written.offset], 7);
    assert.equal(mapping.bytes[0], 'f'.charCodeAt(0));
  });

  it('has pages of shared memory, which no page table shows', async function () {
    const shared = keep(SharedMemory.create({ length: LENGTH }));
    const mapping = keep(shared.map());
    fill(mapping);
    if (!supports.cachestat.supported) {
      mapping.evict();
      // The page tables know nothing of them, and nobody else tells: no wrong count either.
      await until(() => smapsAt(mapping.address).Swap > 0, 'the kernel counts them as swapped');
      assert.equal(mapping.residency().swapped, undefined);
      assert.ok(isFilled(mapping));
      return;
    }
    await until(() => {
      mapping.evict();
      return smapsAt(mapping.address).Swap === LENGTH / 1024;
    }, 'the kernel counts all as swapped');
    const found = mapping.residency();
    assert.deepEqual([found.swapped, found.evicted, found.mapped], [PAGES, PAGES, 0]);
    assert.ok(pagesOf(found).every(({ swapped, evicted }) => swapped && evicted));
    mapping.bytes[5 * PAGE_SIZE] += 0;
    assert.deepEqual(pagesOf(mapping.residency()).map(({ mapped }) => mapped).indexOf(true), 5);
    assert.ok(isFilled(mapping));
    assert.equal(mapping.residency().swapped, 0);
  });
}

describe('Swap', () => {
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
  });

  describe('on a disk', () => {
    swapTests();
  });

  // Written at once, and gone from memory then: nothing lingers in the swap cache.
  describe('in compressed memory (zram)', () => {
    const keep = keeper();
    const call = (program, ...args) => execFileSync(program, args, { stdio: 'pipe' });
    let disks = [];
    before(function () {
      if (!existsSync('/sys/block/zram0/disksize')) skip(this, 'this kernel has no zram');
      writeFileSync('/sys/block/zram0/disksize', String(64 << 20));
      call('mkswap', '/dev/zram0');
      disks = readFileSync('/proc/swaps', 'latin1').match(/^\/dev\/\S+/gm);
      // The swapon of busybox knows no priorities: the disks leave meanwhile.
      call('swapon', '/dev/zram0');
      for (const disk of disks) call('swapoff', disk);
      assert.match(readFileSync('/proc/swaps', 'latin1'), /^[^\n]*\n\/dev\/zram0[^\n]*\n$/);
    });
    after(() => {
      if (disks.length === 0) return;
      for (const disk of disks) call('swapon', disk);
      call('swapoff', '/dev/zram0');
      writeFileSync('/sys/block/zram0/reset', '1');
    });

    swapTests();

    it("comes back for 'willneed'", async () => {
      const memory = keep(mapAnonymous({ length: LENGTH, advice: 'nohugepage' }));
      fill(memory);
      await pushOut(memory);
      assert.equal(memory.residency().resident, 0);
      const half = { offset: LENGTH / 2 };
      await until(() => {
        memory.advise('willneed', half);
        return memory.residency(half).resident === PAGES / 2;
      }, 'half of it is read');
      const { resident } = checked(memory);
      assert.ok(resident >= PAGES / 2);
      // In memory, in no page table: touching them costs a fault, but no disk.
      assert.equal(memory.residency(half).mapped, 0);
      assert.ok(isFilled(memory));
    });
  });
});
