// NUMA placement on a machine of one node (more: test/vm/numa.vm.mjs): lib/mem/numa.ts,
// src-native/core/residency/placement.cc.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mapFile, memoryPolicy, setMemoryPolicy } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { count, keeper, memoryOf, readAll } from '../support/kernel/numa.mjs';
import { ABSENT_NODE, withoutCapabilities } from '../support/boundary/numa-errors.mjs';
import { numaMapAt, smapsAt } from '../support/kernel/proc.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 16;
const LENGTH = PAGES * PAGE_SIZE;
const MODES = {
  default: [], local: [], preferred: [0], 'preferred-many': [0], bind: [0], interleave: [0], 'weighted-interleave': [0],
};
const IN_NUMA_MAPS = {
  default: 'default', local: 'local', preferred: 'prefer:0', 'preferred-many': 'prefer (many):0', bind: 'bind:0',
  interleave: 'interleave:0', 'weighted-interleave': 'weighted interleave:0',
};
const nodesThere = readFileSync('/sys/devices/system/node/has_memory', 'latin1').trim();

describe('NUMA placement', () => {
  const file = temporaryFiles();
  const keep = keeper();
  const memory = (options) => keep(memoryOf(LENGTH, options));
  const present = (nodes) => [...nodes.keys()].filter((page) => nodes[page] >= 0);
  const touch = (mapping, ...pages) => {
    for (const page of pages) mapping.bytes[page * PAGE_SIZE] = 1;
  };
  /** Asserts ERR_MEMMAP_UNSUPPORTED with the kernel it takes, or that `act` works. */
  function orUnsupported(since, act) {
    try {
      act();
      return true;
    } catch (error) {
      assert.equal(error.code, 'ERR_MEMMAP_UNSUPPORTED', error.stack);
      assert.match(error.message, new RegExp(`needs Linux ${since}`));
      return false;
    }
  }

  describe('arguments', () => {
    itExternal('a mode names no node, one, or some', () => {
      const mapping = memory();
      for (const set of [(policy) => mapping.bind(policy), setMemoryPolicy]) {
        assert.throws(() => set({ mode: 'local', nodes: [0] }), { code: 'ERR_INVALID_ARG_VALUE', message: /empty with 'local'/ });
        assert.throws(() => set({ mode: 'preferred', nodes: [0, 1] }), { code: 'ERR_INVALID_ARG_VALUE', message: /one node/ });
        assert.throws(() => set({ mode: 'bind' }), { code: 'ERR_INVALID_ARG_VALUE', message: /name nodes/ });
        assert.throws(() => set({ mode: 'bind', nodes: [0, 1024] }), { code: 'ERR_OUT_OF_RANGE', message: /policy\.nodes\[1\]/ });
      }
      assert.equal(mapping.policy().mode, 'default');
      assert.equal(memoryPolicy().mode, 'default');
    });

    itExternal('moves or not, or all', () => {
      assert.throws(() => memory().bind({ mode: 'local', move: 'some' }), { code: 'ERR_INVALID_ARG_TYPE' });
    });

    itExternal('nodes may be named twice, and an empty list is none', () => {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0, 0, 0] });
      assert.deepEqual(mapping.policy(), { mode: 'bind', nodes: [0] });
      mapping.bind({ mode: 'local', nodes: [] });
      assert.deepEqual(mapping.policy(), { mode: 'local', nodes: [] });
    });
  });

  describe('bind', () => {
    for (const [mode, nodes] of Object.entries(MODES)) {
      itExternal(`'${mode}' is what /proc/self/numa_maps says, and policy()`, () => {
        const mapping = memory();
        const since = mode === 'preferred-many' ? '5.15' : '6.9';
        if (!orUnsupported(since, () => mapping.bind({ mode, nodes }))) return;
        assert.deepEqual(mapping.policy(), { mode, nodes });
        assert.equal(numaMapAt(mapping.address).policy, IN_NUMA_MAPS[mode]);
        touch(mapping, 0, 5);
        assert.deepEqual(present(mapping.nodes()), [0, 5]);
        assert.deepEqual(numaMapAt(mapping.address).pages, nodes.length === 0 ? count(mapping.nodes()) : { 0: 2 });
      });
    }

    itExternal('acts on the pages around the range, and on no others', () => {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0] }, { offset: 2 * PAGE_SIZE + 1, length: PAGE_SIZE });
      const modes = [1, 2, 3, 4].map((page) => mapping.policy(page * PAGE_SIZE + 7).mode);
      assert.deepEqual(modes, ['default', 'bind', 'bind', 'default']);
    });

    it('takes the pages around the bytes of an unaligned file mapping', () => {
      const mapping = keep(mapFile(file('unaligned', Buffer.alloc(3 * PAGE_SIZE, 1)), { offset: PAGE_SIZE - 1, length: 2 }));
      mapping.bind({ mode: 'bind', nodes: [0] }, { offset: 1 });
      assert.deepEqual([mapping.policy(0).mode, mapping.policy(1).mode], ['default', 'bind']);
      assert.equal(mapping.nodes().length, 2);
    });

    it('stays with the memory when a buffer is made, and when it grows', () => {
      const mapping = memory({ address: undefined, placement: undefined });
      mapping.bind({ mode: 'preferred', nodes: [0] });
      void mapping.buffer;
      assert.equal(mapping.policy().mode, 'preferred');
      mapping.resize(4 * LENGTH);
      assert.equal(mapping.policy(4 * LENGTH - 1).mode, 'preferred');
      touch(mapping, 0);
      assert.equal(numaMapAt(mapping.address).policy, 'prefer:0');
    });

    it('of shared memory is for all who map it', () => {
      const shared = keep(SharedMemory.create({ length: LENGTH }));
      const [one, another] = [keep(shared.map()), keep(shared.map())];
      one.bind({ mode: 'interleave', nodes: [0] });
      assert.deepEqual(another.policy(), { mode: 'interleave', nodes: [0] });
    });

    itExternal('moves, strictly or not, what can be moved: here everything is where it must be', () => {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0] });
      touch(mapping, 0, 1);
      for (const move of [false, true]) {
        for (const strict of [false, true]) mapping.bind({ mode: 'bind', nodes: [0], move, strict });
      }
      assert.equal(mapping.bytes[PAGE_SIZE], 1);
    });

    itExternal('move: "all" without CAP_SYS_NICE is EPERM, and says so', () => {
      const mapping = memory();
      assert.throws(() => withoutCapabilities(() => mapping.bind({ mode: 'bind', nodes: [0], move: 'all' })), {
        code: 'EPERM', errno: -1, syscall: 'mbind', message: /CAP_SYS_NICE/,
      });
    });

    itExternal('only to nodes that are not there is EINVAL, which says which are', () => {
      const mapping = memory();
      for (const mode of ['preferred', 'bind', 'interleave']) {
        assert.throws(() => mapping.bind({ mode, nodes: [ABSENT_NODE] }), {
          name: 'SystemError', code: 'EINVAL', errno: -22, syscall: 'mbind',
          message: `EINVAL: invalid argument, mbind. NUMA nodes with memory here: ${nodesThere}. Not among them: ${ABSENT_NODE}`,
        });
      }
      assert.equal(mapping.policy().mode, 'default');
    });
  });

  describe('nodes', () => {
    itExternal('counts as /proc/self/numa_maps does, page by page', () => {
      const mapping = memory();
      assert.deepEqual([...mapping.nodes()], Array(PAGES).fill(-1));
      touch(mapping, 1, 2, 9);
      const nodes = mapping.nodes();
      assert.ok(nodes instanceof Int32Array);
      assert.deepEqual(present(nodes), [1, 2, 9]);
      assert.equal(nodes.filter((node) => node === -1).length, PAGES - 3);
      assert.deepEqual(numaMapAt(mapping.address).pages, count(mapping.nodes()));
    });

    itExternal('a page of which only zeros were read is on no node', function () {
      const mapping = memory();
      assert.equal(mapping.bytes[0], 0);
      if (smapsAt(mapping.address).Rss > 0) skip(this, 'this kernel gives a page to who only reads, too');
      assert.equal(mapping.nodes()[0], -1);
    });

    itExternal('has an entry for each page that the range touches', () => {
      const mapping = memory();
      mapping.bind({ mode: 'bind', nodes: [0] });
      touch(mapping, 3);
      assert.deepEqual([...mapping.nodes({ offset: 3 * PAGE_SIZE - 1, length: 2 })], [-1, 0]);
      assert.equal(mapping.nodes({ offset: 5, length: 0 }).length, 0);
    });

    it('of a file are those of the pages that are mapped', () => {
      const mapping = keep(mapFile(file('pages', Buffer.alloc(LENGTH, 1))));
      mapping.advise('random');
      assert.equal(mapping.nodes()[0], -1);
      readAll(mapping);
      assert.equal(present(mapping.nodes()).length, PAGES);
    });

    itExternal('goes over more pages than one call looks at', () => {
      const pages = 2 ** 15 + 3;
      const mapping = keep(memoryOf(pages * PAGE_SIZE, { noReserve: true }));
      const touched = [0, 2 ** 14 - 1, 2 ** 14, 2 ** 15, pages - 1];
      touch(mapping, ...touched);
      const nodes = mapping.nodes();
      assert.equal(nodes.length, pages);
      assert.deepEqual(present(nodes), touched);
      assert.deepEqual(mapping.migrate(0), { moved: touched.length, absent: pages - touched.length, failed: 0 });
    });
  });

  describe('migrate', () => {
    itExternal('counts the pages on the node, and those that are nowhere', () => {
      const mapping = memory();
      assert.deepEqual(mapping.migrate(0), { moved: 0, absent: PAGES, failed: 0 });
      touch(mapping, 0, 1, 2);
      assert.deepEqual(mapping.migrate(0), { moved: 3, absent: PAGES - 3, failed: 0 });
      assert.deepEqual(mapping.migrate(0, { offset: PAGE_SIZE, length: 1 }), { moved: 1, absent: 0, failed: 0 });
      assert.deepEqual(mapping.migrate(0, { length: 0 }), { moved: 0, absent: 0, failed: 0 });
    });

    itExternal('to a node that is not there is ENODEV, which says which are', () => {
      const mapping = memory();
      touch(mapping, 0);
      assert.throws(() => mapping.migrate(ABSENT_NODE), {
        code: 'ENODEV', errno: -19, syscall: 'move_pages', message: new RegExp(`memory here: ${nodesThere}\\.`),
      });
    });
  });

  describe('homeNode', () => {
    itExternal('needs a policy that it is the home of', () => {
      const mapping = memory();
      const bindFirst = { syscall: 'set_mempolicy_home_node', message: /'bind' or 'preferred-many' first/ };
      mapping.bind({ mode: 'bind', nodes: [0] });
      if (!orUnsupported('5.17', () => mapping.homeNode(0))) return;
      mapping.bind({ mode: 'interleave', nodes: [0] });
      assert.throws(() => mapping.homeNode(0), { code: 'ENOTSUP', ...bindFirst });
      mapping.bind({ mode: 'default' });
      assert.throws(() => mapping.homeNode(0), { code: 'ENOENT', ...bindFirst });
      mapping.bind({ mode: 'bind', nodes: [0] });
      assert.throws(() => mapping.homeNode(ABSENT_NODE), { code: 'EINVAL', message: /Not among them: 1023/ });
    });
  });

  it('an empty mapping has no pages to place', () => {
    const mapping = keep(mapFile(file('empty', '')));
    mapping.bind({ mode: 'bind', nodes: [ABSENT_NODE] });
    mapping.homeNode(0);
    assert.equal(mapping.nodes().length, 0);
    assert.deepEqual(mapping.migrate(0), { moved: 0, absent: 0, failed: 0 });
    assert.deepEqual(mapping.policy(), { mode: 'default', nodes: [] });
  });

  describe('after close', () => {
    itExternal('is ERR_MEMMAP_CLOSED', () => {
      const mapping = memory();
      mapping.close();
      for (const call of [
        () => mapping.bind({ mode: 'local' }), () => mapping.policy(), () => mapping.nodes({ length: 0 }),
        () => mapping.migrate(0), () => mapping.homeNode(0, { length: 0 }),
      ]) {
        assert.throws(call, { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' });
      }
    });
  });
});
