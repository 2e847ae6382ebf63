// Opening, making and growing the file to map, and what cannot be mapped: lib/file/open-file.ts,
// src-native/core/mapping/file.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';

import { mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { countDescriptors } from '../support/descriptors.mjs';
import { readElsewhere } from '../support/process/elsewhere.mjs';
import { smallTmpfs } from '../support/kernel/mount.mjs';
import { isMapped } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';


describe('opening a file to map', () => {
  const file = temporaryFiles();

  describe('create and size', () => {
    it('makes a file with its blocks allocated', () => {
      const path = file('created');
      const mapping = mapFile(path, { access: 'read-write', create: true, size: 10 * PAGE_SIZE + 1 });
      const { size, blocks } = statSync(path);
      assert.equal(size, 10 * PAGE_SIZE + 1);
      assert.ok(blocks * 512 >= size);
      assert.equal(mapping.length, size);
      assert.ok(mapping.bytes.every((byte) => byte === 0));
      mapping.close();
    });

    it('makes no file where the part lies past its end', () => {
      const path = file('past-the-end');
      assert.throws(() => mapFile(path, { access: 'read-write', create: true, size: 4096, offset: 4097 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.ok(!existsSync(path));
    });

    it('makes an empty file without a size', () => {
      const path = file('created-empty');
      mapFile(path, { access: 'read-write', create: true }).close();
      assert.equal(statSync(path).size, 0);
    });

    it('grows a file and keeps what it has, never shrinks one', () => {
      const path = file('grown', 'abc');
      const grown = mapFile(path, { access: 'read-write', size: 6 });
      assert.equal(grown.bytes.toString(), 'abc\0\0\0');
      grown.close();
      const same = mapFile(path, { access: 'read-write', size: 2 });
      assert.equal(same.length, 6);
      assert.equal(statSync(path).size, 6);
      same.close();
    });

    it('is ENOENT for a missing file without create', () => {
      const path = file('not-there');
      assert.throws(() => mapFile(path, { access: 'read-write', size: 5 }), { code: 'ENOENT', syscall: 'open', path });
    });

    describe('on a full disk', () => {
      const onTmpfs = smallTmpfs(64 * PAGE_SIZE);
      const full = { name: 'SystemError', code: 'ENOSPC', syscall: 'fallocate' };

      it('is ENOSPC at the call; no new file is left, nothing is mapped', () => {
        const path = onTmpfs('new');
        const descriptors = countDescriptors();
        assert.throws(() => mapFile(path, { access: 'read-write', create: true, size: 65 * PAGE_SIZE }), { ...full, path });
        assert.ok(!existsSync(path));
        assert.ok(!isMapped(path));
        assert.equal(countDescriptors(), descriptors);
      });

      it('leaves the size and the bytes of a file that was there', () => {
        const path = onTmpfs('there');
        writeFileSync(path, 'abc');
        assert.throws(() => mapFile(path, { access: 'read-write', size: 65 * PAGE_SIZE }), full);
        assert.equal(readElsewhere(path).toString(), 'abc');
        const mapping = mapFile(path, { access: 'read-write', size: 63 * PAGE_SIZE });
        mapping.bytes.fill('x'); // SIGBUS if a block were missing
        mapping.close();
      });
    });
  });

  describe('what is not a file', () => {
    it('is a clear error for a directory', () => {
      for (const access of ['read', 'read-write']) {
        assert.throws(() => mapFile(file('.'), { access }), { name: 'SystemError', code: 'EISDIR' });
      }
    });

    it('is a clear error for the files of /proc and /sys', () => {
      for (const path of ['/proc/self/maps', '/proc/cpuinfo', '/sys/kernel/mm/transparent_hugepage/enabled']) {
        assert.throws(() => mapFile(path), { name: 'SystemError', code: 'ENODEV', path, message: /readFile/ });
      }
    });

    it('is a clear error for a device without pages', () => {
      assert.throws(() => mapFile('/dev/null'), { code: 'ERR_INVALID_ARG_VALUE', message: /length/ });
      assert.throws(() => mapFile('/dev/null', { length: 1 }), { name: 'SystemError', code: 'ENODEV' });
    });

    it('does not wait for a FIFO that nobody writes', () => {
      const path = file('fifo');
      execFileSync('mkfifo', [path]);
      for (const access of ['read', 'read-write']) {
        assert.throws(() => mapFile(path, { access }), { name: 'SystemError', code: 'ENODEV' });
      }
    });

    it('is a clear error for a pipe and a socket by descriptor, and a socket by path', async () => {
      const path = file('socket');
      const server = createServer();
      await new Promise((resolve) => server.listen(path, resolve));
      assert.throws(() => mapFile(path), { name: 'SystemError', code: 'ENXIO' });
      assert.throws(() => mapFile(server._handle.fd), { name: 'SystemError', code: 'ENODEV' });
      await new Promise((resolve) => server.close(resolve));
      const fifo = file('pipe');
      execFileSync('mkfifo', [fifo]);
      const fd = openSync(fifo, 'r+');
      assert.throws(() => mapFile(fd), { name: 'SystemError', code: 'ENODEV' });
      closeSync(fd);
    });

    it('is EBADF for a descriptor that is closed', async () => {
      const path = file('closed', 'abc');
      const handle = await open(path);
      const { fd } = handle;
      await handle.close();
      assert.throws(() => mapFile(fd), { name: 'SystemError', code: 'EBADF' });
      assert.throws(() => mapFile(handle), { name: 'SystemError', code: 'EBADF' });
    });
  });
});
