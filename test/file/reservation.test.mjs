// reserve() takes addresses without memory, and place() puts mappings there: lib/file/reservation.ts,
// src-native/core/mapping/placed_part.cc.
import assert from 'node:assert/strict';

import { mapAnonymous, mapFile, reserve } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { readElsewhere } from '../support/process/elsewhere.mjs';
import { mapAt, maps, smapsAt } from '../support/kernel/proc.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 16;
const LENGTH = PAGES * PAGE_SIZE;
const page = (space, number) => space.address + BigInt(number * PAGE_SIZE);
const permissions = (space) =>
  Array.from({ length: PAGES }, (_, number) => mapAt(page(space, number))?.permissions ?? 'none');

describe('Reservation', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    itExternal('places the rest of a file, and neither a file nor a length is an error', () => {
      const space = reserve(LENGTH);
      const content = Buffer.alloc(3 * PAGE_SIZE + 10, 'f');
      const path = file('rest', content);
      for (const offset of [0, 5, PAGE_SIZE, 3 * PAGE_SIZE + 9]) {
        const mapping = space.place(PAGE_SIZE, { file: path, offset });
        assert.equal(mapping.length, content.length - offset);
        assert.ok(mapping.copyOut(0, mapping.length).equals(content.subarray(offset)));
        mapping.close();
      }
      assert.equal(space.place(0, { file: path, length: undefined, offset: undefined }).length, content.length);
      const grown = space.place(8 * PAGE_SIZE, { file: file('grown', 'a'), access: 'read-write', size: 2 * PAGE_SIZE });
      assert.equal(grown.length, 2 * PAGE_SIZE);
      for (const what of [{}, { access: 'read' }, { file: undefined }]) {
        assert.throws(() => space.place(4 * PAGE_SIZE, what), { code: 'ERR_INVALID_ARG_VALUE', message: /file.*length/ });
      }
      const outOfRange = { code: 'ERR_OUT_OF_RANGE' };
      assert.throws(() => space.place(4 * PAGE_SIZE, { file: path, offset: content.length }), outOfRange);
      assert.throws(() => space.place(4 * PAGE_SIZE, { file: file('empty', '') }), outOfRange);
      assert.throws(() => space.place(14 * PAGE_SIZE, { file: path }), outOfRange);
      assert.throws(() => space.place(4 * PAGE_SIZE, { file: file('missing') }), { code: 'ENOENT', syscall: 'open' });
      space.close();
    });

    it('places within itself, at whole pages', () => {
      const space = reserve(LENGTH);
      const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
      assert.throws(() => space.place(1, { length: 1 }), outOfRange);
      assert.throws(() => space.place(LENGTH, { length: 1 }), outOfRange);
      assert.throws(() => space.place(LENGTH + PAGE_SIZE, { length: 1 }), outOfRange);
      assert.throws(() => space.place(0, { length: LENGTH + 1 }), outOfRange);
      assert.throws(() => space.place(PAGE_SIZE, { length: LENGTH }), outOfRange);
      assert.throws(() => space.place(0, { length: Number.MAX_SAFE_INTEGER }), outOfRange);
      assert.throws(() => space.place(0, { length: 0 }), outOfRange);
      assert.throws(() => space.place(0, { length: 1, address: 4096n }), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.deepEqual(permissions(space), Array(PAGES).fill('---p'));
      space.close();
    });
  });

  describe('behaviour', () => {
    it('takes addresses, whole pages of them, and no memory', () => {
      const space = reserve(2 ** 40 + 1);
      assert.equal(space.length, 2 ** 40 + PAGE_SIZE);
      const { start, end, permissions: none } = mapAt(space.address);
      assert.equal(none, '---p');
      assert.ok(start <= space.address && space.address + BigInt(space.length) <= end);
      assert.equal(smapsAt(space.address).Rss, 0);
      space.close();
    });

    itExternal('places memory and files at their offsets, inaccessible around them', () => {
      const path = file('placed', Buffer.alloc(2 * PAGE_SIZE, 'f'));
      const space = reserve(LENGTH);
      const memory = space.place(2 * PAGE_SIZE, { length: PAGE_SIZE + 1 });
      const mapping = space.place(6 * PAGE_SIZE, { file: path, length: 2 * PAGE_SIZE, access: 'read-write' });
      assert.equal(memory.address, page(space, 2));
      assert.equal(mapping.address, page(space, 6));
      const expected = Array(PAGES).fill('---p');
      expected.splice(2, 2, 'rw-p', 'rw-p');
      expected.splice(6, 2, 'rw-s', 'rw-s');
      assert.deepEqual(permissions(space), expected);
      assert.equal(mapAt(mapping.address).path, path);
      memory.bytes.fill(1);
      mapping.bytes.write('placed');
      assert.equal(mapping.count(102), 2 * PAGE_SIZE - 6);
      assert.equal(readElsewhere(path).toString('latin1', 0, 6), 'placed');
      space.close();
    });

    itExternal('places a file from an offset of its own', () => {
      const content = Buffer.alloc(3 * PAGE_SIZE);
      content.write('here', PAGE_SIZE);
      const path = file('offset', content);
      const space = reserve(LENGTH);
      const mapping = space.place(PAGE_SIZE, { file: path, offset: PAGE_SIZE, length: 4 });
      assert.equal(mapping.bytes.toString(), 'here');
      assert.equal(mapAt(page(space, 1)).offset, PAGE_SIZE);
      space.close();
    });

    itExternal('places shared memory, which its descriptor shares', () => {
      const space = reserve(LENGTH);
      const memory = space.place(0, { length: PAGE_SIZE, sharing: 'shared' });
      const second = mapFile(memory.fd);
      memory.bytes[5] = 9;
      assert.equal(second.bytes[5], 9);
      second.close();
      space.close();
    });

    itExternal('is EEXIST over an open mapping, in whatever way they overlap', () => {
      const space = reserve(LENGTH);
      const memory = space.place(4 * PAGE_SIZE, { length: 4 * PAGE_SIZE });
      memory.bytes.fill(7);
      for (const [first, count] of [[4, 4], [4, 1], [7, 1], [5, 2], [3, 2], [7, 2], [0, 16], [3, 6]]) {
        assert.throws(
          () => space.place(first * PAGE_SIZE, { length: count * PAGE_SIZE }),
          { name: 'SystemError', code: 'EEXIST' },
          `pages ${first} to ${first + count}`,
        );
      }
      assert.ok(memory.bytes.every((byte) => byte === 7));
      space.place(3 * PAGE_SIZE, { length: PAGE_SIZE });
      space.place(8 * PAGE_SIZE, { length: PAGE_SIZE });
      space.close();
    });

    itExternal('counts the pages that a file mapped from inside a page reaches into', () => {
      const path = file('unaligned', Buffer.alloc(3 * PAGE_SIZE, 'f'));
      const space = reserve(LENGTH);
      const neighbour = space.place(PAGE_SIZE, { length: PAGE_SIZE });
      neighbour.bytes.fill(7);
      // A page's worth of bytes from byte 5 on lies in two pages.
      assert.throws(() => space.place(0, { file: path, offset: 5, length: PAGE_SIZE }), { code: 'EEXIST' });
      assert.ok(neighbour.bytes.every((byte) => byte === 7));
      const last = (PAGES - 1) * PAGE_SIZE;
      assert.throws(() => space.place(last, { file: path, offset: 5, length: PAGE_SIZE }), { code: 'ERR_OUT_OF_RANGE' });
      space.close();
    });

    itExternal('can be filled again where a mapping was closed', () => {
      const space = reserve(LENGTH);
      const first = space.place(0, { length: 2 * PAGE_SIZE });
      first.bytes.fill(7);
      first.close();
      const second = space.place(PAGE_SIZE, { length: PAGE_SIZE });
      assert.ok(second.bytes.every((byte) => byte === 0));
      space.close();
    });

    itExternal('leaves the place free when placing fails', () => {
      const space = reserve(LENGTH);
      assert.throws(() => space.place(0, { file: file('missing'), length: 1 }), { code: 'ENOENT' });
      assert.throws(() => space.place(0, { file: file('short', 'abc'), length: 4 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.deepEqual(permissions(space), Array(PAGES).fill('---p'));
      space.place(0, { length: LENGTH }).close();
      space.close();
    });

    itExternal('keeps everybody else out: fixed placement elsewhere cannot hit it', () => {
      const space = reserve(LENGTH);
      const memory = space.place(0, { length: PAGE_SIZE });
      const options = { length: PAGE_SIZE, address: memory.address, placement: 'fixed-noreplace' };
      assert.throws(() => mapAnonymous(options), { code: 'EEXIST' });
      space.close();
    });
  });

  describe('after close', () => {
    itExternal('closes what was placed, and gives the addresses back', () => {
      const path = file('closed', Buffer.alloc(PAGE_SIZE, 'f'));
      // So large that what another thread maps meanwhile, at the upper end of the hole, is not at its start.
      const space = reserve(2 ** 40);
      const { address } = space;
      const memory = space.place(0, { length: PAGE_SIZE });
      const mapping = space.place(PAGE_SIZE, { file: path, length: PAGE_SIZE });
      space.close();
      space.close();
      assert.deepEqual([space.closed, memory.closed, mapping.closed], [true, true, true]);
      assert.equal(mapAt(address), undefined);
      assert.throws(() => space.place(0, { length: 1 }), { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' });
    });

    itExternal('keeps the addresses while a view is about, and shows it nothing', () => {
      const path = file('views', Buffer.alloc(PAGE_SIZE, 'f'));
      const space = reserve(LENGTH);
      const mapping = space.place(PAGE_SIZE, { file: path, length: PAGE_SIZE });
      const { bytes } = mapping;
      const { address } = mapping;
      assert.equal(bytes[0], 102);
      space.close();
      assert.ok(!maps().some((map) => map.path === path));
      if (bytes.length > 0) {
        assert.equal(bytes[0], 0);
        assert.notEqual(mapAt(address), undefined);
      }
    });

    itExternal('of a mapping first, the rest of the reservation goes on', () => {
      const space = reserve(LENGTH);
      const first = space.place(0, { length: PAGE_SIZE });
      const second = space.place(PAGE_SIZE, { length: PAGE_SIZE });
      second.bytes.fill(7);
      first.close();
      assert.ok(second.bytes.every((byte) => byte === 7));
      assert.notEqual(mapAt(space.address), undefined, 'the addresses stay taken');
      second.close();
      space.close();
      space[Symbol.dispose]();
    });
  });
});
