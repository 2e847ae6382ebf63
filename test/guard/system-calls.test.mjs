// A system call on a view past the end of its file is EFAULT, not a fault: src-native/core/guard/guard.cc,
// lib/file/file-mapping.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { guard, mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { temporaryFiles } from '../support/temp.mjs';

const NONE = { truncated: 0, noSpace: 0, memoryFailures: 0, violations: 0, afterClose: 0 };

describe('a system call on a view past the end of the file', () => {
  const file = temporaryFiles();

  for (const [name, act] of [
    ['write', (fd, view) => writeSync(fd, view)],
    ['read', (fd, view) => readSync(fd, view, 0, view.length, 0)],
  ]) {
    it(`${name}(2) is EFAULT, and no fault: size() and refresh() tell`, () => {
      const mapping = mapFile(file('data', Buffer.alloc(8 * PAGE_SIZE, 7)), { access: 'read-write' });
      const view = mapping.bytes.subarray(4 * PAGE_SIZE, 5 * PAGE_SIZE);
      truncateSync(mapping.path, PAGE_SIZE);
      const fd = openSync(file('other', Buffer.alloc(PAGE_SIZE, 1)), 'r+');
      const fails = () => assert.throws(() => act(fd, view), { code: 'EFAULT', syscall: name });
      fails();
      guard(fails);
      assert.deepEqual(mapping.faults, NONE);
      mapping.check();
      assert.equal(mapping.size(), PAGE_SIZE);

      // A load does fault, and from then on there are zeros, for system calls as well.
      assert.equal(view[0], 0);
      assert.equal(mapping.faults.truncated, 1);
      assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_TRUNCATED' });
      assert.equal(act(fd, view), PAGE_SIZE);
      closeSync(fd);

      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.length, PAGE_SIZE);
      mapping.check();
      mapping.close();
    });
  }
});
