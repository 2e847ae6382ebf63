// The guard takes no other file for the one that is mapped: lib/file/file-identity.ts,
// src-native/core/extent/{backing,vma}.cc.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mapFile } from 'memmap';
import { MAP, PAGE_SIZE as PAGE, PROT, mmap } from 'memmap/sys';
import { coverByTmpfs, mountOverlayfs, smallTmpfs } from '../support/kernel/mount.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';

const LENGTH = 16 * PAGE;

describe('a file of the same path and inode number on another device', () => {
  const tmpfs = smallTmpfs('4m');

  /** Maps a file of one tmpfs, and covers it by a file of another. */
  function covered(map) {
    const path = tmpfs('f');
    writeFileSync(path, Buffer.alloc(LENGTH, 'a'));
    const before = statSync(path);
    const fd = openSync(path, 'r+');
    const mapped = map(path, fd);
    const cover = coverByTmpfs(tmpfs(''));
    writeFileSync(path, Buffer.alloc(LENGTH, 'b'));
    const after = statSync(path);
    assert.equal(after.ino, before.ino);
    assert.notEqual(after.dev, before.dev);
    return { mapped, fd, end: () => (closeSync(fd), cover[Symbol.dispose]()) };
  }

  it('does not tell how long the mapped file is', () => {
    const { mapped, fd, end } = covered((path) => mapFile(path, { access: 'read-write' }));
    ftruncateSync(fd, PAGE);
    assert.equal(mapped.bytes[LENGTH - 1], 0);
    assert.equal(mapped.bytes[0], 97);
    assert.equal(mapped.faults.truncated, 1);
    assert.equal(mapped.faults.noSpace, 0);
    mapped.close();
    end();
  });

  it('does not tell copyOut() how long the mapped file is', () => {
    const { mapped, fd, end } = covered((path) => mapFile(path));
    ftruncateSync(fd, LENGTH - 5);
    assert.throws(() => mapped.copyOut(0, LENGTH), { code: 'ERR_MEMMAP_TRUNCATED', offset: LENGTH - 5 });
    mapped.close();
    end();
  });

  it('is not what a stray write makes a copy of', () => {
    const { mapped, end } = covered((_path, fd) => new Uint8Array(mmap(null, LENGTH, PROT.READ, MAP.SHARED, fd, 0, { shared: !hasExternalBuffers })));
    mapped[PAGE] = 1;
    assert.equal(mapped[PAGE], 1);
    for (const at of [0, PAGE + 1, LENGTH - 1]) assert.equal(mapped[at], 97);
    end();
  });
});

describe('a file of overlayfs, of which /proc shows another', () => {
  const overlay = mountOverlayfs({ lower: Buffer.alloc(LENGTH, 'l'), cut: Buffer.alloc(LENGTH, 'c') });

  it('is guarded: a stray write to its lower layer', () => {
    const mapping = mapFile(overlay('lower'));
    assert.equal(mapping.bytes[0], 108);
    mapping.bytes[PAGE] = 1;
    assert.deepEqual([mapping.bytes[PAGE], mapping.bytes[PAGE + 1]], [1, 108]);
    assert.equal(mapping.faults.violations, 1);
    mapping.close();
    assert.equal(mapFile(overlay('lower')).bytes[PAGE], 108);
  });

  it('is guarded: its end is lost', () => {
    const path = overlay('cut');
    closeSync(openSync(path, 'r+')); // copied to the upper layer
    const mapping = mapFile(path, { access: 'read-write' });
    assert.equal(mapping.bytes[0], 99);
    truncateSync(path, PAGE);
    assert.equal(mapping.bytes[LENGTH - 1], 0);
    assert.equal(mapping.bytes[0], 99);
    assert.equal(mapping.faults.truncated, 1);
    mapping.close();
  });
});
