// Placement on three NUMA nodes, 0 and 1 with a CPU each, 2 with memory only: lib/mem/{numa,policy}.ts,
// src-native/core/residency/placement.cc.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mapAnonymous, mapFile, memoryPolicy, setMemoryPolicy } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { freeHugePages } from '../support/kernel/huge-pages.mjs';
import { count, fill, inWorker, isFilled, keeper, lie, memoryOf, readAll } from '../support/kernel/numa.mjs';
import { numaMapAt } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 24;
const LENGTH = PAGES * PAGE_SIZE;
const MIB = 2 ** 20;

const allOn = (node, pages = PAGES) => Array(pages).fill(node);

/** Runs `act`, or skips where the kernel is too old for it, which the error must say. */
function needs(context, since, act) {
  try {
    return act();
  } catch (error) {
    if (error.code !== 'ERR_MEMMAP_UNSUPPORTED') throw error;
    assert.match(error.message, new RegExp(`needs Linux ${since.replace('.', '\\.')}$`));
    return skip(context, error.message);
  }
}

describe('Three NUMA nodes', () => {
  const file = temporaryFiles();
  const keep = keeper();
  const memory = (length = LENGTH, options = {}) => keep(memoryOf(length, options));
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
    assert.equal(readFileSync('/sys/devices/system/node/has_memory', 'latin1').trim(), '0-2');
  });
  afterEach(() => setMemoryPolicy({ mode: 'default' }));

  describe('memory comes from the nodes of its policy', () => {
    for (const node of [0, 1, 2]) {
      for (const mode of ['bind', 'preferred']) {
        it(`'${mode}' of node ${node}`, () => {
          const mapping = memory();
          mapping.bind({ mode, nodes: [node] });
          fill(mapping);
          assert.deepEqual(lie(mapping), allOn(node));
          assert.deepEqual(mapping.policy(), { mode, nodes: [node] });
        });
      }
    }

    it("'preferred-many': the nearest of them", function () {
      const mapping = memory();
      needs(this, '5.15', () => mapping.bind({ mode: 'preferred-many', nodes: [1, 2] }));
      fill(mapping);
      assert.deepEqual(lie(mapping), allOn(1));
      assert.match(numaMapAt(mapping.address).policy, /^prefer \(many\):1-2$/);
    });

    it("'interleave': each in turn", () => {
      const mapping = memory();
      mapping.bind({ mode: 'interleave', nodes: [0, 1, 2] });
      fill(mapping);
      const nodes = lie(mapping);
      assert.deepEqual(count(nodes), { 0: PAGES / 3, 1: PAGES / 3, 2: PAGES / 3 });
      assert.ok(nodes.every((node, page) => page === 0 || node === (nodes[page - 1] + 1) % 3), nodes.join());
    });

    it("'weighted-interleave': as often as the machine's weights say", function () {
      const mapping = memory();
      const policy = { mode: 'weighted-interleave', nodes: [0, 1] };
      needs(this, '6.9', () => mapping.bind(policy));
      const folder = '/sys/kernel/mm/mempolicy/weighted_interleave';
      // Since 6.16 the weights may be the kernel's own: "auto" is last, as it undoes the others.
      const names = ['node0', 'node1', 'auto'].filter((name) => existsSync(`${folder}/${name}`));
      const before = names.map((name) => readFileSync(`${folder}/${name}`, 'latin1'));
      writeFileSync(`${folder}/node0`, '3');
      writeFileSync(`${folder}/node1`, '1');
      try {
        fill(mapping);
        assert.deepEqual(count(lie(mapping)), { 0: (PAGES * 3) / 4, 1: PAGES / 4 });
      } finally {
        for (const [i, name] of names.entries()) writeFileSync(`${folder}/${name}`, before[i]);
      }
      assert.deepEqual(mapping.policy(), policy);
    });

    it('of a part of a mapping only', () => {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0] });
      mapping.bind({ mode: 'bind', nodes: [2] }, { offset: 3 * PAGE_SIZE + 5, length: PAGE_SIZE });
      fill(mapping);
      assert.deepEqual([...mapping.nodes()], allOn(0).fill(2, 3, 5));
    });

    it('of shared memory, whoever touches it; what is there already is moved once it is mapped', () => {
      setMemoryPolicy({ mode: 'bind', nodes: [0] });
      const shared = keep(SharedMemory.create({ length: LENGTH }));
      const [one, another] = [keep(shared.map()), keep(shared.map())];
      one.bind({ mode: 'bind', nodes: [1], move: true });
      assert.deepEqual([...one.nodes()], allOn(-1));
      readAll(one);
      assert.deepEqual([...one.nodes()], allOn(0));
      one.bind({ mode: 'bind', nodes: [1], move: true });
      assert.deepEqual([...one.nodes()], allOn(1));
      one.punchHole({ offset: 0 });
      one.bind({ mode: 'bind', nodes: [2] });
      fill(another);
      assert.deepEqual([...another.nodes()], allOn(2));
    });

    it('what a file mapping copies on write, but not the page cache', () => {
      setMemoryPolicy({ mode: 'bind', nodes: [2] });
      const mapping = keep(mapFile(file('cached', Buffer.alloc(LENGTH, 1)), { access: 'copy-on-write' }));
      mapping.bind({ mode: 'bind', nodes: [1] });
      mapping.evict();
      readAll(mapping);
      assert.deepEqual([...mapping.nodes()], allOn(2), 'the policy of the thread that reads it');
      setMemoryPolicy({ mode: 'default' });
      fill(mapping);
      assert.deepEqual([...mapping.nodes()], allOn(1));
    });
  });

  describe('homeNode', () => {
    it('says which of the bound nodes comes first', function () {
      for (const home of [0, 1]) {
        const mapping = memory();
        mapping.bind({ mode: 'bind', nodes: [0, 1] });
        needs(this, '5.17', () => mapping.homeNode(home));
        fill(mapping);
        assert.deepEqual(lie(mapping), allOn(home));
      }
      const preferring = memory();
      preferring.bind({ mode: 'preferred-many', nodes: [1, 2] });
      preferring.homeNode(2);
      fill(preferring);
      assert.deepEqual(lie(preferring), allOn(2));
    });
  });

  describe('bind of pages that lie elsewhere', () => {
    function onNode0() {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0] });
      fill(mapping);
      return mapping;
    }

    it('leaves them, moves them, or fails, as it is told', () => {
      const mapping = onNode0();
      assert.throws(() => mapping.bind({ mode: 'bind', nodes: [1], strict: true }), {
        name: 'SystemError', code: 'EIO', errno: -5, syscall: 'mbind', message: /move: true moves them$/,
      });
      assert.deepEqual(mapping.policy(), { mode: 'bind', nodes: [0] });
      mapping.bind({ mode: 'bind', nodes: [1] });
      assert.deepEqual(mapping.policy(), { mode: 'bind', nodes: [1] });
      assert.deepEqual(lie(mapping), allOn(0));
      mapping.bind({ mode: 'bind', nodes: [1], move: true, strict: true });
      assert.deepEqual(lie(mapping), allOn(1));
      assert.ok(isFilled(mapping));
    });

    it("moves what is mapped twice only with 'all'", () => {
      const shared = keep(SharedMemory.create({ length: LENGTH }));
      const [one, another] = [keep(shared.map()), keep(shared.map())];
      fill(one);
      assert.ok(isFilled(another));
      one.bind({ mode: 'bind', nodes: [1], move: 'all', strict: true });
      assert.deepEqual([...one.nodes()], allOn(1));
      // Strict as it is, the kernel does not count them.
      one.bind({ mode: 'bind', nodes: [2], move: true, strict: true });
      assert.deepEqual([...one.nodes()], allOn(1));
      assert.deepEqual(one.policy(), { mode: 'bind', nodes: [2] });
      assert.deepEqual(one.migrate(0), { moved: 0, absent: 0, failed: PAGES });
      one.bind({ mode: 'bind', nodes: [2], move: 'all', strict: true });
      assert.deepEqual([...another.nodes()], allOn(2));
      assert.ok(isFilled(another));
    });
  });

  describe('migrate', () => {
    it('moves what is in memory, whatever its policy is', () => {
      const mapping = memory();
      mapping.bind({ mode: 'interleave', nodes: [0, 1, 2] });
      fill(mapping);
      assert.deepEqual(mapping.migrate(2), { moved: PAGES, absent: 0, failed: 0 });
      assert.deepEqual(lie(mapping), allOn(2));
      assert.ok(isFilled(mapping));
      assert.equal(mapping.policy().mode, 'interleave');
    });

    it('knows what is swapped out', () => {
      const mapping = memory();
      fill(mapping);
      mapping.evict({ length: LENGTH / 2 });
      const absent = mapping.nodes().filter((node) => node === -1).length;
      assert.ok(absent > 0 && absent <= PAGES / 2, `${absent} pages are swapped out`);
      assert.deepEqual(mapping.migrate(1), { moved: PAGES - absent, absent, failed: 0 });
      assert.ok(isFilled(mapping));
    });

    it('goes over more pages than one call moves', function () {
      const length = (2 ** 14 + 3) * PAGE_SIZE;
      if (PAGE_SIZE > 4096) skip(this, 'the nodes have no room for so many large pages');
      const mapping = memory(length);
      mapping.bind({ mode: 'bind', nodes: [0] });
      fill(mapping);
      assert.deepEqual(mapping.migrate(1), { moved: 2 ** 14 + 3, absent: 0, failed: 0 });
      assert.ok(mapping.nodes().every((node) => node === 1));
      assert.ok(isFilled(mapping));
    });

    it('moves transparent huge pages', function () {
      const path = '/sys/kernel/mm/transparent_hugepage/hpage_pmd_size';
      if (!existsSync(path)) skip(this, 'this kernel has no transparent huge pages');
      const huge = Number(readFileSync(path, 'latin1'));
      const mapping = memory(2 * huge, { advice: 'hugepage' });
      mapping.bind({ mode: 'bind', nodes: [0] });
      mapping.bytes.fill(5);
      assert.deepEqual(count(mapping.nodes()), { 0: (2 * huge) / PAGE_SIZE });
      assert.deepEqual(mapping.migrate(1), { moved: (2 * huge) / PAGE_SIZE, absent: 0, failed: 0 });
      assert.deepEqual(count(mapping.nodes()), { 1: (2 * huge) / PAGE_SIZE });
      assert.ok(mapping.bytes.every((byte) => byte === 5));
    });
  });

  it('huge pages of the pool are bound, found and moved one by one', function () {
    const huge = 2 * MIB;
    if (!(freeHugePages(huge) >= 4)) skip(this, 'there are no huge pages of 2 MiB');
    const mapping = keep(mapAnonymous({ length: huge + 1, hugePages: '2MB' }));
    mapping.bind({ mode: 'bind', nodes: [1] });
    assert.deepEqual([...mapping.nodes()], [-1, -1]);
    mapping.bytes[0] = 1;
    mapping.bytes[huge] = 2;
    assert.deepEqual([...mapping.nodes()], [1, 1]);
    assert.deepEqual([...mapping.nodes({ offset: huge })], [1]);
    assert.deepEqual(mapping.migrate(0, { length: 1 }), { moved: 1, absent: 0, failed: 0 });
    assert.deepEqual([...mapping.nodes()], [0, 1]);
    assert.deepEqual([mapping.bytes[0], mapping.bytes[huge]], [1, 2]);
  });

  describe('the policy of a thread', () => {
    it('holds for memory without a policy, and in threads started afterwards', async () => {
      setMemoryPolicy({ mode: 'bind', nodes: [1] });
      const mapping = memory();
      fill(mapping);
      assert.deepEqual(lie(mapping), allOn(1));
      const node = await inWorker((memmap) => {
        const one = memmap.mapAnonymous({ length: 1 });
        one.bytes[0] = 1;
        return one.nodes()[0];
      });
      assert.equal(node, 1);
      setMemoryPolicy({ mode: 'interleave', nodes: [0, 2] });
      assert.deepEqual(memoryPolicy(), { mode: 'interleave', nodes: [0, 2] });
      const later = memory();
      fill(later);
      assert.deepEqual(count(lie(later)), { 0: PAGES / 2, 2: PAGES / 2 });
    });
  });
});
