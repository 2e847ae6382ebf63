// mapFile() by path, URL, descriptor and FileHandle, with every option: lib/file/map-file.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';

import { mapFile } from 'memmap';
import { PAGE_SIZE, memfd_create } from 'memmap/sys';

import { countDescriptors } from '../support/descriptors.mjs';
import { readElsewhere, writeElsewhere } from '../support/process/elsewhere.mjs';
import { skip } from '../support/hooks.mjs';
import { isMapped, mapAt, smapsAt } from '../support/kernel/proc.mjs';
import { randomBytes } from '../support/random.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { residentParts } from '../support/kernel/resident.mjs';


describe('mapFile', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('creates and grows with read-write access only', () => {
      const path = file('missing');
      for (const options of [{ create: true }, { size: 1 }, { create: true, access: 'copy-on-write' }]) {
        assert.throws(() => mapFile(path, options), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      }
      assert.throws(() => statSync(path), { code: 'ENOENT' });
    });

    it('refuses a path with a NUL byte', () => {
      assert.throws(() => mapFile(`${file('nul', 'x')}\0`), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    });

    it('refuses a part past the end, and says how much there is', () => {
      const path = file('short', 'abc');
      const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /3/ };
      assert.throws(() => mapFile(path, { offset: 4 }), outOfRange);
      assert.throws(() => mapFile(path, { length: 4 }), outOfRange);
      assert.throws(() => mapFile(path, { offset: 2, length: 2 }), outOfRange);
      assert.throws(() => mapFile(path, { offset: 1, length: Number.MAX_SAFE_INTEGER }), outOfRange);
      assert.throws(() => mapFile(path, { length: 2 ** 32 + 1 }), outOfRange);
      assert.ok(!isMapped(path));
    });
  });

  describe('a file', () => {
    const content = randomBytes(3 * PAGE_SIZE + 7, [1, 2, 3, 4], 1);

    it('is named by path, URL, descriptor or FileHandle', async () => {
      const path = file('named ü%20', content);
      const fd = openSync(path, 'r');
      const handle = await open(path);
      for (const name of [path, relative(process.cwd(), path), pathToFileURL(path), fd, handle]) {
        const mapping = mapFile(name);
        assert.ok(mapping.bytes.equals(content));
        assert.equal(mapping.path, path);
        assert.equal(mapAt(mapping.address).path, path);
        assert.equal(mapAt(mapping.address).inode, statSync(path).ino);
        mapping.close();
      }
      assert.equal(statSync(`/proc/self/fd/${fd}`).size, content.length, 'the caller keeps the descriptor');
      closeSync(fd);
      await handle.close();
    });

    it('is reached through a symbolic link', () => {
      const path = file('target', content);
      const link = file('link');
      symlinkSync(path, link);
      const mapping = mapFile(link);
      assert.ok(mapping.bytes.equals(content));
      mapping.close();
    });

    it('costs no descriptor while it is mapped', () => {
      const path = file('descriptors', content);
      const before = countDescriptors();
      const mapping = mapFile(path);
      assert.equal(countDescriptors(), before);
      mapping.close();
    });

    it('stays mapped when the caller closes the descriptor', () => {
      const fd = openSync(file('closed-fd', content), 'r');
      const mapping = mapFile(fd);
      closeSync(fd);
      assert.ok(mapping.bytes.equals(content));
      mapping.close();
    });

    for (const [offset, length] of [
      [0, undefined],
      [1, undefined],
      [PAGE_SIZE - 1, 2],
      [PAGE_SIZE, PAGE_SIZE],
      [PAGE_SIZE + 5, PAGE_SIZE],
      [3 * PAGE_SIZE + 6, 1],
      [3 * PAGE_SIZE + 7, undefined],
      [5, 0],
    ]) {
      it(`is mapped from byte ${offset}, ${length ?? 'all'} bytes of it`, () => {
        const path = file('part', content);
        const mapping = mapFile(path, { offset, ...(length !== undefined && { length }) });
        const expected = content.subarray(offset, length === undefined ? undefined : offset + length);
        assert.equal(mapping.length, expected.length);
        assert.ok(mapping.bytes.equals(expected));
        if (expected.length > 0) {
          assert.equal(mapping.byteOffset, offset % PAGE_SIZE);
          assert.equal(Number(mapping.address % BigInt(PAGE_SIZE)), mapping.byteOffset);
          assert.equal(mapAt(mapping.address).offset, offset - mapping.byteOffset);
          assert.equal(mapping.buffer.byteLength, mapping.byteOffset + expected.length);
        }
        mapping.close();
        assert.ok(!isMapped(path));
      });
    }

    it('on tmpfs is named so, as is one on the disk', () => {
      const onDisk = mapFile(file('filesystem', 'abc'));
      const type = execFileSync('stat', ['-f', '-c', '%T', onDisk.path], { encoding: 'utf8' }).trim();
      assert.equal(onDisk.filesystem, type === 'ext2/ext3' ? 'ext4' : type);
      onDisk.close();
      const inMemory = mapFile(memfd_create('filesystem'), { length: 0 });
      assert.equal(inMemory.filesystem, 'tmpfs');
      inMemory.close();
    });
  });

  describe('an empty file', () => {
    it('is a mapping of 0 bytes, on which everything is harmless', async () => {
      const path = file('empty', '');
      const array = hasExternalBuffers ? [{ buffer: 'array' }] : [];
      for (const options of [{}, { access: 'read-write', populate: true, lock: true, advice: 'random' }, ...array]) {
        const mapping = mapFile(path, options);
        assert.equal(mapping.length, 0);
        assert.equal(mapping.address, 0n);
        assert.equal(mapping.bytes.length, 0);
        assert.equal(mapping.buffer.byteLength, 0);
        assert.equal(mapping.view(Float64Array).length, 0);
        assert.equal(mapping.dataView().byteLength, 0);
        for (const method of ['flush', 'populate', 'lock', 'unlock', 'evict', 'collapse', 'seal']) mapping[method]();
        mapping.advise('sequential');
        mapping.protect('read');
        mapping.discard({ offset: 0 });
        mapping.punchHole({ offset: 0 });
        await mapping.flushAsync();
        await mapping.populateAsync();
        assert.deepEqual(residentParts(mapping.residency()), []);
        assert.equal(mapping.count(10), 0);
        assert.equal(mapping.indexOf('a'), -1);
        assert.deepEqual([...mapping.lines()], []);
        assert.deepEqual([...mapping.windows()], []);
        assert.equal(mapping.size(), 0);
        assert.equal(mapping.refresh(), false);
        mapping.close();
        mapping.close();
        assert.equal(mapping.closed, true);
      }
    });
  });

  describe('access', () => {
    it("'read' is the default, and the kernel enforces it", () => {
      const mapping = mapFile(file('read', 'abc'));
      assert.equal(mapping.access, 'read');
      assert.match(mapAt(mapping.address).permissions, /^r--/);
      mapping.close();
    });

    it("'read' sees what another process writes", () => {
      const path = file('seen', 'abc');
      const mapping = mapFile(path);
      assert.equal(mapping.bytes.toString(), 'abc');
      writeElsewhere(path, 1, 'X');
      assert.equal(mapping.bytes.toString(), 'aXc');
      mapping.close();
    });

    it("'read-write' reaches the file, and every process that reads it", () => {
      const path = file('write', 'abc');
      const mapping = mapFile(path, { access: 'read-write' });
      assert.equal(mapAt(mapping.address).permissions, 'rw-s');
      mapping.bytes[1] = 88;
      assert.equal(readElsewhere(path).toString(), 'aXc');
      mapping.close();
      assert.equal(readElsewhere(path).toString(), 'aXc');
    });

    it("'copy-on-write' leaves the file untouched", () => {
      const path = file('copy', 'abc'.repeat(PAGE_SIZE));
      const mapping = mapFile(path, { access: 'copy-on-write' });
      assert.equal(mapAt(mapping.address).permissions, 'rw-p');
      mapping.bytes.fill('X');
      assert.equal(smapsAt(mapping.address).Anonymous * 1024, mapping.length); // copies
      mapping.flush();
      assert.equal(readElsewhere(path).toString(), 'abc'.repeat(PAGE_SIZE));
      mapping.close();
      assert.equal(readElsewhere(path).toString(), 'abc'.repeat(PAGE_SIZE));
    });

    it('to write needs a descriptor that can: EACCES, nothing mapped', () => {
      const path = file('read-only', 'abc');
      const fd = openSync(path, 'r');
      assert.throws(() => mapFile(fd, { access: 'read-write' }), { name: 'SystemError', code: 'EACCES', path });
      assert.ok(!isMapped(path));
      closeSync(fd);
    });
  });

  describe('options', () => {
    const content = Buffer.alloc(32 * PAGE_SIZE, 'f');

    it('populate maps all pages at once', () => {
      const path = file('populate', content);
      const mapping = mapFile(path, { populate: true });
      assert.equal(smapsAt(mapping.address).Rss * 1024, content.length);
      mapping.close();
    });

    it('lock keeps them in memory', () => {
      const mapping = mapFile(file('lock', content), { lock: true });
      assert.equal(smapsAt(mapping.address).Locked * 1024, content.length);
      mapping.close();
    });

    it('advice, hugePages and noReserve reach the kernel', () => {
      for (const [option, flag] of [
        [{ advice: 'sequential' }, 'sr'],
        [{ hugePages: 'transparent' }, 'hg'],
        [{ access: 'copy-on-write', noReserve: true }, 'nr'],
      ]) {
        const mapping = mapFile(file('flags', content), option);
        assert.ok(smapsAt(mapping.address).VmFlags.includes(flag), flag);
        mapping.close();
      }
    });

    it('sync is ENOTSUP, with the reason, off persistent memory', function () {
      const path = file('sync', content);
      try {
        mapFile(path, { access: 'read-write', sync: true }).close();
      } catch (error) {
        assert.equal(error.code, 'ENOTSUP'); // EOPNOTSUPP
        assert.match(error.message, /DAX/);
        assert.ok(!isMapped(path));
        return;
      }
      skip(this, 'temporary files are on persistent memory here');
    });
  });

  describe('after close', () => {
    for (const access of ['read', 'read-write', 'copy-on-write']) {
      it(`nothing of the file can be reached by a view, nor written (${access})`, () => {
        const path = file('views', Buffer.alloc(2 * PAGE_SIZE, 'f'));
        const mapping = mapFile(path, { access });
        const { bytes } = mapping;
        const view = mapping.view(Uint32Array);
        assert.equal(bytes[0], 102);
        mapping.close();
        assert.ok(!isMapped(path));
        assert.ok(bytes.every((byte) => byte === 0));
        assert.ok(view.every((word) => word === 0));
        bytes.fill('x');
        assert.ok(readElsewhere(path).equals(Buffer.alloc(2 * PAGE_SIZE, 'f')));
      });
    }

    it('a file of holes can be cut without harm', () => {
      const path = file('cut', Buffer.alloc(2 * PAGE_SIZE, 'f'));
      const mapping = mapFile(path);
      const { bytes } = mapping;
      mapping.close();
      truncateSync(path, 0);
      assert.equal(bytes[PAGE_SIZE], 0); // SIGBUS if the file were still mapped
    });
  });
});
