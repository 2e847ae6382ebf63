// Every flag of mmap(2), by what the kernel says of the mapping: lib/sys/mmap.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { skip } from '../support/hooks.mjs';
import { freeHugePages, withHugePages } from '../support/kernel/huge-pages.mjs';
import { peerReads, peerWrites } from '../support/process/peer.mjs';
import { mapAt, maps, smapsAt, status } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, PAGE_SIZE, PROT, mincore, mmap, munmap } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;
const LENGTH = 4 * PAGE_SIZE;
const KB = 1024;
const UNKNOWN = 1 << 24;

describe('flags of mmap', () => {
  const file = temporaryFiles();
  const mapped = [];
  let path;
  let fd;
  beforeEach(() => {
    path = file('flags', Buffer.alloc(LENGTH, 'a'));
    fd = openSync(path, 'r+');
  });
  afterEach(() => {
    for (const buffer of mapped.splice(0)) munmap(buffer);
    closeSync(fd);
  });

  /** Memory at an address the test knows, unmapped after the test. */
  function at(flags, { length = LENGTH, prot = RW, fd: from = -1, address = hole(length) } = {}) {
    const buffer = mmap(address, length, prot, flags, from, 0);
    mapped.push(buffer);
    return { address, buffer, bytes: new Uint8Array(buffer) };
  }

  /** A page of this process, read the way that needs no mapping of ours. */
  function memoryAt(address) {
    const memory = openSync('/proc/self/mem', 'r');
    const bytes = Buffer.alloc(PAGE_SIZE);
    try {
      readSync(memory, bytes, 0, PAGE_SIZE, address);
    } finally {
      closeSync(memory);
    }
    return bytes;
  }

  it('SHARED: writes reach the file and a peer, and a peer\'s writes arrive', () => {
    const { address, bytes } = at(MAP.SHARED, { fd });
    assert.equal(mapAt(address).permissions, 'rw-s');
    assert.equal(mapAt(address).path, path);
    bytes.set(Buffer.from('from us'), PAGE_SIZE);
    assert.equal(peerReads(path, PAGE_SIZE, 7).toString(), 'from us');
    assert.equal(readFileSync(path).subarray(PAGE_SIZE, PAGE_SIZE + 7).toString(), 'from us');
    peerWrites(path, 10, 'from them');
    assert.equal(Buffer.from(bytes.buffer, 10, 9).toString(), 'from them');
  });

  it('SHARED takes an unknown flag, SHARED_VALIDATE refuses it with EOPNOTSUPP, to Node ENOTSUP', () => {
    at(MAP.SHARED | UNKNOWN, { fd });
    assert.throws(() => at(MAP.SHARED_VALIDATE | UNKNOWN, { fd }), { code: 'ENOTSUP', errno: -95, syscall: 'mmap' });
    const { address } = at(MAP.SHARED_VALIDATE, { fd });
    assert.equal(mapAt(address).permissions, 'rw-s');
  });

  it('PRIVATE: writes stay here, in a page of our own', () => {
    const { address, bytes } = at(MAP.PRIVATE, { fd });
    assert.equal(mapAt(address).permissions, 'rw-p');
    assert.equal(smapsAt(address).Private_Dirty, 0);
    bytes.set(Buffer.from('ours'));
    assert.equal(smapsAt(address).Private_Dirty, PAGE_SIZE / KB);
    assert.equal(peerReads(path, 0, 4).toString(), 'aaaa');
    assert.ok(readFileSync(path).every((byte) => byte === 97));
    peerWrites(path, PAGE_SIZE, 'theirs');
    assert.equal(Buffer.from(bytes.buffer, PAGE_SIZE, 6).toString(), 'theirs');
  });

  it('ANONYMOUS: zeros with no file behind them', () => {
    const { address, bytes } = at(ANONYMOUS);
    assert.deepEqual([mapAt(address).inode, mapAt(address).path], [0, '']);
    assert.ok(bytes.every((byte) => byte === 0));
  });

  it('SHARED | ANONYMOUS: shared memory of the kernel, with a file no path leads to', () => {
    const { address } = at(MAP.SHARED | MAP.ANONYMOUS);
    assert.equal(mapAt(address).permissions, 'rw-s');
    assert.equal(mapAt(address).path, '/dev/zero (deleted)');
  });

  describe('FIXED', () => {
    it('replaces memory that memmap mapped', () => {
      const { address, bytes } = at(ANONYMOUS);
      bytes.fill(1);
      const inner = at(MAP.SHARED | MAP.FIXED, { length: PAGE_SIZE, fd, address: address + BigInt(PAGE_SIZE) });
      assert.equal(mapAt(address + BigInt(PAGE_SIZE)).path, path);
      assert.equal(bytes[PAGE_SIZE - 1], 1);
      assert.equal(bytes[PAGE_SIZE], 97);
      assert.equal(bytes[2 * PAGE_SIZE], 1);
      inner.bytes[0] = 98;
      assert.equal(readFileSync(path)[0], 98);
    });

    it('maps where nothing is', () => {
      const { address } = at(ANONYMOUS | MAP.FIXED);
      assert.equal(mapAt(address).start, address);
    });

    for (const [what, find] of [
      ['the program', () => maps().find(({ path: name }) => name === process.execPath)],
      ['the stack', () => maps().find(({ path: name }) => name === '[stack]')],
    ]) {
      it(`over ${what} is EEXIST, and changes nothing`, () => {
        const { start, end, permissions } = find();
        const before = memoryAt(start);
        for (const flag of [MAP.FIXED, MAP.FIXED_NOREPLACE, MAP.FIXED | MAP.FIXED_NOREPLACE]) {
          assert.throws(() => at(ANONYMOUS | flag, { length: PAGE_SIZE, address: start }), {
            code: 'EEXIST', errno: -17, syscall: 'mmap', message: /reserve\(\)/,
          });
        }
        assert.deepEqual(memoryAt(start), before);
        assert.equal(mapAt(start).permissions, permissions);
        assert.equal(mapAt(start).end, end);
      });
    }

    it('half over ours and half over a stranger\'s is EEXIST, and ours stays', () => {
      const { address, bytes } = at(ANONYMOUS, { length: LENGTH });
      bytes.fill(5);
      // The neighbour is memory of ours too, but another range.
      const next = at(ANONYMOUS, { length: PAGE_SIZE, address: address + BigInt(LENGTH) });
      next.bytes.fill(6);
      assert.throws(() => at(ANONYMOUS | MAP.FIXED, { length: LENGTH + PAGE_SIZE, address }), { code: 'EEXIST' });
      assert.ok(bytes.every((byte) => byte === 5) && next.bytes.every((byte) => byte === 6));
    });

    it('over memory that was given back is free again, for anybody', () => {
      const { address } = at(ANONYMOUS);
      munmap(mapped.pop());
      const { bytes } = at(ANONYMOUS | MAP.FIXED, { address });
      assert.equal(bytes[0], 0);
    });
  });

  it('FIXED_NOREPLACE: there, or EEXIST over memory of our own', () => {
    const { address, bytes } = at(ANONYMOUS | MAP.FIXED_NOREPLACE);
    assert.equal(mapAt(address).start, address);
    bytes[0] = 1;
    assert.throws(() => at(ANONYMOUS | MAP.FIXED_NOREPLACE, { address }), { code: 'EEXIST' });
    assert.equal(bytes[0], 1);
  });

  it('POPULATE: every page is there before it is touched', () => {
    const lazy = at(ANONYMOUS);
    const eager = at(ANONYMOUS | MAP.POPULATE);
    assert.equal(smapsAt(lazy.address).Rss, 0);
    assert.equal(smapsAt(eager.address).Rss, LENGTH / KB);
    assert.deepEqual([...mincore(lazy.buffer)], [0, 0, 0, 0]);
    assert.deepEqual([...mincore(eager.buffer)], [1, 1, 1, 1]);
  });

  it('NONBLOCK: takes POPULATE its effect', () => {
    const { address } = at(ANONYMOUS | MAP.POPULATE | MAP.NONBLOCK);
    assert.equal(smapsAt(address).Rss, 0);
  });

  it('LOCKED: in memory and locked', () => {
    const before = status('VmLck');
    const { address } = at(ANONYMOUS | MAP.LOCKED);
    const { Locked, Rss, VmFlags } = smapsAt(address);
    assert.deepEqual([Locked, Rss, VmFlags.includes('lo')], [LENGTH / KB, LENGTH / KB, true]);
    assert.equal(status('VmLck') - before, LENGTH);
  });

  it('NORESERVE: no swap is reserved', () => {
    assert.ok(smapsAt(at(ANONYMOUS | MAP.NORESERVE).address).VmFlags.includes('nr'));
    assert.ok(!smapsAt(at(ANONYMOUS).address).VmFlags.includes('nr'));
  });

  it('GROWSDOWN: grows when a page below its start is touched', () => {
    const { address } = at(ANONYMOUS | MAP.GROWSDOWN);
    assert.ok(smapsAt(address).VmFlags.includes('gd'));
    assert.equal(mapAt(address).start, address);
    const below = address - BigInt(PAGE_SIZE);
    assert.ok(memoryAt(below).every((byte) => byte === 0));
    assert.equal(mapAt(address).start, below);
    // Where nothing grows there is nothing to touch.
    assert.throws(() => memoryAt(at(ANONYMOUS).address - BigInt(PAGE_SIZE)), { code: 'EIO' });
  });

  it('STACK: a mapping that is not to have huge pages', () => {
    const { address } = at(ANONYMOUS | MAP.STACK);
    assert.equal(mapAt(address).permissions, 'rw-p');
    // MAP_STACK changed nothing before Linux 6.7.
    const plain = smapsAt(at(ANONYMOUS).address).VmFlags;
    const more = smapsAt(address).VmFlags.filter((flag) => !plain.includes(flag));
    assert.ok(more.length === 0 || (more.length === 1 && more[0] === 'nh'), `${more}`);
  });

  it('DROPPABLE: memory the kernel may drop, and a child does not get', function () {
    let droppable;
    try {
      droppable = at(MAP.DROPPABLE | MAP.ANONYMOUS);
    } catch (error) {
      assert.equal(error.code, 'EINVAL');
      assert.match(error.message, /6\.11/);
      skip(this, 'MAP_DROPPABLE needs Linux 6.11');
    }
    const { VmFlags } = smapsAt(droppable.address);
    for (const flag of ['dp', 'wf', 'dd', 'nr']) assert.ok(VmFlags.includes(flag), `${flag} of ${VmFlags}`);
  });

  it('SYNC: EOPNOTSUPP, to Node ENOTSUP, where the file system is not DAX, with the reason', () => {
    assert.throws(() => at(MAP.SHARED_VALIDATE | MAP.SYNC, { fd }), {
      code: 'ENOTSUP', syscall: 'mmap', message: /DAX/,
    });
  });

  describe('HUGETLB', () => {
    for (const [name, size, flag] of [
      ['HUGETLB alone', 2 ** 21, 0],
      ['HUGE_2MB', 2 ** 21, MAP.HUGE_2MB],
      ['HUGE_1GB', 2 ** 30, MAP.HUGE_1GB],
    ]) {
      it(`${name}: a page of the pool`, function () {
        return withHugePages(this, size, 1, () => {
          const address = hole(size * 2) + BigInt(size) & -BigInt(size);
          const { bytes } = at(ANONYMOUS | MAP.HUGETLB | flag, { length: size, address });
          bytes[size - 1] = 1;
          const { KernelPageSize, MMUPageSize, VmFlags } = smapsAt(address);
          assert.deepEqual([KernelPageSize, MMUPageSize, VmFlags.includes('ht')], [size / KB, size / KB, true]);
          assert.equal(freeHugePages(size), 0);
          munmap(mapped.pop());
          assert.equal(freeHugePages(size), 1);
        });
      });

      it(`${name}: without a pool ENOMEM, and how to get one`, function () {
        return withHugePages(this, size, 0, () => {
          assert.throws(() => at(ANONYMOUS | MAP.HUGETLB | flag, { length: size }), {
            code: 'ENOMEM', errno: -12, syscall: 'mmap', message: new RegExp(`hugepages-${size / KB}kB/nr_hugepages`),
          });
        });
      });
    }

    it('a size the machine does not have is refused', () => {
      const SIZE_8KB = 13 << MAP.HUGE_SHIFT;
      assert.throws(() => at(ANONYMOUS | MAP.HUGETLB | SIZE_8KB), { code: 'EINVAL', syscall: 'mmap' });
      assert.equal(MAP.HUGE_2MB, 21 << MAP.HUGE_SHIFT);
      assert.equal((MAP.HUGE_1GB >>> MAP.HUGE_SHIFT) & MAP.HUGE_MASK, 30);
    });
  });
});
