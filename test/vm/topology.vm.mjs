// numaNodes(), hugePagePools() and maps() on three nodes, with pages of 1 GiB on node 1 and of 2 MiB on 0 and 1:
// lib/mem/machine/{topology,huge-page-pools}.ts, lib/mem/maps/usage.ts.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

import { hugePagePools, mapAnonymous, maps, numaNodes } from 'memmap';

import { skip } from '../support/hooks.mjs';
import { until } from '../support/until.mjs';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIERS = '/sys/devices/virtual/memory_tiering';
const node = (id) => numaNodes().find((one) => one.id === id);
const pool = (size) => hugePagePools().find((one) => one.size === size);

describe('a machine of three nodes', () => {
  it('has their CPUs, memory and distances', () => {
    const nodes = numaNodes();
    assert.deepEqual(nodes.map(({ id, cpus, memoryOnly }) => [id, cpus, memoryOnly]), [[0, [0], false], [1, [1], false], [2, [], true]]);
    assert.deepEqual(nodes.map(({ distances }) => [...distances.values()]), [[10, 21, 31], [21, 10, 41], [31, 41, 10]]);
    for (const { memory } of nodes) {
      assert.ok(memory.total > 512 * MIB && memory.total <= 2 * GIB, String(memory.total));
      assert.ok(memory.free > 0 && memory.free <= memory.total);
    }
  });

  it('says how far the memory is in time, where the firmware does', () => {
    const near = (id) => node(id).access;
    assert.deepEqual([near(0).initiators, near(1).initiators, near(2).initiators], [[0], [1], [0]]);
    assert.ok(near(0).readLatency > 0);
    assert.ok(near(2).readLatency > near(0).readLatency);
    assert.ok(near(2).writeLatency > near(0).writeLatency);
    assert.ok(near(2).readBandwidth < near(0).readBandwidth);
    assert.ok(near(2).writeBandwidth < near(0).writeBandwidth);
  });

  it('has all memory in tiers', function () {
    if (!existsSync(TIERS)) skip(this, 'tiers of memory need Linux 6.1');
    for (const { id, tier } of numaNodes()) {
      assert.match(`,${readFileSync(`${TIERS}/memory_tier${tier}/nodelist`, 'utf8').trim()},`, new RegExp(`[,-]${id}[,-]|,0-`));
    }
  });

  it('has pools of huge pages, node by node', () => {
    assert.deepEqual(pool(GIB).nodes, [
      { node: 0, total: 0, free: 0, surplus: 0 },
      { node: 1, total: 1, free: 1, surplus: 0 },
      { node: 2, total: 0, free: 0, surplus: 0 },
    ]);
    assert.deepEqual(pool(2 * MIB).nodes.map(({ node: id, total }) => [id, total]), [[0, 16], [1, 16], [2, 0]]);
    assert.deepEqual(node(1).hugePages.map(({ size, total }) => [size, total]), [[2 * MIB, 16], [GIB, 1]]);
    assert.deepEqual([pool(2 * MIB).default, pool(GIB).default], [true, false]);
  });

  it('sees a page of 1 GiB leave its node, and come back', () => {
    const memory = mapAnonymous({ length: GIB, hugePages: '1GB' });
    assert.deepEqual([pool(GIB).free, pool(GIB).reserved], [1, 1]);
    memory.bytes[0] = 1;
    assert.deepEqual([pool(GIB).free, pool(GIB).reserved], [0, 0]);
    assert.equal(node(1).hugePages.find(({ size }) => size === GIB).free, 0);
    const { usage } = maps({ at: memory.address, usage: true }).mappings[0];
    // Some kernels of 6.12 call a huge page of one process shared.
    const { hugePool } = usage;
    assert.deepEqual([usage.pageSize, hugePool.private + hugePool.shared, usage.resident], [GIB, GIB, 0], JSON.stringify(usage));
    assert.throws(() => mapAnonymous({ length: GIB, hugePages: '1GB' }), {
      code: 'ENOMEM',
      message: /has 1 pages: 0 free, 0 of them reserved\. .*on one of the nodes 0, 1, 2: .*hugepagesz=1G hugepages=N on the kernel command line/,
    });
    memory.close();
    assert.deepEqual([pool(GIB).free, node(1).hugePages.find(({ size }) => size === GIB).free], [1, 1]);
  });

  it('follows a CPU that goes and comes', function () {
    const online = '/sys/devices/system/cpu/cpu1/online';
    try {
      writeFileSync(online, '0');
    } catch (error) {
      skip(this, `the CPU stays: ${error.code}`);
    }
    try {
      assert.deepEqual([node(1).cpus, node(1).memoryOnly], [[], true]);
    } finally {
      writeFileSync(online, '1');
    }
    assert.deepEqual([node(1).cpus, node(1).memoryOnly], [[1], false]);
  });

  // The last: the node stays.
  it('has a node more once memory is plugged in', async function () {
    const device = process.env.MEMMAP_VM_DEVDAX;
    if (device === undefined) skip(this, 'MEMMAP_VM_DEVDAX names no device');
    try {
      execFileSync('modprobe', ['kmem'], { stdio: 'pipe' });
      writeFileSync('/sys/devices/system/memory/auto_online_blocks', 'online_movable');
      writeFileSync('/sys/bus/dax/drivers/device_dax/unbind', device);
      writeFileSync('/sys/bus/dax/drivers/kmem/new_id', device);
    } catch (error) {
      skip(this, `the kernel does not take ${device} as memory: ${String(error.stderr ?? error).trim()}`);
    }
    await until(() => numaNodes().length === 4, 'the node appears');
    const { cpus, memory, memoryOnly, distances, tier } = node(3);
    assert.deepEqual([cpus, memoryOnly], [[], true]);
    assert.ok(memory.total > 0 && memory.total <= 256 * MIB, String(memory.total));
    assert.deepEqual([...distances], [[0, 51], [1, 51], [2, 61], [3, 10]]);
    assert.equal(node(0).distances.get(3), 51);
    assert.ok(tier === undefined || tier >= node(0).tier);
  });
});
