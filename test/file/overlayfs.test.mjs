// Files that overlayfs copies to the upper layer while they are mapped, as in a container: lib/file/layered-file.ts,
// lib/file/{file-backing,file-mapping}.ts, lib/mem/copy.ts, src-native/core/mapping/{file,restore}.cc.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, chmodSync, closeSync, openSync, readFileSync, renameSync, statSync, truncateSync, unlinkSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buffer } from 'node:stream/consumers';
import { dump, mapFile, reserve } from 'memmap';
import { PAGE_SIZE as PAGE } from 'memmap/sys';
import { descriptors, openedSince } from '../support/descriptors.mjs';
import { mountOverlayfs } from '../support/kernel/mount.mjs';
import { mapAt } from '../support/kernel/proc.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';

const LENGTH = 8 * PAGE;
const NAMES = Array.from({ length: 24 }, (_, i) => `f${i}`);

describe('a file that overlayfs copies up while it is mapped', () => {
  const overlay = mountOverlayfs({ ...Object.fromEntries(NAMES.map((name) => [name, Buffer.alloc(LENGTH, 'A')])), log: 'one\ntwo\n', large: 5 * 2 ** 30 });
  const unused = [...NAMES];
  const lower = () => overlay(unused.pop());

  /** Opens the file for writing, which copies it up, and writes B all over it, and `more`. */
  function write(path, more = '') {
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(LENGTH, 'B'));
    closeSync(fd);
    appendFileSync(path, more);
  }

  const letter = (bytes, at = 0) => String.fromCharCode(bytes[at]);

  it('has the same device and inode number before and after, wherever the kernel shows them', () => {
    const path = lower();
    const mapping = mapFile(path);
    const [before, shown] = [statSync(path), mapAt(mapping.address)];
    write(path);
    const after = statSync(path);
    assert.deepEqual([after.dev, after.ino], [before.dev, before.ino]);
    assert.deepEqual(mapAt(mapping.address), shown);
    assert.equal(letter(mapping.bytes), 'A', 'a view shows the lower layer');
    mapping.check(); // which makes no system call, and cannot know
    mapping.close();
  });

  it('is mapped anew by refresh(), in place, at the same length', () => {
    const path = lower();
    const mapping = mapFile(path);
    const { address, bytes } = mapping;
    assert.equal(letter(bytes), 'A');
    assert.equal(mapping.refresh(), false);
    write(path);
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.address, address);
    assert.ok(bytes.equals(readFileSync(path)), 'the view of before');
    assert.equal(mapping.refresh(), false);
    mapping.close();
  });

  it('is mapped anew by refresh() at another length, across pages: no fault, no mixture', () => {
    const path = lower();
    const mapping = mapFile(path);
    assert.equal(letter(mapping.bytes), 'A');
    write(path, Buffer.alloc(3 * PAGE, 'C'));
    assert.equal(mapping.refresh(), true);
    assert.ok(mapping.bytes.equals(readFileSync(path)));
    truncateSync(path, PAGE + 1);
    assert.equal(mapping.refresh(), true);
    assert.ok(mapping.bytes.equals(readFileSync(path)));
    mapping.check();
    assert.equal(mapping.faults.memoryFailures, 0);
    mapping.close();
  });

  it('is mapped anew by resize()', () => {
    const path = lower();
    const mapping = mapFile(path);
    assert.equal(letter(mapping.bytes), 'A');
    write(path, Buffer.alloc(3 * PAGE, 'C'));
    mapping.resize(LENGTH + 2 * PAGE);
    assert.ok(mapping.bytes.equals(readFileSync(path).subarray(0, LENGTH + 2 * PAGE)));
    mapping.check();
    mapping.close();
  });

  it('is what copyOut() copies', () => {
    const path = lower();
    const mapping = mapFile(path, { offset: 100 });
    assert.equal(letter(mapping.copyOut(0, 1)), 'A');
    write(path);
    assert.ok(mapping.copyOut(0, LENGTH - 100).equals(Buffer.alloc(LENGTH - 100, 'B')));
    assert.equal(letter(mapping.bytes), 'B');
    mapping.close();
  });

  it('is what stream() and blob() give', async () => {
    for (const open of [(path) => path, (path) => openSync(path, 'r')]) {
      const path = lower();
      const file = open(path);
      const mapping = mapFile(file, { offset: 100 });
      assert.equal(letter(mapping.bytes), 'A');
      write(path);
      const expected = Buffer.alloc(LENGTH - 100, 'B');
      assert.ok((await buffer(mapping.stream())).equals(expected));
      assert.ok(Buffer.from(await mapping.blob().arrayBuffer()).equals(expected));
      mapping.close();
      if (typeof file === 'number') closeSync(file);
    }
  });

  it('is found under its new name', () => {
    const path = lower();
    const mapping = mapFile(path);
    renameSync(path, `${path}-new`);
    write(`${path}-new`);
    assert.equal(letter(mapping.copyOut(0, 1)), 'B');
    mapping.close();
  });

  it('is ERR_MEMMAP_FILE_REPLACED to copyOut() after a fault, until refresh()', () => {
    const path = lower();
    const mapping = mapFile(path);
    mapping.bytes[0] = 1;
    write(path);
    for (let i = 0; i < 2; i++) {
      assert.throws(() => mapping.copyOut(PAGE, 1), { name: 'StateError', code: 'ERR_MEMMAP_FILE_REPLACED', message: /refresh\(\)/ });
      assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_READ_ONLY' });
    }
    assert.equal(mapping.refresh(), true);
    mapping.check();
    assert.equal(letter(mapping.copyOut(0, 1)), 'B');
    mapping.close();
  });

  it('is of the upper layer where protect() has repaired it through the descriptor of before', () => {
    const path = lower();
    const fd = openSync(path, 'r');
    const mapping = mapFile(fd);
    closeSync(fd);
    assert.equal(letter(mapping.bytes), 'A');
    write(path);
    assert.equal(mapping.refresh(), true);
    truncateSync(path, PAGE);
    assert.equal(letter(mapping.copyOut(0, 1)), 'B'); // which learns of this change, too
    assert.equal(mapping.bytes[LENGTH - 1], 0);
    assert.equal(mapping.faults.truncated, 1);
    mapping.protect('read');
    mapping.check();
    assert.equal(letter(mapping.bytes), 'B');
    mapping.close();
  });

  it('keeps what protect() did to parts', () => {
    const path = lower();
    const mapping = mapFile(path, { access: 'copy-on-write' });
    mapping.protect('read', { offset: PAGE, length: PAGE });
    write(path);
    assert.equal(mapping.refresh(), true);
    const permissions = [0, PAGE, 2 * PAGE].map((at) => mapAt(mapping.address + BigInt(at)).permissions);
    assert.deepEqual(permissions, ['rw-p', 'r--p', 'rw-p']);
    mapping.close();
  });

  it('leaves the pages that a copy-on-write mapping has written', () => {
    const path = lower();
    const mapping = mapFile(path, { access: 'copy-on-write' });
    mapping.bytes[PAGE] = 120;
    assert.equal(letter(mapping.bytes), 'A');
    write(path, 'more');
    assert.equal(letter(mapping.copyOut(0, 1)), 'B');
    mapping.copyIn(3 * PAGE, Buffer.from('own'));
    assert.equal(mapping.refresh(), true);
    chmodSync(path, 0o600);
    assert.equal(mapping.refresh(), true, 'the inode has changed');
    const expected = readFileSync(path);
    expected.fill('A', PAGE, 2 * PAGE);
    expected[PAGE] = 120;
    expected.write('own', 3 * PAGE);
    assert.ok(mapping.bytes.equals(expected));
    mapping.bytes[5 * PAGE] = 1;
    assert.equal(letter(readFileSync(path), 5 * PAGE), 'B');
    mapping.close();
  });

  it('is mapped anew where it was placed', function () {
    if (!hasExternalBuffers) this.skip();
    const path = lower();
    const space = reserve(16 * PAGE);
    const [read, own] = ['read', 'copy-on-write'].map((access, i) => space.place(i * LENGTH, { file: path, access }));
    own.bytes[0] = 120;
    write(path);
    assert.equal(read.refresh(), true);
    assert.equal(own.refresh(), true);
    assert.ok(read.bytes.equals(readFileSync(path)));
    assert.deepEqual([letter(own.bytes), letter(own.bytes, PAGE)], ['x', 'B']);
    space.close();
  });

  it('is not mapped anew by a read-write mapping, which is of the upper layer', () => {
    const path = lower();
    const mapping = mapFile(path, { access: 'read-write' });
    mapping.bytes.write('own');
    write(path);
    assert.equal(mapping.refresh(), false);
    assert.equal(letter(mapping.bytes), 'B');
    mapping.close();
  });

  it('is mapped as it is through a descriptor of before', () => {
    const path = lower();
    const before = descriptors();
    const fd = openSync(path, 'r');
    write(path);
    const mapping = mapFile(fd);
    closeSync(fd);
    assert.equal(letter(mapping.bytes), 'B');
    assert.equal(mapping.refresh(), false);
    mapping.close();
    assert.deepEqual(openedSince(before), []);
  });

  it('is followed through a descriptor, also by renaming and unlinking', () => {
    const path = lower();
    const fd = openSync(path, 'r');
    const mapping = mapFile(fd);
    closeSync(fd);
    assert.equal(letter(mapping.bytes), 'A');
    const writer = openSync(path, 'r+');
    renameSync(path, `${path}-new`);
    writeSync(writer, Buffer.alloc(LENGTH + 1, 'C'));
    assert.equal(letter(mapping.copyOut(0, 1)), 'C');
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.length, LENGTH + 1);
    unlinkSync(`${path}-new`);
    writeSync(writer, Buffer.alloc(LENGTH, 'D'), 0, LENGTH, 0);
    assert.equal(mapping.refresh(), true);
    assert.equal(letter(mapping.copyOut(0, 1)), 'D');
    mapping.evict();
    assert.equal(letter(mapping.bytes), 'D');
    closeSync(writer);
    mapping.close();
  });

  it('can be dumped by a descriptor of before', () => {
    const path = lower();
    const fd = openSync(path, 'r');
    write(path, 'more');
    assert.equal(dump(fd).size, LENGTH + 4);
    closeSync(fd);
  });

  it('of more than 4 GiB is mapped anew with the parts that were read of it', () => {
    const [path, at] = [overlay('large'), 2 ** 32 + 2 ** 20];
    const mapping = mapFile(path);
    const line = () => Array.from(mapping.lines({ offset: at, length: 3 }), String).join();
    assert.equal(line(), '\0\0\0');
    const fd = openSync(path, 'r+');
    writeSync(fd, 'new', at);
    assert.equal(mapping.refresh(), true);
    assert.equal(line(), 'new');
    writeSync(fd, 'two', at);
    closeSync(fd);
    assert.equal(mapping.refresh(), true);
    assert.equal(line(), 'two');
    mapping.close();
  });

  it('is followed by examples/follow: what is appended after the copy, too', async () => {
    const log = overlay('log');
    const main = fileURLToPath(new URL('../../examples/follow/main.mjs', import.meta.url));
    const child = spawn(process.execPath, [main, log], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async (count) => {
        const found = [];
        while (found.length < count) found.push((await lines.next()).value);
        return found;
      };
      assert.deepEqual(await next(2), ['one', 'two']);
      appendFileSync(log, 'three\n');
      assert.deepEqual(await next(1), ['three']);
      const many = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
      appendFileSync(log, `${many.join('\n')}\n`);
      assert.deepEqual(await next(2000), many);
    } finally {
      child.kill();
    }
  });
});
