// Persistent memory, as files on ext4 with DAX and as a device: lib/file/{dax-device,file-mapping}.ts,
// src-native/core/bytes/persist.cc.
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readSync, rmSync, statSync, truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import { mapAnonymous, mapFile, residencyOf } from 'memmap';
import { PAGE_SIZE, cachestat } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { maps, smapsAt } from '../support/kernel/proc.mjs';
import { callsOf } from '../support/boundary/native-calls.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MEMMAP_VM_DAX: DAX, MEMMAP_VM_DEVDAX: DEVICE, MEMMAP_VM_PMEM: PMEM } = process.env;
const PAGES = 16;
const LENGTH = PAGES * PAGE_SIZE;
const SYNC = { access: 'read-write', create: true, size: LENGTH, sync: true };
const BUFFERS = [undefined, 'array'];

/** What the file has, past every cache: read with O_DIRECT, into memory that is aligned for it. */
function onDisk(path) {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  const memory = mapAnonymous({ length: LENGTH });
  try {
    const length = readSync(fd, memory.bytes, 0, LENGTH, 0);
    return Buffer.from(memory.bytes.subarray(0, length));
  } finally {
    closeSync(fd);
    memory.close();
  }
}

describe('Files in persistent memory', () => {
  const elsewhere = temporaryFiles();
  const folder = DAX && join(DAX, `memmap-${process.pid}`);
  const file = (name) => join(folder, name);
  const flags = (mapping) => smapsAt(mapping.address).VmFlags;
  before(function () {
    if (DAX === undefined) skip(this, 'MEMMAP_VM_DAX names no folder');
    mkdirSync(folder);
  });
  after(() => folder && rmSync(folder, { recursive: true, force: true }));

  for (const buffer of BUFFERS) {
    describe(`with a buffer that is ${buffer ?? 'the default'}`, () => {
      const map = (name, options) => mapFile(file(`${name}-${buffer}`), { ...SYNC, buffer, ...options });

      it('are mapped so that the kernel keeps their blocks in place: MAP_SYNC', () => {
        const mapping = map('flags');
        mapping.bytes[0] = 1;
        assert.ok(flags(mapping).includes('sf'), flags(mapping).join());
        const plain = map('flags', { sync: false });
        plain.bytes[0] = 2;
        assert.ok(!flags(plain).includes('sf'), flags(plain).join());
        assert.equal(mapping.bytes[0], 2);
        plain.close();
        mapping.close();
      });

      it('have what was stored after persist(), which is no system call', function () {
        const mapping = map('stored');
        mapping.bytes.fill(7);
        mapping.bytes.write('durable', PAGE_SIZE - 3);
        assert.equal(callsOf('msync', () => mapping.persist()).length, 0);
        mapping.bytes.write('in part', 2 * PAGE_SIZE + 1);
        assert.equal(callsOf('msync', () => mapping.persist({ offset: 2 * PAGE_SIZE + 1, length: 7 })).length, 0);
        const expected = Buffer.alloc(LENGTH, 7);
        expected.write('durable', PAGE_SIZE - 3);
        expected.write('in part', 2 * PAGE_SIZE + 1);
        assert.ok(onDisk(mapping.path).equals(expected));
        assert.equal(callsOf('msync', () => mapping.flush()).length, 1);
        mapping.close();
      });

      it('keep MAP_SYNC when they grow, and after they were truncated', () => {
        const mapping = map('grown');
        mapping.bytes[0] = 1;
        mapping.resize(2 * LENGTH);
        mapping.bytes[2 * LENGTH - 1] = 2;
        assert.ok(flags(mapping).includes('sf'), 'grown');
        truncateSync(mapping.path, PAGE_SIZE);
        assert.equal(mapping.bytes[2 * LENGTH - 1], 0);
        truncateSync(mapping.path, 2 * LENGTH);
        mapping.refresh();
        mapping.check();
        mapping.bytes[2 * LENGTH - 1] = 3;
        mapping.persist();
        assert.equal(readFileSync(mapping.path).at(-1), 3);
        for (const { start, end } of maps().filter(({ path }) => path === mapping.path)) {
          assert.ok(smapsAt(start).VmFlags.includes('sf'), `${start}-${end}`);
        }
        mapping.close();
      });

      it('read zeros past an end that was cut off, and say so', () => {
        const mapping = map('cut');
        mapping.bytes.fill(7);
        truncateSync(mapping.path, 3 * PAGE_SIZE);
        assert.equal(mapping.bytes[LENGTH - 1], 0);
        assert.equal(mapping.bytes[3 * PAGE_SIZE], 0);
        assert.equal(mapping.bytes[3 * PAGE_SIZE - 1], 7);
        mapping.bytes[LENGTH - 1] = 1;
        assert.deepEqual([mapping.faults.truncated, statSync(mapping.path).size], [1, 3 * PAGE_SIZE]);
        assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_TRUNCATED', offset: 3 * PAGE_SIZE });
        assert.throws(() => mapping.copyOut(0, LENGTH), { code: 'ERR_MEMMAP_TRUNCATED', offset: 3 * PAGE_SIZE });
        assert.ok(mapping.copyOut(0, 3 * PAGE_SIZE).equals(Buffer.alloc(3 * PAGE_SIZE, 7)));
        mapping.close();
      });
    });
  }

  // Linux 6.12 crashes in cachestat(2) of them, and the machine with it.
  it('are in no page cache: residency() tells what is mapped, and asks for no more', () => {
    const path = file('residency');
    const mapping = mapFile(path, { ...SYNC, advice: 'random' });
    mapping.bytes.fill(7);
    const { resident, mapped, swapped, dirty, evicted, trust } = mapping.residency();
    assert.deepEqual({ resident, mapped, swapped, dirty, evicted, trust }, {
      resident: PAGES, mapped: PAGES, swapped: 0, dirty: undefined, evicted: undefined, trust: 'exact',
    });
    mapping.close();
    assert.equal(residencyOf(path).evicted, undefined);
    const fd = openSync(path, 'r');
    assert.throws(() => cachestat(fd), { code: 'ENOTSUP', syscall: 'cachestat' });
    closeSync(fd);
  });

  it('go to the disk by msync where they are mapped without sync, as files elsewhere do', function () {
    for (const path of [file('plain'), elsewhere('disk'), `/dev/shm/memmap-${process.pid}`]) {
      const mapping = mapFile(path, { ...SYNC, sync: false });
      mapping.bytes.fill(7);
      assert.equal(callsOf('msync', () => mapping.persist()).length, 1, path);
      mapping.close();
      assert.equal(readFileSync(path).indexOf(0), -1);
      rmSync(path);
    }
  });

  it('are what sync: true demands', () => {
    const others = { tmpfs: '/tmp', disk: elsewhere('.'), 'virtio-pmem': PMEM };
    for (const [name, where] of Object.entries(others)) {
      const path = join(where, `memmap-${process.pid}-sync`);
      assert.throws(() => mapFile(path, SYNC), {
        name: 'SystemError', code: 'ENOTSUP', syscall: 'mmap', path, message: /MAP_SYNC.* DAX file system/,
      }, name);
      assert.ok(!maps().some((one) => one.path === path), `${name} left a mapping`);
      assert.ok(!existsSync(path), `${name} left a file`);
    }
  });
});

describe('Persistent memory as a device', () => {
  let align = 0;
  const map = (options) => mapFile(DEVICE, { access: 'read-write', length: align, sync: true, ...options });
  before(function () {
    if (DEVICE === undefined) skip(this, 'MEMMAP_VM_DEVDAX names no device');
    align = Number(readFileSync(`/sys/bus/dax/devices/${basename(DEVICE)}/align`, 'latin1'));
  });

  for (const buffer of BUFFERS) {
    it(`keeps what was stored, with a buffer that is ${buffer ?? 'the default'}`, function () {
      const mapping = map({ buffer });
      mapping.bytes.fill(7);
      mapping.bytes.write('durable', PAGE_SIZE - 3);
      assert.equal(callsOf('msync', () => mapping.persist()).length, 0);
      const second = map({ buffer });
      assert.equal(second.bytes.toString('latin1', PAGE_SIZE - 3, PAGE_SIZE + 4), 'durable');
      mapping.close();
      second.close();
      const third = map({ buffer, access: 'read' });
      assert.equal(third.bytes.toString('latin1', PAGE_SIZE - 3, PAGE_SIZE + 4), 'durable');
      assert.equal(third.bytes[align - 1], 7);
      third.close();
    });
  }

  it('is copied, checked', () => {
    const mapping = map();
    mapping.copyIn(PAGE_SIZE - 2, Buffer.from('checked'));
    assert.equal(mapping.copyOut(PAGE_SIZE - 2, 7).toString(), 'checked');
    mapping.close();
  });

  it('is persisted, not flushed: the error says how', () => {
    const mapping = map();
    mapping.bytes[0] = 1;
    assert.throws(() => mapping.flush(), {
      code: 'EINVAL', syscall: 'msync', message: /A device has no cache to flush; .*map it with sync: true and call persist\(\)/,
    });
    mapping.persist();
    mapping.close();
    const plain = map({ sync: false });
    plain.bytes[0] = 1;
    assert.throws(() => plain.persist(), { code: 'EINVAL', syscall: 'msync', message: /sync: true/ });
    plain.close();
  });

  it('is mapped in whole pages of its own, within its size: the error says which', () => {
    const size = Number(readFileSync(`/sys/bus/dax/devices/${basename(DEVICE)}/size`, 'latin1'));
    const pages = new RegExp(`multiples of ${align}, `);
    for (const options of [{ length: PAGE_SIZE }, { length: align + 1 }, { offset: PAGE_SIZE }, { offset: 1 }]) {
      assert.throws(() => map(options), { code: 'EINVAL', syscall: 'mmap', path: DEVICE, message: pages }, JSON.stringify(options));
      assert.throws(() => map({ ...options, access: 'read', sync: false }), { code: 'EINVAL', message: pages });
    }
    for (const options of [{ length: size + align }, { offset: size }, { offset: size - align, length: 2 * align }]) {
      assert.throws(() => map(options), { code: 'ERR_OUT_OF_RANGE', message: new RegExp(String(size)) }, JSON.stringify(options));
    }
    assert.throws(() => map({ length: undefined }), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.ok(!maps().some(({ path }) => path === DEVICE), 'a mapping is left');
    const last = map({ offset: size - align });
    last.bytes[align - 1] = 1;
    last.check();
    last.close();
  });
});
