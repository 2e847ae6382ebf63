// Hints change no byte; discard(), punchHole(), evict() and collapse() do what they say: lib/mem/advice.ts.
import assert from 'node:assert/strict';
import { fstatSync, statSync } from 'node:fs';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { readElsewhere } from '../support/process/elsewhere.mjs';
import { skip } from '../support/hooks.mjs';
import { mapAt, smapsAt } from '../support/kernel/proc.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const PAGES = 16;
const LENGTH = PAGES * PAGE_SIZE;

/** The hints that leave a mark in smaps, and it. */
const MARKS = {
  random: 'rr',
  sequential: 'sr',
  hugepage: 'hg',
  nohugepage: 'nh',
  mergeable: 'mg',
  dontfork: 'dc',
  dontdump: 'dd',
  wipeonfork: 'wf',
};

/** The hints that take a mark away again. */
const UNDO = {
  random: 'normal',
  sequential: 'normal',
  mergeable: 'unmergeable',
  dontfork: 'dofork',
  dontdump: 'dodump',
  wipeonfork: 'keeponfork',
};

describe('advice', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('takes hints only: nothing that changes bytes is a hint', () => {
      const memory = mapAnonymous({ length: LENGTH });
      for (const word of ['dontneed', 'remove', 'free', 'pageout', 'collapse', 'hwpoison']) {
        assert.throws(() => memory.advise(word), { code: 'ERR_INVALID_ARG_VALUE' });
      }
      memory.close();
    });

    it('demands a range of whole pages of what destroys', () => {
      const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
      memory.bytes.fill(7);
      for (const verb of ['discard', 'punchHole']) {
        assert.throws(() => memory[verb](), { code: 'ERR_INVALID_ARG_TYPE' });
        assert.throws(() => memory[verb]({ offset: 1 }), { code: 'ERR_OUT_OF_RANGE' });
        assert.throws(() => memory[verb]({ offset: 0, length: 1 }), { code: 'ERR_OUT_OF_RANGE' });
        assert.throws(() => memory[verb]({ offset: LENGTH, length: PAGE_SIZE }), { code: 'ERR_OUT_OF_RANGE' });
      }
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });
  });

  describe('hints', () => {
    for (const [hint, mark] of Object.entries(MARKS)) {
      it(`'${hint}' is noted by the kernel (VmFlags ${mark})`, () => {
        const memory = mapAnonymous({ length: LENGTH });
        memory.bytes.fill(7);
        memory.advise(hint);
        assert.ok(smapsAt(memory.address).VmFlags.includes(mark));
        assert.ok(memory.bytes.every((byte) => byte === 7));
        if (UNDO[hint] !== undefined) {
          memory.advise(UNDO[hint]);
          assert.ok(!smapsAt(memory.address).VmFlags.includes(mark), UNDO[hint]);
        }
        memory.close();
      });
    }

    it("'keeponfork' leaves another mark on memory at addresses of the engine, which tells it from the engine's own", function () {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      const flags = () => smapsAt(memory.address).VmFlags;
      if (!flags().includes('wf')) skip(this, 'this runtime puts buffers over memory at any address');
      for (const hint of ['keeponfork', 'normal', 'sequential', 'normal']) {
        memory.advise(hint);
        assert.ok(!flags().includes('wf') && (flags().includes('rr') || flags().includes('sr')), hint);
      }
      memory.protect('none');
      assert.equal(memory.bytes[0], 0);
      memory.protect('read-write');
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });

    it("'wipeonfork' and 'dontdump' stay with memory that is protected in parts when it moves", () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      memory.advise('wipeonfork');
      memory.advise('dontdump', { offset: 0, length: PAGE_SIZE });
      memory.protect('read', { offset: PAGE_SIZE, length: PAGE_SIZE });
      memory.resize(4 * LENGTH);
      for (const at of [0, PAGE_SIZE, 2 * PAGE_SIZE, LENGTH]) {
        assert.ok(smapsAt(memory.address + BigInt(at)).VmFlags.includes('wf'), `at ${at}`);
      }
      assert.ok(smapsAt(memory.address).VmFlags.includes('dd'));
      assert.deepEqual([memory.bytes[0], memory.bytes[PAGE_SIZE], memory.bytes[LENGTH]], [7, 7, 0]);
      memory.close();
    });

    it("'willneed' and 'cold' change no byte", () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      memory.advise('willneed');
      memory.advise('cold');
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });

    it('reach out to the pages around their range, and no further', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.advise('random', { offset: 2 * PAGE_SIZE + 5, length: PAGE_SIZE });
      const { start, end } = mapAt(memory.address + BigInt(2 * PAGE_SIZE));
      assert.equal(Number(start - memory.address), 2 * PAGE_SIZE);
      assert.equal(Number(end - start), 2 * PAGE_SIZE);
      memory.close();
    });

    it('of an empty range do nothing', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.advise('random', { offset: PAGE_SIZE, length: 0 });
      assert.ok(!smapsAt(memory.address).VmFlags.includes('rr'));
      memory.close();
    });
  });

  describe('discard', () => {
    it('makes private memory read zeros, in its range only', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      memory.discard({ offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
      assert.ok(memory.bytes.subarray(PAGE_SIZE, 3 * PAGE_SIZE).every((byte) => byte === 0));
      assert.equal(memory.bytes[PAGE_SIZE - 1], 7);
      assert.equal(memory.bytes[3 * PAGE_SIZE], 7);
      memory.close();
    });

    it("brings a copy-on-write mapping the file's bytes back", () => {
      const path = file('discard', Buffer.alloc(LENGTH, 'f'));
      const copy = mapFile(path, { access: 'copy-on-write' });
      copy.bytes.fill('x');
      copy.discard({ offset: 0 });
      assert.ok(copy.bytes.equals(Buffer.alloc(LENGTH, 'f')));
      copy.close();
    });

    it('costs a shared mapping no byte', () => {
      const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
      memory.bytes.fill(7);
      memory.discard({ offset: 0 });
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });

    it('says that locked pages stay', () => {
      const memory = mapAnonymous({ length: LENGTH, lock: true });
      assert.throws(() => memory.discard({ offset: 0 }), { code: 'EINVAL', message: /unlock\(\)/ });
      memory.close();
    });
  });

  describe('punchHole', () => {
    it("frees a file's blocks, which read zeros for everyone, and keeps its length", () => {
      const path = file('hole', Buffer.alloc(LENGTH, 7));
      const mapping = mapFile(path, { access: 'read-write' });
      mapping.flush();
      const { blocks, size } = statSync(path);
      mapping.punchHole({ offset: PAGE_SIZE, length: 4 * PAGE_SIZE });
      assert.equal(statSync(path).blocks, blocks - (4 * PAGE_SIZE) / 512);
      assert.equal(statSync(path).size, size);
      const expected = Buffer.alloc(LENGTH, 7).fill(0, PAGE_SIZE, 5 * PAGE_SIZE);
      assert.ok(mapping.bytes.equals(expected));
      assert.ok(readElsewhere(path).equals(expected));
      mapping.close();
    });

    it('frees the memory behind a memfd', () => {
      const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
      memory.bytes.fill(7);
      memory.punchHole({ offset: 0, length: LENGTH / 2 });
      assert.equal(fstatSync(memory.fd).blocks * 512, LENGTH / 2);
      assert.deepEqual([memory.bytes[0], memory.bytes[LENGTH / 2]], [0, 7]);
      memory.close();
    });

    it('is refused, with the reason, where there is not a file to punch', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      assert.throws(() => memory.punchHole({ offset: 0 }), { code: 'EINVAL', message: /shared mappings/ });
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });
  });

  describe('evict', function () {
    despiteReclaim(this);

    it('puts a file out of memory, written bytes included, and loses none', function () {
      const path = file('evict', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path, { access: 'read-write' });
      needsDisk(this, mapping);
      mapping.bytes.write('written', 100);
      assert.equal(mapping.residency().resident, PAGES);
      mapping.evict();
      assert.equal(mapping.residency().resident, 0);
      const expected = Buffer.alloc(LENGTH, 'f');
      expected.write('written', 100);
      assert.ok(mapping.bytes.equals(expected));
      assert.ok(readElsewhere(path).equals(expected));
      mapping.close();
    });

    it('keeps to its range', function () {
      const half = 2 ** 22; // more than the largest folio, which goes whole or not at all
      const path = file('evict-part', Buffer.alloc(2 * half, 'f'));
      const mapping = mapFile(path);
      needsDisk(this, mapping);
      mapping.populate();
      mapping.evict({ offset: half }); // though the disk does not have the bytes yet
      assert.deepEqual(residentParts(mapping.residency()), [{ offset: 0, length: half }]);
      mapping.close();
    });

    it('keeps the written pages of a copy-on-write mapping', () => {
      const path = file('evict-copy', Buffer.alloc(LENGTH, 'f'));
      for (const protections of [[], ['read'], ['none', 'read'], ['read', 'read-write']]) {
        const copy = mapFile(path, { access: 'copy-on-write' });
        copy.bytes.fill('x');
        for (const access of protections) copy.protect(access);
        copy.evict();
        assert.ok(copy.bytes.equals(Buffer.alloc(LENGTH, 'x')), protections.join());
        copy.close();
      }
    });

    it('loses nothing of private memory, swap or not', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.bytes.fill(7);
      memory.evict();
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });
  });

  describe('collapse', () => {
    itExternal('puts a huge page in place of small ones, or says what it needs', function () {
      const memory = mapAnonymous({ length: 2 ** 23, hugePages: 'transparent', buffer: 'array' });
      memory.bytes.fill(7);
      memory.discard({ offset: 0 });
      memory.advise('nohugepage');
      memory.bytes.fill(7);
      assert.equal(smapsAt(memory.address).AnonHugePages, 0);
      memory.advise('hugepage'); // from now on the kernel may do so itself
      try {
        memory.collapse();
      } catch (error) {
        assert.ok(['EINVAL', 'EAGAIN', 'ENOMEM', 'EBUSY'].includes(error.code));
        if (error.code === 'EINVAL') assert.match(error.message, /no room for an aligned huge page/);
        assert.ok(memory.bytes.every((byte) => byte === 7));
        memory.close();
        skip(this, `the kernel does not collapse here: ${error.code}`);
      }
      assert.ok(smapsAt(memory.address).AnonHugePages > 0);
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });
  });

  describe('after close', () => {
    it('is ERR_MEMMAP_CLOSED', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.close();
      const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };
      assert.throws(() => memory.advise('normal'), closed);
      assert.throws(() => memory.discard({ offset: 0 }), closed);
      assert.throws(() => memory.punchHole({ offset: 0 }), closed);
      assert.throws(() => memory.evict(), closed);
      assert.throws(() => memory.collapse(), closed);
    });
  });
});
