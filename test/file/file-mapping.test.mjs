// FileMapping: searching its bytes, following its file, resizing it: lib/file/file-mapping.ts,
// lib/file/file-backing.ts, src-native/core/bytes/scan.cc.
import assert from 'node:assert/strict';
import { closeSync, openSync, renameSync, statSync, truncateSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';

import { mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { readElsewhere, truncateElsewhere, writeElsewhere } from '../support/process/elsewhere.mjs';
import { maps } from '../support/kernel/proc.mjs';
import { randomBytes, seeded } from '../support/random.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { smallTmpfs } from '../support/kernel/mount.mjs';

const GIB = 2 ** 30;
/** Bytes that one native pass searches; a needle can lie across its end. */
const SLICE = 2 ** 23;

describe('FileMapping', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('searches from inside the mapping only, for bytes', () => {
      const mapping = mapFile(file('arguments', 'abc'));
      assert.throws(() => mapping.indexOf('a', 4), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.indexOf(256), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.indexOf(null), { code: 'ERR_INVALID_ARG_TYPE' });
      assert.throws(() => mapping.count(-1), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.count(1, { offset: 2, length: 2 }), { code: 'ERR_OUT_OF_RANGE' });
      mapping.close();
    });
  });

  describe('search', () => {
    for (let seed = 1; seed <= 6; seed++) {
      it(`count and indexOf are what Buffer finds in random bytes (seed ${seed})`, () => {
        const content = randomBytes(50_000, [0, 10, 97, 98, 255], seed);
        const next = seeded(seed + 100);
        const skipped = next(5000);
        const mapping = mapFile(file(`search-${seed}`, content), { offset: skipped });
        const bytes = content.subarray(skipped);
        for (let round = 0; round < 50; round++) {
          const offset = next(bytes.length);
          const length = next(bytes.length - offset + 1);
          const byte = [0, 10, 97, 98, 255, 7][next(6)];
          const expected = bytes.subarray(offset, offset + length).filter((value) => value === byte).length;
          assert.equal(mapping.count(byte, { offset, length }), expected);

          const needle = Buffer.from(bytes.subarray(offset, offset + 1 + next(9)));
          if (round % 5 === 0) needle[0] = 7; // nowhere
          const from = next(bytes.length + 1);
          assert.equal(mapping.indexOf(needle, from), bytes.indexOf(needle, from));
          assert.equal(mapping.indexOf(needle[0], from), bytes.indexOf(needle[0], from));
        }
        mapping.close();
      });
    }

    it('finds needles wherever they lie across the end of a pass, and the first of them', () => {
      const needle = Buffer.from('<needle of sixteen>');
      const path = file('edges', '');
      truncateSync(path, 3 * SLICE);
      for (let before = 0; before <= needle.length; before++) {
        const at = 2 * SLICE - before;
        const fd = openSync(path, 'r+');
        writeSync(fd, needle, 0, needle.length, at);
        const mapping = mapFile(path);
        assert.equal(mapping.indexOf(needle), at);
        assert.equal(mapping.indexOf(needle, at), at);
        assert.equal(mapping.indexOf(needle, at + 1), -1);
        assert.equal(mapping.count(needle[0]), 1);
        mapping.close();
        writeSync(fd, Buffer.alloc(needle.length), 0, needle.length, at);
        closeSync(fd);
      }
    });

    it('finds a needle longer than a pass', () => {
      const needle = randomBytes(SLICE + 100, [1, 2, 3], 9);
      const path = file('long', Buffer.concat([Buffer.alloc(SLICE - 50), needle, Buffer.from('x')]));
      const mapping = mapFile(path);
      assert.equal(mapping.indexOf(needle), SLICE - 50);
      assert.equal(mapping.indexOf(needle, SLICE - 49), -1);
      mapping.close();
    });

    it('is exact past 4 GiB', () => {
      const path = file('past-4-gib', '');
      truncateSync(path, 5 * GIB);
      const fd = openSync(path, 'r+');
      for (const at of [4 * GIB - 3, 5 * GIB - 10]) writeSync(fd, 'needle', at);
      writeSync(fd, 'need', 4 * GIB + 100);
      closeSync(fd);
      const mapping = mapFile(path);
      const offset = 4 * GIB - 2 ** 20;
      assert.equal(mapping.indexOf('needle', offset), 4 * GIB - 3);
      assert.equal(mapping.indexOf('need', 4 * GIB), 4 * GIB + 100);
      assert.equal(mapping.count(110, { offset, length: 2 ** 21 }), 2);
      assert.equal(mapping.indexOf('needle', 5 * GIB - 2 ** 20), 5 * GIB - 10);
      assert.equal(mapping.count(101, { offset: 5 * GIB - 2 ** 20 }), 3);
      const range = { offset: 5 * GIB - 12, length: 9 };
      assert.deepEqual(Array.from(mapping.lines(range), String), ['\0\0needle\0']);
      mapping.close();
      const part = mapFile(path, { offset: 5 * GIB - 10, length: 6 });
      assert.equal(part.bytes.toString(), 'needle');
      part.close();
    });

    it('finds an empty needle where it starts, and nothing past the end', () => {
      const mapping = mapFile(file('empty-needle', 'abc'));
      assert.equal(mapping.indexOf(''), 0);
      assert.equal(mapping.indexOf('', 3), 3);
      assert.equal(mapping.indexOf('a', 3), -1);
      assert.equal(mapping.indexOf('abcd'), -1);
      assert.equal(mapping.count(97, { offset: 3 }), 0);
      mapping.close();
    });

    it('sees nothing beyond the mapping, though the page has more', () => {
      const mapping = mapFile(file('beyond', 'aaaabbbb'), { offset: 2, length: 3 });
      assert.equal(mapping.count(97), 2);
      assert.equal(mapping.count(98), 1);
      assert.equal(mapping.indexOf('bb'), -1);
      mapping.close();
    });
  });

  describe('size and refresh', () => {
    it('follows a file that another process makes longer', () => {
      const path = file('grew', 'one\n');
      const mapping = mapFile(path);
      assert.equal(mapping.refresh(), false);
      const before = mapping.bytes;
      writeElsewhere(path, 4, 'two\n');
      assert.equal(mapping.size(), 8);
      assert.equal(mapping.length, 4);
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.length, 8);
      assert.equal(mapping.bytes.toString(), 'one\ntwo\n');
      assert.notEqual(mapping.bytes, before);
      mapping.close();
    });

    it('follows over page boundaries, both ways, at an offset', () => {
      const content = randomBytes(10 * PAGE_SIZE, [1, 2, 3], 3);
      const path = file('pages', content.subarray(0, PAGE_SIZE));
      const mapping = mapFile(path, { offset: 100 });
      assert.ok(mapping.bytes.equals(content.subarray(100, PAGE_SIZE)));
      writeElsewhere(path, 0, content);
      assert.equal(mapping.refresh(), true);
      assert.ok(mapping.bytes.equals(content.subarray(100)));
      truncateElsewhere(path, 2 * PAGE_SIZE + 1);
      assert.equal(mapping.refresh(), true);
      assert.ok(mapping.bytes.equals(content.subarray(100, 2 * PAGE_SIZE + 1)));
      const pages = maps().filter((map) => map.path === path);
      assert.equal(pages.reduce((sum, { start, end }) => sum + Number(end - start), 0), 3 * PAGE_SIZE);
      truncateElsewhere(path, 50);
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.length, 0, 'the file ends before the mapping begins');
      assert.ok(!maps().some((map) => map.path === path));
      writeElsewhere(path, 0, content);
      assert.equal(mapping.refresh(), true);
      assert.ok(mapping.bytes.equals(content.subarray(100)));
      mapping.close();
    });

    it('stays within the length that was asked for', () => {
      const path = file('asked', 'abcdef');
      const mapping = mapFile(path, { length: 4 });
      writeElsewhere(path, 6, 'ghi');
      // overlayfs may have put the file elsewhere, and then it is mapped anew.
      assert.equal(mapping.refresh(), mapping.filesystem === 'overlay');
      truncateElsewhere(path, 2);
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.bytes.toString(), 'ab');
      writeElsewhere(path, 0, 'ABCDEF');
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.bytes.toString(), 'ABCD');
      mapping.close();
    });

    it('starts with an empty file and follows it', () => {
      const path = file('from-empty', '');
      const mapping = mapFile(path);
      assert.equal(mapping.length, 0);
      writeElsewhere(path, 0, 'born');
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.bytes.toString(), 'born');
      mapping.close();
    });

    it('says ERR_MEMMAP_FILE_REPLACED when another file is at the path, and maps what it mapped', () => {
      const path = file('replaced', 'old');
      const mapping = mapFile(path);
      renameSync(file('replacement', 'newer'), path);
      const replaced = { name: 'StateError', code: 'ERR_MEMMAP_FILE_REPLACED' };
      assert.throws(() => mapping.size(), replaced);
      assert.throws(() => mapping.refresh(), replaced);
      assert.throws(() => mapping.resize(5), replaced);
      assert.equal(mapping.bytes.toString(), 'old');
      assert.equal(statSync(path).size, 5);
      mapping.close();
    });

    it('reads on when the file is unlinked; by path there is none to follow', () => {
      const path = file('unlinked', 'still here');
      const mapping = mapFile(path);
      unlinkSync(path);
      assert.equal(mapping.bytes.toString(), 'still here');
      assert.throws(() => mapping.refresh(), { code: 'ENOENT' });
      mapping.close();
    });

    it('follows an unlinked file that was mapped by descriptor', () => {
      const path = file('unlinked-fd', 'abc');
      const fd = openSync(path, 'r+');
      unlinkSync(path);
      const mapping = mapFile(fd);
      writeSync(fd, 'defg', 3);
      closeSync(fd);
      assert.equal(mapping.refresh(), true);
      assert.equal(mapping.bytes.toString(), 'abcdefg');
      mapping.close();
    });
  });

  describe('resize', () => {
    it('grows the file with its blocks allocated, for everyone to see', () => {
      const path = file('resize', 'abc');
      const mapping = mapFile(path, { access: 'read-write' });
      mapping.resize(100 * PAGE_SIZE);
      const { size, blocks } = statSync(path);
      assert.equal(size, 100 * PAGE_SIZE);
      assert.ok(blocks * 512 >= size);
      mapping.bytes.write('end', size - 3);
      const seen = readElsewhere(path);
      assert.equal(seen.toString('latin1', 0, 3) + seen.toString('latin1', size - 3), 'abcend');
      mapping.close();
    });

    it('never makes a file shorter', () => {
      const path = file('shorter', Buffer.alloc(3 * PAGE_SIZE, 'f'));
      const mapping = mapFile(path, { access: 'read-write' });
      const { bytes } = mapping;
      mapping.resize(5);
      assert.equal(mapping.bytes.toString(), 'fffff');
      assert.equal(statSync(path).size, 3 * PAGE_SIZE);
      bytes.fill('x'); // what was taken before reads zeros, and its writes reach nobody
      assert.ok(readElsewhere(path).equals(Buffer.alloc(3 * PAGE_SIZE, 'f')));
      mapping.close();
    });

    it('stays within a file that is not to be written, and changes nothing', () => {
      for (const access of ['read', 'copy-on-write']) {
        const path = file(`resize-${access}`, Buffer.alloc(10, 'f'));
        const mapping = mapFile(path, { access, length: 4 });
        assert.throws(() => mapping.resize(11), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
        assert.equal(mapping.length, 4);
        mapping.resize(10);
        assert.equal(mapping.bytes.toString(), 'ffffffffff');
        assert.equal(statSync(path).size, 10);
        mapping.close();
      }
    });

    it('grows an empty file', () => {
      const path = file('resize-empty', '');
      const mapping = mapFile(path, { access: 'read-write' });
      mapping.resize(3);
      mapping.bytes.write('new');
      assert.equal(readElsewhere(path).toString(), 'new');
      mapping.close();
    });

    describe('on a full disk', () => {
      const onTmpfs = smallTmpfs(64 * PAGE_SIZE);

      it('is ENOSPC, with the file and the mapping as they were', () => {
        const path = onTmpfs('full');
        writeFileSync(path, 'abc');
        const mapping = mapFile(path, { access: 'read-write' });
        assert.equal(mapping.filesystem, 'tmpfs');
        assert.throws(() => mapping.resize(65 * PAGE_SIZE), {
          name: 'SystemError',
          code: 'ENOSPC',
          syscall: 'fallocate',
          path,
        });
        assert.equal(statSync(path).size, 3);
        assert.equal(mapping.length, 3);
        assert.equal(mapping.bytes.toString(), 'abc');
        mapping.close();
      });
    });
  });

  describe('after close', () => {
    it('is ERR_MEMMAP_CLOSED', () => {
      const mapping = mapFile(file('closed', 'abc'));
      mapping.close();
      const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };
      assert.throws(() => mapping.size(), closed);
      assert.throws(() => mapping.refresh(), closed);
      assert.throws(() => mapping.resize(1), closed);
      assert.throws(() => mapping.evict(), closed);
      assert.throws(() => mapping.indexOf('a'), closed);
      assert.throws(() => mapping.count(1), closed);
    });
  });
});
