// mmap(2): arguments, protection, and the buffer it returns: lib/sys/mmap.ts, src-native/napi/memory/mapping.cc.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { skip } from '../support/hooks.mjs';
import { mapAt, maps } from '../support/kernel/proc.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, PAGE_SIZE, PROT, mmap, munmap } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;

/** Memory at an address the test knows. */
function at(length, prot = RW, flags = ANONYMOUS, ...more) {
  const address = hole(length);
  return { address, buffer: mmap(address, length, prot, flags, ...more) };
}

describe('mmap', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('refuses memory both writable and executable, unless it is permitted by name', () => {
      assert.throws(() => mmap(null, PAGE_SIZE, RW | PROT.EXEC, ANONYMOUS), { code: 'ERR_MEMMAP_WRITE_EXEC' });
      assert.throws(() => mmap(null, PAGE_SIZE, PROT.WRITE | PROT.EXEC, ANONYMOUS, -1, 0, { allowWriteExec: false }), {
        code: 'ERR_MEMMAP_WRITE_EXEC',
      });
    });

    for (const [what, code, call] of [
      ['length 0', 'EINVAL', () => mmap(null, 0, RW, ANONYMOUS)],
      ['neither SHARED nor PRIVATE', 'EINVAL', () => mmap(null, PAGE_SIZE, RW, MAP.ANONYMOUS)],
      ['an offset inside a page', 'EINVAL', (fd) => mmap(null, PAGE_SIZE, PROT.READ, MAP.SHARED, fd, 1)],
      ['a fixed address inside a page', 'EINVAL', () => mmap(hole(1) + 1n, PAGE_SIZE, RW, ANONYMOUS | MAP.FIXED)],
      ['a closed descriptor', 'EBADF', () => mmap(null, PAGE_SIZE, RW, MAP.SHARED, 2 ** 31 - 1)],
      ['no descriptor', 'EBADF', () => mmap(null, PAGE_SIZE, RW, MAP.SHARED)],
      ['to write to a file open for reading', 'EACCES', (fd) => mmap(null, PAGE_SIZE, RW, MAP.SHARED, fd, 0)],
    ]) {
      it(`${what} is ${code}`, () => {
        const fd = openSync(file('refused', 'x'), 'r');
        const before = maps().filter(({ path }) => path === file('refused')).length;
        assert.throws(() => call(fd), { code, syscall: 'mmap' });
        closeSync(fd);
        assert.equal(maps().filter(({ path }) => path === file('refused')).length, before);
      });
    }

    it('a length of 2 ** 32 + 4096 is mapped whole, or not at all', () => {
      const length = 2 ** 32 + 4096;
      const address = hole(length);
      const map = () => mmap(address, length, PROT.READ, ANONYMOUS | MAP.NORESERVE);
      if (hasExternalShared || process.versions.node.split('.')[0] > 20) {
        const buffer = map();
        assert.equal(buffer.byteLength, length);
        const { start, end } = mapAt(address);
        assert.equal(end - start, BigInt(length));
        munmap(buffer);
      } else {
        assert.throws(map, { code: 'ERR_MEMMAP_BUFFER_TOO_LARGE', name: 'UnsupportedError' });
        assert.equal(mapAt(address), undefined);
      }
    });

    it('more than the address space is ENOMEM with a way out', () => {
      const map = () => mmap(null, 2 ** 50, PROT.NONE, ANONYMOUS | MAP.NORESERVE);
      if (hasExternalShared) assert.throws(map, { code: 'ENOMEM', errno: -12, syscall: 'mmap', message: /address space/ });
      else assert.throws(map, ({ code }) => code === 'ENOMEM' || code === 'ERR_MEMMAP_BUFFER_TOO_LARGE');
    });
  });

  describe('protection', () => {
    for (const [name, prot, permissions] of [
      ['NONE', PROT.NONE, '---p'],
      ['READ', PROT.READ, 'r--p'],
      ['WRITE', PROT.WRITE, '-w-p'],
      ['READ | WRITE', RW, 'rw-p'],
      ['EXEC', PROT.EXEC, '--xp'],
      ['READ | EXEC', PROT.READ | PROT.EXEC, 'r-xp'],
      ['READ | WRITE | EXEC', RW | PROT.EXEC, 'rwxp'],
    ]) {
      it(`${name} is ${permissions} to the kernel`, () => {
        const { address, buffer } = at(PAGE_SIZE, prot, ANONYMOUS, -1, 0, { allowWriteExec: true });
        assert.equal(mapAt(address).permissions, permissions);
        munmap(buffer);
      });
    }
  });

  describe('buffer', () => {
    it('is an ArrayBuffer of the very length that was asked for', () => {
      const { address, buffer } = at(5000);
      assert.ok(buffer instanceof ArrayBuffer);
      assert.equal(buffer.byteLength, 5000);
      assert.equal(mapAt(address).end - address, BigInt(2 * PAGE_SIZE));
      munmap(buffer);
    });

    it('is a SharedArrayBuffer on request, over the same pages', () => {
      const path = file('shared', Buffer.alloc(5000, 1));
      const fd = openSync(path, 'r+');
      const buffer = mmap(null, 5000, RW, MAP.SHARED, fd, 0, { shared: true });
      closeSync(fd);
      assert.ok(buffer instanceof SharedArrayBuffer);
      assert.equal(buffer.byteLength, 5000);
      new Uint8Array(buffer, 0, 5000).fill(2);
      assert.deepEqual(readFileSync(path), Buffer.alloc(5000, 2));
      assert.equal(maps().find((one) => one.path === path).permissions, 'rw-s');
      munmap(buffer);
    });

    it('is refused before anything is mapped where the runtime cannot make it', function () {
      if (hasExternalShared) skip(this, 'this runtime can make a SharedArrayBuffer over any address');
      const { address, buffer } = at(PAGE_SIZE);
      new Uint8Array(buffer).fill(7);
      const map = () => mmap(address, PAGE_SIZE, RW, ANONYMOUS | MAP.FIXED, -1, 0, { shared: true });
      assert.throws(map, { code: 'ERR_MEMMAP_NO_SHARED_BUFFER', name: 'UnsupportedError' });
      assert.equal(new Uint8Array(buffer)[0], 7);
      munmap(buffer);
    });

    it('a hint is where the memory goes if it is free', () => {
      const { address, buffer } = at(PAGE_SIZE);
      assert.equal(mapAt(address).start, address);
      munmap(buffer);
    });

    it('a hint that is taken is a hint only: what is there stays', () => {
      const { address, buffer } = at(PAGE_SIZE);
      new Uint8Array(buffer)[0] = 1;
      const other = mmap(address, PAGE_SIZE, RW, ANONYMOUS);
      new Uint8Array(other)[0] = 2;
      assert.equal(new Uint8Array(buffer)[0], 1);
      munmap(buffer);
      munmap(other);
    });

    it('a view of mapped memory serves as an address', () => {
      const { address, buffer } = at(2 * PAGE_SIZE);
      const inner = mmap(new Uint8Array(buffer, PAGE_SIZE), PAGE_SIZE, PROT.READ, ANONYMOUS | MAP.FIXED);
      assert.equal(mapAt(address).permissions, 'rw-p');
      assert.equal(mapAt(address + BigInt(PAGE_SIZE)).permissions, 'r--p');
      munmap(inner);
      munmap(buffer);
    });
  });
});
