// numaNodes() of this machine, and of others by their sysfs: lib/mem/machine/topology.ts, lib/internal/kernel-files.ts.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

import { numaNodes } from 'memmap';

import { withFolders } from '../support/kernel/fake-sysfs.mjs';
import { skip } from '../support/hooks.mjs';
import { kilobytesIn, parseList } from '../support/kernel/kernel-files.mjs';

const NODES = '/sys/devices/system/node';
const TIERS = '/sys/devices/virtual/memory_tiering';
const CPUS = '/sys/devices/system/cpu';
const read = (path) => readFileSync(path, 'utf8').trim();

/** A node of a machine made up for a test; sizes in kB. */
function fake(id, { cpus = '', total = 0, free = 0, distance }) {
  return {
    [`node${id}/cpulist`]: cpus,
    [`node${id}/meminfo`]: `Node ${id} MemTotal:       ${total} kB\nNode ${id} MemFree:        ${free} kB\nNode ${id} MemUsed: 1 kB`,
    [`node${id}/distance`]: distance,
  };
}

describe('lists of the kernel', () => {
  it('are numbers and ranges', () => {
    assert.deepEqual(parseList('0-3,5,7-8\n'), [0, 1, 2, 3, 5, 7, 8]);
    assert.deepEqual(parseList('0'), [0]);
    assert.deepEqual(parseList('4-4'), [4]);
    assert.deepEqual(parseList('0-1,1023\n'), [0, 1, 1023]);
  });

  it('are empty where there is nothing', () => {
    for (const text of ['', '\n', ' \n']) assert.deepEqual(parseList(text), []);
  });

  it('are never half read', () => {
    for (const text of ['a', '1,', ',1', '1-', '-1', '1-2-3', '0-31:2/4', '1 2', 'N/A']) {
      assert.throws(() => parseList(text), SyntaxError, text);
    }
  });

  it('and tables give bytes by name', () => {
    const text = 'MemTotal:       1024 kB\nMemFree:         512 kB\nHugePages_Total:       3\n';
    assert.equal(kilobytesIn(text, 'MemTotal'), 2 ** 20);
    assert.equal(kilobytesIn(text, 'Total'), NaN);
    assert.equal(kilobytesIn(text, 'HugePages_Total'), NaN);
    assert.equal(kilobytesIn('Node 1 MemTotal:  2 kB', 'MemTotal'), 2048);
  });
});

describe('numaNodes', () => {
  it('is what the kernel says of this machine', () => {
    const nodes = numaNodes();
    if (!existsSync(NODES)) {
      assert.deepEqual(nodes.map(({ id }) => id), [0]);
      return;
    }
    assert.equal(nodes.map(({ id }) => id).join(','), parseList(read(`${NODES}/online`)).join(','));
    for (const { id, cpus, memory, distances, memoryOnly } of nodes) {
      assert.deepEqual(cpus, parseList(read(`${NODES}/node${id}/cpulist`)));
      const meminfo = read(`${NODES}/node${id}/meminfo`);
      assert.equal(memory.total, Number(/MemTotal: +(\d+)/.exec(meminfo)[1]) * 1024);
      assert.ok(memory.total === 0 || (memory.free > 0 && memory.free <= memory.total));
      assert.equal([...distances.values()].join(' '), read(`${NODES}/node${id}/distance`));
      assert.equal(distances.get(id), 10);
      assert.equal(memoryOnly, cpus.length === 0 && memory.total > 0);
    }
    assert.equal(nodes.flatMap(({ cpus }) => cpus).length, parseList(read(`${CPUS}/online`)).length);
  });

  it('has the tiers of memory that the kernel has', function () {
    if (!existsSync(TIERS)) skip(this, 'tiers of memory need Linux 6.1');
    for (const { id, tier, memory } of numaNodes()) {
      if (memory.total > 0) assert.ok(parseList(read(`${TIERS}/memory_tier${tier}/nodelist`)).includes(id));
    }
  });

  describe('of other machines', () => {
    it('numbers with gaps, memory without CPUs and CPUs without memory', function () {
      const initiators = 'node4/access0/initiators';
      const { nodes } = withFolders(this, {
        [NODES]: {
          online: '0-1,4',
          ...fake(0, { cpus: '0-1,4', total: 1024, free: 512, distance: '10 21 31' }),
          ...fake(1, { cpus: '2-3', distance: '21 10 41' }),
          ...fake(4, { total: 2048, free: 2048, distance: '31 41 10' }),
          [`${initiators}/read_latency`]: '300',
          [`${initiators}/write_latency`]: '350',
          [`${initiators}/read_bandwidth`]: '14000',
          [`${initiators}/node0/cpulist`]: '0-1,4',
          'node0/hugepages/hugepages-2048kB/nr_hugepages': '5',
          'node0/hugepages/hugepages-2048kB/free_hugepages': '3',
          'node0/hugepages/hugepages-2048kB/surplus_hugepages': '1',
        },
        ...(existsSync(TIERS) && { [TIERS]: { 'memory_tier4/nodelist': '0', 'memory_tier22/nodelist': '4' } }),
      }, 'topology');
      const tiered = existsSync(TIERS);
      // JSON leaves out what is undefined.
      const hugePages = existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB') ? [{ size: 2 ** 21, total: 5, free: 3, surplus: 1 }] : [];
      assert.deepEqual(nodes, [
        {
          id: 0, cpus: [0, 1, 4], memory: { total: 2 ** 20, free: 2 ** 19 }, distances: [[0, 10], [1, 21], [4, 31]],
          memoryOnly: false, hugePages, ...(tiered && { tier: 4 }),
        },
        { id: 1, cpus: [2, 3], memory: { total: 0, free: 0 }, distances: [[0, 21], [1, 10], [4, 41]], memoryOnly: false, hugePages: [] },
        {
          id: 4, cpus: [], memory: { total: 2 ** 21, free: 2 ** 21 }, distances: [[0, 31], [1, 41], [4, 10]],
          memoryOnly: true, hugePages: [], ...(tiered && { tier: 22 }),
          access: { initiators: [0], readLatency: 300, writeLatency: 350, readBandwidth: 14000 },
        },
      ]);
    });

    it('a kernel without NUMA is one node', function () {
      // An empty folder stands for the one that such a kernel has not.
      const { nodes, pools } = withFolders(this, { [NODES]: {} }, 'topology');
      const [{ memory, cpus, ...node }, ...others] = nodes;
      assert.deepEqual(others, []);
      assert.equal(memory.total, Number(/MemTotal: +(\d+)/.exec(read('/proc/meminfo'))[1]) * 1024);
      assert.deepEqual(cpus, parseList(read(`${CPUS}/online`)));
      assert.deepEqual([node.id, node.distances, node.memoryOnly], [0, [[0, 10]], false]);
      for (const { total, free, surplus, nodes: places } of pools) {
        assert.deepEqual(places, [{ node: 0, total, free, surplus }]);
      }
    });

    it('nodes that come and go while they are read are EAGAIN, never half a machine', function () {
      assert.throws(
        () => withFolders(this, { [NODES]: { online: '0-1', ...fake(0, { cpus: '0', total: 1, distance: '10' }) } }, 'topology'),
        /EAGAIN: .*, read '\/sys\/devices\/system\/node'/,
      );
    });
  });
});
