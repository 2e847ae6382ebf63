// mapAnonymous(): private, shared and placed memory: lib/mem/anonymous.ts.
import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { mapAnonymous, mapFile, reserve } from 'memmap';
import { PAGE_SIZE, mincore } from 'memmap/sys';

import { mapAt, maps, smapsAt } from '../support/kernel/proc.mjs';
import { hole } from '../support/kernel/addresses.mjs';
import { runs } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const EMPTY_ADDRESS = hole(2 * PAGE_SIZE);

/** How many pages mincore(2) finds in memory. */
function resident(mapping) {
  return mincore(mapping.buffer).filter((page) => page & 1).length;
}

describe('mapAnonymous', () => {
  describe('arguments', () => {
    it('needs an address for a placement', () => {
      assert.throws(() => mapAnonymous({ length: 1, placement: 'fixed' }), { code: 'ERR_INVALID_ARG_VALUE' });
    });

    it('refuses droppable or downward-growing memory that is shared', () => {
      for (const option of ['droppable', 'growsDown']) {
        assert.throws(() => mapAnonymous({ length: 1, sharing: 'shared', [option]: true }), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_VALUE',
        });
      }
    });

    it('refuses memory both writable and executable unless it is permitted by name', () => {
      const options = { length: PAGE_SIZE, access: 'read-write-execute' };
      assert.throws(() => mapAnonymous(options), { name: 'TypeError', code: 'ERR_MEMMAP_WRITE_EXEC' });
      const code = mapAnonymous({ ...options, allowWriteExec: true });
      assert.equal(mapAt(code.address).permissions, 'rwxp');
      code.close();
    });

    it('refuses more shared memory than the machine has, before it takes any', () => {
      assert.throws(() => mapAnonymous({ length: 2 ** 45, sharing: 'shared' }), { code: 'ENOMEM' });
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared' });
      assert.throws(() => memory.resize(2 ** 45), { code: 'ENOMEM' });
      assert.equal(fstatSync(memory.fd).size, PAGE_SIZE);
      assert.equal(memory.length, PAGE_SIZE);
      memory.close();
    });

    it('leaves nothing mapped when the length is beyond the address space', () => {
      // Of other tests some may be left, which the collector takes meanwhile.
      const mapped = () => maps().filter(({ path }) => path === '/memfd:memmap (deleted)').length;
      const before = mapped();
      for (const sharing of ['private', 'shared']) {
        assert.throws(() => mapAnonymous({ length: Number.MAX_SAFE_INTEGER, sharing }), {
          name: 'SystemError',
          code: 'ENOMEM',
        });
        assert.ok(mapped() <= before);
      }
    });
  });

  describe('behaviour', () => {
    it('gives zeroed, writable, private bytes, exactly as many as were asked for', () => {
      const memory = mapAnonymous({ length: 2 * PAGE_SIZE + 5 });
      assert.equal(memory.length, 2 * PAGE_SIZE + 5);
      assert.equal(memory.bytes.length, memory.length);
      assert.ok(memory.bytes.every((byte) => byte === 0));
      memory.bytes.fill(7);
      const { permissions, path, start, end } = mapAt(memory.address);
      assert.equal(permissions, 'rw-p');
      assert.equal(path, '');
      assert.ok(start <= memory.address && memory.address + BigInt(3 * PAGE_SIZE) <= end);
      assert.equal(memory.fd, undefined);
      memory.close();
    });

    for (const [access, permissions] of [
      ['none', '---p'],
      ['read', 'r--p'],
      ['read-write', 'rw-p'],
      ['read-execute', 'r-xp'],
    ]) {
      it(`maps '${access}' as ${permissions}`, () => {
        const memory = mapAnonymous({ length: PAGE_SIZE, access });
        assert.equal(memory.access, access);
        assert.equal(mapAt(memory.address).permissions, permissions);
        memory.close();
      });
    }

    it('brings all pages in with populate', () => {
      const lazy = mapAnonymous({ length: 64 * PAGE_SIZE });
      assert.equal(resident(lazy), 0);
      lazy.close();
      const memory = mapAnonymous({ length: 64 * PAGE_SIZE, populate: true });
      assert.equal(resident(memory), 64);
      memory.close();
    });

    it('locks all pages with lock: true', () => {
      const memory = mapAnonymous({ length: 64 * PAGE_SIZE, lock: true });
      const { VmFlags, Locked } = smapsAt(memory.address);
      assert.ok(VmFlags.includes('lo'));
      assert.equal(Locked * 1024, 64 * PAGE_SIZE);
      memory.close();
    });

    it("locks each page when it is touched with lock: 'on-fault'", () => {
      const memory = mapAnonymous({ length: 64 * PAGE_SIZE, lock: 'on-fault' });
      assert.ok(smapsAt(memory.address).VmFlags.includes('lo'));
      assert.equal(smapsAt(memory.address).Locked, 0);
      memory.bytes[PAGE_SIZE] = 1;
      assert.equal(smapsAt(memory.address).Locked * 1024, PAGE_SIZE);
      memory.close();
    });

    for (const [option, flag] of [
      ['noReserve', 'nr'],
      ['growsDown', 'gd'],
      ['droppable', 'dp'],
    ]) {
      const its = option === 'growsDown' ? itExternal : it;
      its(`has the kernel note ${option} (VmFlags ${flag})`, () => {
        const plain = mapAnonymous({ length: PAGE_SIZE });
        assert.ok(!smapsAt(plain.address).VmFlags.includes(flag));
        const memory = mapAnonymous({ length: PAGE_SIZE, [option]: true });
        assert.ok(smapsAt(memory.address).VmFlags.includes(flag));
        memory.bytes[0] = 1;
        memory.close();
        plain.close();
      });
    }

    it('takes advice for the whole mapping from the start', () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, advice: 'dontdump' });
      assert.ok(smapsAt(memory.address).VmFlags.includes('dd'));
      memory.close();
    });
  });

  describe('shared memory', () => {
    it('lies in a memfd whose blocks are allocated', () => {
      const memory = mapAnonymous({ length: 10 * PAGE_SIZE + 1, sharing: 'shared' });
      const { permissions, path, inode } = mapAt(memory.address);
      const stats = fstatSync(memory.fd);
      assert.equal(permissions, 'rw-s');
      assert.equal(path, '/memfd:memmap (deleted)');
      assert.equal(inode, stats.ino);
      assert.equal(stats.size, 11 * PAGE_SIZE);
      assert.equal(stats.blocks * 512, 11 * PAGE_SIZE);
      memory.close();
    });

    it('is seen by a second mapping of its descriptor, both ways', () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared' });
      const second = mapFile(memory.fd, { access: 'read-write' });
      memory.bytes[7] = 1;
      second.bytes[8] = 2;
      assert.deepEqual([second.bytes[7], memory.bytes[8]], [1, 2]);
      memory.close();
      assert.deepEqual([...second.bytes.subarray(7, 9)], [1, 2], 'the second mapping lives on');
      second.close();
    });

    it('is seen by a worker thread, both ways', async () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared', buffer: 'shared' });
      const words = memory.view(Int32Array);
      words[0] = 41;
      const worker = new Worker(
        `const words = new Int32Array(require('node:worker_threads').workerData, 0, 2);
         Atomics.store(words, 1, Atomics.load(words, 0) + 1);
         Atomics.notify(words, 1);`,
        { eval: true, workerData: memory.buffer },
      );
      await new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
      assert.equal(words[1], 42);
      memory.close();
    });

    it('is seen by a process that inherits its descriptor, both ways', async () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared' });
      const words = memory.view(Int32Array);
      words[0] = 41;
      await runs('inherit-memory', [41, 42], { stdio: [memory.fd] });
      assert.equal(words[0], 42);
      memory.close();
    });

    it('grows behind its descriptor on resize, and keeps its bytes', async () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared' });
      memory.view(Int32Array)[0] = 7;
      memory.resize(3 * PAGE_SIZE);
      const { size, blocks } = fstatSync(memory.fd);
      assert.equal(size, 3 * PAGE_SIZE);
      assert.equal(blocks * 512, 3 * PAGE_SIZE);
      memory.bytes[2 * PAGE_SIZE] = 1; // SIGBUS if the memfd had not grown
      await runs('inherit-memory', [7, 8], { stdio: [memory.fd] });
      assert.equal(memory.view(Int32Array)[0], 8);
      memory.close();
    });
  });

  describe('placement', () => {
    itExternal('takes a free address as a hint', () => {
      assert.equal(mapAt(EMPTY_ADDRESS), undefined);
      const memory = mapAnonymous({ length: PAGE_SIZE, address: EMPTY_ADDRESS });
      assert.equal(memory.address, EMPTY_ADDRESS);
      memory.close();
    });

    itExternal('goes elsewhere if the hint is taken', () => {
      const first = mapAnonymous({ length: PAGE_SIZE, address: EMPTY_ADDRESS });
      const second = mapAnonymous({ length: PAGE_SIZE, address: EMPTY_ADDRESS, placement: 'hint' });
      assert.notEqual(second.address, EMPTY_ADDRESS);
      second.close();
      first.close();
    });

    itExternal("maps exactly there with 'fixed-noreplace', or says EEXIST and changes nothing", () => {
      const options = { length: PAGE_SIZE, address: EMPTY_ADDRESS, placement: 'fixed-noreplace' };
      const memory = mapAnonymous(options);
      assert.equal(memory.address, EMPTY_ADDRESS);
      memory.bytes.fill(9);
      assert.throws(() => mapAnonymous(options), { name: 'SystemError', code: 'EEXIST', syscall: 'mmap' });
      assert.ok(memory.bytes.every((byte) => byte === 9));
      memory.close();
    });

    itExternal("replaces with 'fixed' what memmap has mapped there", () => {
      const space = reserve(4 * PAGE_SIZE);
      const address = space.address + BigInt(PAGE_SIZE);
      const memory = mapAnonymous({ length: PAGE_SIZE, address, placement: 'fixed' });
      assert.equal(memory.address, address);
      memory.bytes[0] = 1;
      assert.equal(mapAt(address).permissions, 'rw-p');
      assert.equal(mapAt(space.address).permissions, '---p');
      assert.equal(mapAt(address + BigInt(PAGE_SIZE)).permissions, '---p');
      memory.close();
      space.close();
    });

    itExternal("says EEXIST for 'fixed' over anything else, and changes nothing", () => {
      const foreign = maps().filter(({ path }) => path.includes('node') || path === '[heap]' || path === '[stack]');
      assert.ok(foreign.length >= 3);
      for (const { start, path } of foreign) {
        const before = mapAt(start);
        assert.throws(
          () => mapAnonymous({ length: PAGE_SIZE, address: start, placement: 'fixed' }),
          { name: 'SystemError', code: 'EEXIST', message: /reserve\(\)/ },
          path,
        );
        assert.deepEqual({ ...mapAt(start), end: 0n }, { ...before, end: 0n });
      }
    });

    itExternal("says EEXIST for 'fixed' that reaches past memory of memmap", () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, address: EMPTY_ADDRESS });
      const options = { length: 2 * PAGE_SIZE, address: EMPTY_ADDRESS, placement: 'fixed' };
      assert.throws(() => mapAnonymous(options), { code: 'EEXIST' });
      memory.close();
    });
  });

  describe('after close', () => {
    itExternal('has given the addresses and the descriptor back', () => {
      const memory = mapAnonymous({ length: PAGE_SIZE, sharing: 'shared', address: EMPTY_ADDRESS });
      const { fd } = memory;
      memory.close();
      assert.equal(mapAt(EMPTY_ADDRESS), undefined);
      assert.throws(() => fstatSync(fd), { code: 'EBADF' });
      assert.throws(() => memory.fd, { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' });
    });
  });
});
