// The emulated machine is what the tests in this folder rely on, by sysfs and /proc: test/vm/machine/machine.mjs,
// test/vm/machine/guest/machine.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

import { skip } from '../support/hooks.mjs';

const NODES = '/sys/devices/system/node';
const read = (path) => readFileSync(path, 'utf8').trim();
const isArm = process.arch === 'arm64';

/** { options, type, device } of a mount point; undefined if nothing is mounted there. */
function mountOn(folder) {
  const line = read('/proc/mounts').split('\n').map((text) => text.split(' ')).find(([, on]) => on === folder);
  return line && { device: line[0], type: line[2], options: line[3].split(',') };
}

describe('The emulated machine', () => {
  it('runs the kernel that it is named after', function () {
    const release = read('/proc/sys/kernel/osrelease');
    const [line] = /^\d+\.\d+$/.exec(process.env.MEMMAP_VM) ?? [];
    if (line === undefined) skip(this, `${process.env.MEMMAP_VM} is whatever Debian has: ${release}`);
    assert.equal(release.split('.').slice(0, 2).join('.'), line);
  });

  it('has three NUMA nodes', () => {
    assert.equal(read(`${NODES}/online`), '0-2');
    assert.equal(read(`${NODES}/has_cpu`), '0-1');
    assert.equal(read(`${NODES}/node2/cpulist`), '');
    assert.match(read(`${NODES}/node2/meminfo`), /MemTotal: +\d{6,} kB/);
    assert.equal(read(`${NODES}/node0/distance`).split(/ +/).slice(0, 3).join(), '10,21,31');
  });

  it('has room for a node that is added', function () {
    if (isArm) skip(this, 'no ACPI');
    assert.equal(read(`${NODES}/possible`), '0-3');
    const device = process.env.MEMMAP_VM_DEVDAX.replace('/dev/', '');
    assert.equal(read(`/sys/bus/dax/devices/${device}/target_node`), '3');
    assert.ok(existsSync('/sys/bus/dax/drivers/kmem'));
  });

  it('has pools of huge pages on nodes 0 and 1', () => {
    const pages = (node, kilobytes) => Number(read(`${NODES}/node${node}/hugepages/hugepages-${kilobytes}kB/nr_hugepages`));
    assert.deepEqual([0, 1, 2].map((node) => pages(node, 2048)), [16, 16, 0]);
    assert.deepEqual([0, 1, 2].map((node) => pages(node, 2 ** 20)), [0, 1, 0]);
  });

  it('has a file system over persistent memory', function () {
    if (isArm) skip(this, 'no ACPI, so no NVDIMM');
    const { device, type, options } = mountOn(process.env.MEMMAP_VM_DAX);
    assert.match(device, /^\/dev\/pmem/);
    assert.equal(type, 'ext4');
    assert.ok(options.some((option) => /^dax(=always)?$/.test(option)), options.join());
  });

  it('has one over memory that cannot be synchronized', function () {
    if (isArm) skip(this, 'no virtio-pmem');
    const { device, options } = mountOn(process.env.MEMMAP_VM_PMEM);
    assert.ok(options.some((option) => /^dax(=always)?$/.test(option)), options.join());
    assert.notEqual(device, mountOn(process.env.MEMMAP_VM_DAX).device);
  });

  it('has persistent memory as a device', function () {
    if (isArm) skip(this, 'no ACPI, so no NVDIMM');
    assert.ok(existsSync(process.env.MEMMAP_VM_DEVDAX));
  });

  it('swaps to a disk', () => {
    const [, ...areas] = read('/proc/swaps').split('\n');
    assert.equal(areas.length, 1);
    assert.match(areas[0], /^\/dev\/vdb\s/);
  });

  it('has control groups for memory, huge pages and CPU sets', () => {
    assert.equal(mountOn('/sys/fs/cgroup').type, 'cgroup2');
    const controllers = read('/sys/fs/cgroup/cgroup.controllers').split(' ');
    for (const name of ['memory', 'hugetlb', 'cpuset']) assert.ok(controllers.includes(name), `${name} of ${controllers}`);
  });

  it('has a user without rights', () => {
    assert.equal(execFileSync('su', ['nobody', '-c', 'id -u'], { encoding: 'utf8' }).trim(), '65534');
  });

  it('has the page size of its name', () => {
    const expected = process.env.MEMMAP_VM === 'arm64-16k' ? 16384 : 4096;
    const auxv = readFileSync('/proc/self/auxv');
    const pairs = Array.from({ length: auxv.length / 16 }, (_, i) => [auxv.readBigUInt64LE(16 * i), auxv.readBigUInt64LE(16 * i + 8)]);
    assert.equal(Number(pairs.find(([key]) => key === 6n)[1]), expected); // AT_PAGESZ
  });

  it('keeps temporary files on a disk', () => {
    assert.equal(mountOn('/').type, 'ext4');
    assert.ok(readdirSync(process.env.TMPDIR));
  });
});
