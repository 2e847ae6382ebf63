// mremap(2): memory that grows, shrinks and moves: lib/sys/mmap.ts, src-native/core/mapping/remap.cc.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { skip } from '../support/hooks.mjs';
import { mapAt, maps } from '../support/kernel/proc.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, MREMAP, PAGE_SIZE, PROT, mmap, mremap, munmap } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;
const LENGTH = 4 * PAGE_SIZE;
const FIXED = MREMAP.MAYMOVE | MREMAP.FIXED;

describe('mremap', () => {
  const file = temporaryFiles();
  const mapped = new Set();
  const keep = (buffer) => mapped.add(buffer) && buffer;
  afterEach(() => {
    for (const buffer of mapped) if (buffer.byteLength > 0) munmap(buffer);
    mapped.clear();
  });

  function at(length = LENGTH, fill = 1) {
    const address = hole(length);
    const buffer = keep(mmap(address, length, RW, ANONYMOUS));
    new Uint8Array(buffer).fill(fill);
    return { address, buffer };
  }
  /** The memory of `buffer` as one value a page. */
  function pagesOf(buffer) {
    const bytes = new Uint8Array(buffer, 0, buffer.byteLength);
    const pages = [];
    for (let i = 0; i < bytes.length; i += PAGE_SIZE) {
      const page = bytes.subarray(i, i + PAGE_SIZE);
      assert.ok(page.every((byte) => byte === page[0]));
      pages.push(page[0]);
    }
    return pages;
  }

  it('grows in place where there is room: the bytes stay, new ones are zero', () => {
    const { address, buffer } = at();
    const longer = keep(mremap(buffer, LENGTH, 2 * LENGTH, 0));
    assert.equal(mapAt(address).end - address, BigInt(2 * LENGTH));
    assert.deepEqual(pagesOf(longer), [1, 1, 1, 1, 0, 0, 0, 0]);
    assert.equal(buffer.byteLength, 0);
  });

  it('without MAYMOVE and without room is ENOMEM, and nothing changes', () => {
    const { address, buffer } = at();
    const next = keep(mmap(address + BigInt(LENGTH), PAGE_SIZE, RW, ANONYMOUS | MAP.FIXED));
    assert.throws(() => mremap(buffer, LENGTH, 2 * LENGTH, 0), { code: 'ENOMEM', errno: -12, syscall: 'mremap' });
    assert.deepEqual([...pagesOf(buffer), ...pagesOf(next)], [1, 1, 1, 1, 0]);
  });

  it('MAYMOVE: moves where there is no room', () => {
    const { address, buffer } = at();
    const next = keep(mmap(address + BigInt(LENGTH), PAGE_SIZE, RW, ANONYMOUS | MAP.FIXED));
    new Uint8Array(next).fill(2);
    const moved = keep(mremap(buffer, LENGTH, 2 * LENGTH, MREMAP.MAYMOVE));
    assert.deepEqual(pagesOf(moved), [1, 1, 1, 1, 0, 0, 0, 0]);
    assert.equal(buffer.byteLength, 0);
    assert.deepEqual(pagesOf(next), [2]);
    new Uint8Array(moved).fill(3);
    assert.deepEqual(pagesOf(next), [2]);
  });

  it('shrinks: the pages behind are gone', () => {
    const path = file('shrink', Buffer.alloc(LENGTH, 1));
    const fd = openSync(path, 'r+');
    const buffer = keep(mmap(null, LENGTH, RW, MAP.SHARED, fd, 0));
    closeSync(fd);
    const shorter = keep(mremap(buffer, LENGTH, PAGE_SIZE, 0));
    assert.equal(shorter.byteLength, PAGE_SIZE);
    assert.equal(buffer.byteLength, 0);
    const [only, ...others] = maps().filter((one) => one.path === path);
    assert.deepEqual([only.end - only.start, others], [BigInt(PAGE_SIZE), []]);
    new Uint8Array(shorter)[0] = 2;
    assert.equal(readFileSync(path)[0], 2);
  });

  it('FIXED: moves to a hole, or over memory of memmap', () => {
    const { address, buffer } = at();
    const empty = hole(LENGTH);
    const moved = keep(mremap(buffer, LENGTH, LENGTH, FIXED, empty));
    assert.equal(mapAt(empty).end - empty, BigInt(LENGTH));
    assert.deepEqual(pagesOf(moved), [1, 1, 1, 1]);
    const target = at(LENGTH, 2);
    const again = keep(mremap(moved, LENGTH, LENGTH, FIXED, target.address));
    assert.deepEqual(pagesOf(again), [1, 1, 1, 1]);
    assert.deepEqual(pagesOf(target.buffer), [1, 1, 1, 1]);
    assert.notEqual(address, empty);
  });

  it('FIXED over memory of others is EEXIST, and nothing changes', () => {
    const { buffer } = at();
    const { start, end, permissions } = maps().find(({ path }) => path === process.execPath);
    for (const flags of [FIXED, FIXED | MREMAP.DONTUNMAP]) {
      assert.throws(() => mremap(buffer, LENGTH, LENGTH, flags, start), { code: 'EEXIST', errno: -17, syscall: 'mremap' });
    }
    assert.deepEqual(pagesOf(buffer), [1, 1, 1, 1]);
    assert.deepEqual([mapAt(start).end, mapAt(start).permissions], [end, permissions]);
  });

  it('DONTUNMAP: the old addresses stay, with zeros', () => {
    const { address, buffer } = at();
    const moved = keep(mremap(buffer, LENGTH, LENGTH, MREMAP.MAYMOVE | MREMAP.DONTUNMAP));
    assert.deepEqual(pagesOf(moved), [1, 1, 1, 1]);
    assert.deepEqual(pagesOf(buffer), [0, 0, 0, 0]);
    assert.equal(mapAt(address).permissions, 'rw-p');
    new Uint8Array(buffer)[0] = 5;
    assert.equal(new Uint8Array(moved)[0], 1);
  });

  it('DONTUNMAP | FIXED: the same, to a place of one\'s own', () => {
    const { buffer } = at();
    const target = at(LENGTH, 2);
    const moved = keep(mremap(buffer, LENGTH, LENGTH, FIXED | MREMAP.DONTUNMAP, target.address));
    assert.deepEqual([...pagesOf(moved), ...pagesOf(buffer)], [1, 1, 1, 1, 0, 0, 0, 0]);
    assert.deepEqual(pagesOf(target.buffer), [1, 1, 1, 1]);
  });

  it('a part of a buffer that grows moves away from the rest, which stays', () => {
    const { buffer } = at();
    const moved = keep(mremap(buffer, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP.MAYMOVE));
    assert.deepEqual(pagesOf(moved), [1, 0]);
  });

  it('a SharedArrayBuffer becomes a SharedArrayBuffer; views of the old one read zeros', () => {
    const path = file('sab', Buffer.alloc(2 * LENGTH, 1));
    const fd = openSync(path, 'r+');
    const buffer = keep(mmap(null, LENGTH, RW, MAP.SHARED, fd, 0, { shared: true }));
    closeSync(fd);
    const moved = keep(mremap(buffer, LENGTH, 2 * LENGTH, MREMAP.MAYMOVE));
    assert.ok(moved instanceof SharedArrayBuffer);
    assert.equal(moved.byteLength, 2 * LENGTH);
    assert.deepEqual(pagesOf(moved), [1, 1, 1, 1, 1, 1, 1, 1]);
    new Uint8Array(moved, 0, 1)[0] = 2;
    assert.equal(readFileSync(path)[0], 2);
  });

  for (const [what, oldLength, newLength, flags, address] of [
    ['to length 0', LENGTH, 0, MREMAP.MAYMOVE],
    ['of length 0', 0, LENGTH, MREMAP.MAYMOVE],
    ['FIXED without MAYMOVE', LENGTH, LENGTH, MREMAP.FIXED, () => hole(LENGTH)],
    ['FIXED to inside a page', LENGTH, LENGTH, FIXED, () => hole(LENGTH) + 1n],
    ['DONTUNMAP with another length', LENGTH, 2 * LENGTH, MREMAP.MAYMOVE | MREMAP.DONTUNMAP],
    ['DONTUNMAP without MAYMOVE', LENGTH, LENGTH, MREMAP.DONTUNMAP],
    ['an unknown flag with DONTUNMAP', LENGTH, LENGTH, MREMAP.MAYMOVE | MREMAP.DONTUNMAP | 1024],
  ]) {
    it(`${what} is EINVAL, and nothing changes`, () => {
      const { buffer } = at();
      assert.throws(() => mremap(buffer, oldLength, newLength, flags, address?.() ?? null), {
        code: 'EINVAL', errno: -22, syscall: 'mremap',
      });
      assert.deepEqual(pagesOf(buffer), [1, 1, 1, 1]);
    });
  }

  it('to a length no buffer of this runtime has is refused before the pages move', function () {
    const tooLong = 2 ** 32 + PAGE_SIZE;
    if (hasExternalShared) skip(this, 'this runtime has buffers of any length');
    const { buffer } = at();
    const shared = keep(mmap(null, LENGTH, RW, ANONYMOUS, -1, 0, { shared: true }));
    new Uint8Array(shared, 0, LENGTH).fill(1);
    for (const old of [buffer, shared]) {
      assert.throws(() => mremap(old, LENGTH, tooLong, MREMAP.MAYMOVE), { code: 'ERR_MEMMAP_BUFFER_TOO_LARGE' });
      assert.deepEqual(pagesOf(old), [1, 1, 1, 1]);
    }
    assert.throws(() => mremap(shared, LENGTH, LENGTH, FIXED, hole(LENGTH)), { code: 'ERR_MEMMAP_NO_SHARED_BUFFER' });
    assert.deepEqual(pagesOf(shared), [1, 1, 1, 1]);
  });
});
