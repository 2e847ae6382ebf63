// munmap(2), and what becomes of the buffers over it: lib/sys/mmap.ts, src-native/core/mapping/closing.cc.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { mapAt, maps } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, MS, PAGE_SIZE, PROT, mmap, munmap } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;
const FOREIGN = { code: 'ERR_MEMMAP_FOREIGN_ADDRESS', name: 'RangeError' };

/** Every call that takes the memory it acts on as its first argument. */
const CALLS = {
  munmap: (where, length) => munmap(where, length),
  mprotect: (where, length) => sys.mprotect(where, length, RW),
  msync: (where, length) => sys.msync(where, length, MS.SYNC),
  madvise: (where, length) => sys.madvise(where, length, sys.MADV.NORMAL),
  mlock: (where, length) => sys.mlock(where, length),
  mlock2: (where, length) => sys.mlock2(where, length, 0),
  munlock: (where, length) => sys.munlock(where, length),
  mincore: (where, length) => sys.mincore(where, length),
  mseal: (where, length) => sys.mseal(where, length),
};

describe('munmap', () => {
  const file = temporaryFiles();
  const PAGES = 4;
  const LENGTH = PAGES * PAGE_SIZE;

  function mapFileAt(address, options) {
    const path = file('munmap', Buffer.alloc(LENGTH, 1));
    const fd = openSync(path, 'r+');
    const buffer = mmap(address, LENGTH, RW, MAP.SHARED, fd, 0, options);
    closeSync(fd);
    return { path, buffer };
  }
  const partsOf = (path) => maps().filter((one) => one.path === path);

  it('detaches an ArrayBuffer: every view of it is empty', () => {
    const { buffer, path } = mapFileAt(null);
    const views = [new Uint8Array(buffer), new Float64Array(buffer, 8, 2), Buffer.from(buffer)];
    munmap(buffer);
    assert.equal(buffer.byteLength, 0);
    for (const view of views) assert.equal(view.length, 0);
    assert.deepEqual(partsOf(path), []);
  });

  it('gives the addresses back once nothing can reach them; then no call takes them', async () => {
    const address = hole(LENGTH);
    const { buffer } = mapFileAt(address);
    munmap(buffer);
    while (mapAt(address) !== undefined) await turn();
    for (const [name, call] of Object.entries(CALLS)) {
      assert.throws(() => call(address, LENGTH), FOREIGN, name);
      assert.throws(() => call(Number(address), LENGTH), FOREIGN, name);
    }
  });

  it('no call takes the detached buffer, or a view of it', () => {
    const { buffer } = mapFileAt(null);
    const views = [buffer, new Uint8Array(buffer), new DataView(buffer, 8)];
    munmap(buffer);
    for (const [name, call] of Object.entries(CALLS)) {
      for (const where of views) {
        assert.throws(() => call(where), FOREIGN, name);
        assert.throws(() => call(where, LENGTH), FOREIGN, name);
      }
    }
    assert.throws(() => sys.mremap(buffer, LENGTH, LENGTH, 0), FOREIGN);
    assert.throws(() => mmap(buffer, LENGTH, RW, ANONYMOUS), FOREIGN);
  });

  it('views of a SharedArrayBuffer read zeros, and their writes reach nobody', () => {
    const { buffer, path } = mapFileAt(null, { shared: true });
    const view = new Uint8Array(buffer, 0, LENGTH);
    assert.equal(view[0], 1);
    munmap(buffer);
    assert.deepEqual(partsOf(path), []);
    assert.ok(view.every((byte) => byte === 0));
    view[0] = 9;
    assert.ok(readFileSync(path).every((byte) => byte === 1));
  });

  it('a part: those pages read zeros, the others stay', () => {
    const address = hole(LENGTH);
    const { buffer, path } = mapFileAt(address);
    const bytes = new Uint8Array(buffer);
    munmap(bytes.subarray(PAGE_SIZE), PAGE_SIZE);
    assert.equal(buffer.byteLength, LENGTH);
    assert.deepEqual(partsOf(path).map(({ start, end }) => [start - address, end - address]), [
      [0n, BigInt(PAGE_SIZE)],
      [BigInt(2 * PAGE_SIZE), BigInt(LENGTH)],
    ]);
    for (const [page, value] of [1, 0, 1, 1].entries()) {
      assert.equal(bytes[page * PAGE_SIZE], value);
      assert.equal(bytes[(page + 1) * PAGE_SIZE - 1], value);
    }
    bytes[PAGE_SIZE] = 5;
    assert.equal(readFileSync(path)[PAGE_SIZE], 1);
    munmap(buffer);
    assert.deepEqual(partsOf(path), []);
  });

  it('by address: the pages go, the buffer stays and reads zeros', () => {
    const address = hole(LENGTH);
    const { buffer, path } = mapFileAt(address);
    munmap(address, LENGTH);
    assert.deepEqual(partsOf(path), []);
    assert.ok(new Uint8Array(buffer).every((byte) => byte === 0));
    munmap(buffer);
  });

  it('a length inside the last page takes the whole page, as the kernel does', () => {
    const address = hole(LENGTH);
    const { buffer, path } = mapFileAt(address);
    munmap(address, PAGE_SIZE + 1);
    assert.equal(partsOf(path)[0].start, address + BigInt(2 * PAGE_SIZE));
    munmap(buffer);
  });

  it('of length 0, or from inside a page, is EINVAL', () => {
    const { buffer, path } = mapFileAt(null);
    assert.throws(() => munmap(buffer, 0), { code: 'EINVAL', errno: -22, syscall: 'munmap' });
    assert.throws(() => munmap(new Uint8Array(buffer, 1)), { code: 'EINVAL', syscall: 'munmap' });
    assert.equal(partsOf(path).length, 1);
    assert.equal(new Uint8Array(buffer)[0], 1);
    munmap(buffer);
  });

  it('memory of others stays as it is: ERR_MEMMAP_FOREIGN_ADDRESS', () => {
    const { start, end } = maps().find(({ path }) => path === process.execPath);
    const address = hole(LENGTH);
    const { buffer } = mapFileAt(address);
    for (const [name, call] of Object.entries(CALLS)) {
      assert.throws(() => call(start, Number(end - start)), FOREIGN, name);
      assert.throws(() => call(address, LENGTH + 1), FOREIGN, `${name}, past the end of ours`);
      assert.throws(() => call(address - 1n, LENGTH), FOREIGN, `${name}, before ours`);
      assert.throws(() => call(2n ** 64n - 4096n, LENGTH), FOREIGN, `${name}, around the end of all addresses`);
    }
    assert.deepEqual([mapAt(start).end, mapAt(address).end], [end, address + BigInt(LENGTH)]);
    munmap(buffer);
  });

  it('a buffer of the engine is not memory of memmap', () => {
    for (const where of [new ArrayBuffer(LENGTH), new SharedArrayBuffer(LENGTH), Buffer.alloc(LENGTH), new ArrayBuffer(0)]) {
      for (const [name, call] of Object.entries(CALLS)) assert.throws(() => call(where), FOREIGN, name);
    }
  });
});
