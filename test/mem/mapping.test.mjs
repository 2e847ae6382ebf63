// Mapping: views, flush, populate, protect, lock and close: lib/mem/{mapping,mapped-memory,view,lock,protections}.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE, cachestat } from 'memmap/sys';

import { readElsewhere } from '../support/process/elsewhere.mjs';
import { skip } from '../support/hooks.mjs';
import { cachestatOrSkip } from '../support/kernel/kernel.mjs';
import { mapAt, smapsAt } from '../support/kernel/proc.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const LENGTH = 16 * PAGE_SIZE;
const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };

describe('Mapping', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('gives views of whole, aligned elements inside the mapping only', () => {
      const memory = mapAnonymous({ length: 100 });
      const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
      assert.throws(() => memory.view(Float64Array, { offset: 4 }), outOfRange);
      assert.throws(() => memory.view(Float64Array, { count: 13 }), outOfRange);
      assert.throws(() => memory.view(Float64Array, { offset: 96, count: 1 }), outOfRange);
      assert.throws(() => memory.view(Float64Array, { count: 1.5 }), outOfRange);
      assert.throws(() => memory.view(Float64Array, { count: -1 }), outOfRange);
      assert.throws(() => memory.view(Float64Array, { count: 2 ** 53 - 1 }), outOfRange);
      assert.throws(() => memory.view(Uint8Array, { offset: 101 }), outOfRange);
      assert.throws(() => memory.dataView({ offset: 99, length: 2 }), outOfRange);
      assert.throws(() => memory.view(DataView), { code: 'ERR_INVALID_ARG_TYPE' });
      memory.close();
    });

    it('counts the elements of a view, and refuses its length in bytes', () => {
      const memory = mapAnonymous({ length: 100 });
      const lengthOf = (options) => memory.view(Float64Array, options).length;
      assert.deepEqual(
        [undefined, {}, { offset: 8 }, { count: 3 }, { offset: 96 }, { offset: undefined, count: undefined }].map(lengthOf),
        [12, 12, 11, 3, 0, 12],
      );
      assert.equal(memory.view(Uint16Array, { offset: 98, count: 1 }).byteOffset, 98);
      for (const Type of [Float64Array, Uint8Array]) {
        assert.throws(() => memory.view(Type, { length: 8 }), { code: 'ERR_INVALID_ARG_VALUE', message: /count/ });
      }
      assert.throws(() => memory.view(Float64Array, { offset: 0, elements: 1 }), { code: 'ERR_INVALID_ARG_VALUE' });
      memory.close();
    });

    it('takes access away from whole pages only', () => {
      const memory = mapAnonymous({ length: LENGTH });
      assert.throws(() => memory.protect('none', { offset: 1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => memory.protect('none', { length: 1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => memory.protect('copy-on-write'), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.equal(mapAt(memory.address).permissions, 'rw-p');
      memory.close();
    });
  });

  describe('views', () => {
    it('show the same bytes in place, in every element type', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.view(Float64Array, { offset: 64 })[0] = Math.PI;
      const expected = Buffer.alloc(8);
      expected.writeDoubleLE(Math.PI);
      for (const Type of [
        Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
        Float32Array, Float64Array, BigInt64Array, BigUint64Array,
      ]) {
        const view = memory.view(Type, { offset: 64, count: 64 / Type.BYTES_PER_ELEMENT });
        assert.ok(view instanceof Type);
        assert.equal(view.length, 64 / Type.BYTES_PER_ELEMENT);
        assert.equal(view.buffer, memory.buffer);
        assert.ok(Buffer.from(view.buffer, view.byteOffset, 8).equals(expected));
      }
      assert.equal(memory.dataView({ offset: 64 }).getFloat64(0, true), Math.PI);
      assert.ok(memory.bytes.subarray(64, 72).equals(expected));
      memory.close();
    });

    it('leave out the last, incomplete element of a mapping', () => {
      const memory = mapAnonymous({ length: 21 });
      assert.equal(memory.view(Float64Array).length, 2);
      assert.equal(memory.view(Uint32Array, { offset: 4 }).length, 4);
      memory.close();
    });

    it('start at the byte that was mapped; DataViews do so at any alignment', () => {
      const content = Buffer.alloc(2 * PAGE_SIZE);
      content.writeUInt16LE(0xadde, 13);
      content.writeUInt32LE(0xcafebabe, 16);
      const mapping = mapFile(file('unaligned', content), { offset: 13 });
      assert.equal(mapping.dataView().getUint16(0, true), 0xadde);
      assert.equal(mapping.view(Uint32Array, { offset: 3 })[0], 0xcafebabe);
      assert.throws(() => mapping.view(Uint32Array), { code: 'ERR_OUT_OF_RANGE' });
      mapping.close();
    });

    itExternal('carry Atomics, whatever the buffer', () => {
      for (const buffer of ['shared', 'array']) {
        const memory = mapAnonymous({ length: LENGTH, buffer });
        const words = memory.view(Int32Array);
        assert.equal(Atomics.add(words, 3, 5), 0);
        assert.equal(Atomics.compareExchange(words, 3, 5, 6), 5);
        assert.equal(words[3], 6);
        memory.close();
      }
    });
  });

  describe('flush', () => {
    it('leaves no dirty page of the file', function () {
      const path = file('flush', Buffer.alloc(LENGTH));
      const fd = openSync(path, 'r');
      const mapping = mapFile(path, { access: 'read-write' });
      needsDisk(this, mapping);
      cachestatOrSkip(this, fd);
      mapping.flush();
      do {
        mapping.bytes.fill(mapping.bytes[0] + 1);
      } while (cachestat(fd).dirty === 0); // the kernel may write back on its own
      mapping.flush();
      assert.equal(cachestat(fd).dirty, 0);
      assert.ok(readElsewhere(path).equals(mapping.bytes));
      closeSync(fd);
      mapping.close();
    });

    it('takes any range, inside a page too', () => {
      const mapping = mapFile(file('flush-range', Buffer.alloc(LENGTH)), { access: 'read-write', offset: 3 });
      mapping.bytes.write('x', PAGE_SIZE);
      mapping.flush({ offset: PAGE_SIZE, length: 1 });
      mapping.flush({ offset: mapping.length - 1 });
      mapping.flush({ offset: mapping.length });
      mapping.close();
    });

    it('is harmless without a file', () => {
      for (const sharing of ['private', 'shared']) {
        const memory = mapAnonymous({ length: LENGTH, sharing });
        memory.flush();
        memory.close();
      }
    });
  });

  describe('populate', () => {
    it('brings the pages of a range in', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.populate({ offset: PAGE_SIZE, length: PAGE_SIZE + 1 });
      assert.deepEqual(residentParts(memory.residency()), [{ offset: PAGE_SIZE, length: 2 * PAGE_SIZE }]);
      memory.close();
    });

    it('leaves a copy-on-write mapping shared with the file', () => {
      const mapping = mapFile(file('populate', Buffer.alloc(LENGTH)), { access: 'copy-on-write' });
      mapping.populate();
      assert.equal(smapsAt(mapping.address).Anonymous, 0);
      mapping.close();
    });
  });

  describe('protect', () => {
    it('changes what the kernel allows, on the whole and on a part', () => {
      const memory = mapAnonymous({ length: LENGTH });
      for (const [access, permissions] of [
        ['none', '---p'],
        ['read', 'r--p'],
        ['read-execute', 'r-xp'],
        ['read-write', 'rw-p'],
      ]) {
        memory.protect(access);
        assert.equal(memory.access, access);
        assert.equal(mapAt(memory.address).permissions, permissions);
      }
      memory.protect('read', { offset: PAGE_SIZE, length: PAGE_SIZE });
      assert.equal(memory.access, 'read-write', 'the whole is what it was');
      const { start, end, permissions } = mapAt(memory.address + BigInt(PAGE_SIZE));
      assert.equal(permissions, 'r--p');
      assert.equal(Number(start - memory.address), PAGE_SIZE);
      assert.equal(Number(end - start), PAGE_SIZE);
      memory.close();
    });

    it('makes memory writable and executable only if that is permitted by name', () => {
      const memory = mapAnonymous({ length: LENGTH });
      const refused = { name: 'TypeError', code: 'ERR_MEMMAP_WRITE_EXEC' };
      assert.throws(() => memory.protect('read-write-execute'), refused);
      assert.throws(() => memory.protect('read-write-execute', undefined, { allowWriteExec: false }), refused);
      assert.equal(mapAt(memory.address).permissions, 'rw-p');
      memory.protect('read-write-execute', undefined, { allowWriteExec: true });
      assert.equal(mapAt(memory.address).permissions, 'rwxp');
      memory.close();
    });

    it('is EACCES, with a way out, to write a file that was mapped to be read', () => {
      const mapping = mapFile(file('protect', 'abc'));
      assert.throws(() => mapping.protect('read-write'), { code: 'EACCES', message: /'read-write'/ });
      assert.equal(mapping.access, 'read');
      mapping.close();
    });

    it('leaves a copy-on-write mapping one', () => {
      const path = file('protect-copy', 'abc');
      const mapping = mapFile(path, { access: 'copy-on-write' });
      mapping.protect('read');
      assert.equal(mapping.access, 'read');
      mapping.protect('read-write');
      assert.equal(mapping.access, 'copy-on-write');
      mapping.bytes.fill('x');
      assert.equal(readElsewhere(path).toString(), 'abc');
      mapping.close();
    });
  });

  describe('lock', () => {
    it('keeps pages in memory until unlock', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.lock();
      assert.equal(smapsAt(memory.address).Locked * 1024, LENGTH);
      memory.unlock({ offset: PAGE_SIZE, length: PAGE_SIZE });
      assert.ok(!smapsAt(memory.address + BigInt(PAGE_SIZE)).VmFlags.includes('lo'));
      assert.ok(smapsAt(memory.address).VmFlags.includes('lo'));
      memory.unlock();
      assert.ok(!smapsAt(memory.address).VmFlags.includes('lo'));
      memory.close();
    });

    it('with onFault locks what is touched, as it is touched', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.lock({ onFault: true });
      assert.equal(smapsAt(memory.address).Locked, 0);
      memory.bytes[0] = 1;
      assert.equal(smapsAt(memory.address).Locked * 1024, PAGE_SIZE);
      memory.close();
    });

    it('ends with the mapping', () => {
      const memory = mapAnonymous({ length: LENGTH, lock: true });
      const { address, bytes } = memory;
      bytes[0] = 1;
      memory.close();
      assert.ok(!smapsAt(address)?.VmFlags.includes('lo'));
      assert.equal(bytes[0], 0);
    });
  });

  describe('seal', () => {
    itExternal('makes a mapping what it is until the process ends', async function () {
      const { stdout } = await runs('seal');
      if (stdout.includes('ENOSYS')) skip(this, 'the kernel has no mseal(2)');
    });
  });

  describe('after close', () => {
    it('every member is ERR_MEMMAP_CLOSED, except those that say so', async () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.close();
      assert.equal(memory.closed, true);
      for (const property of ['address', 'buffer', 'bytes']) assert.throws(() => memory[property], closed, property);
      for (const method of ['dataView', 'flush', 'populate', 'seal', 'lock', 'unlock', 'residency', 'evict', 'collapse']) {
        assert.throws(() => memory[method](), closed, method);
      }
      assert.throws(() => memory.view(Uint8Array), closed);
      assert.throws(() => memory.protect('read'), closed);
      assert.throws(() => memory.resize(1), closed);
      await assert.rejects(memory.populateAsync(), closed);
      memory.close();
    });

    it('Symbol.dispose has closed it', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory[Symbol.dispose]();
      assert.equal(memory.closed, true);
      memory[Symbol.dispose]();
    });
  });
});
