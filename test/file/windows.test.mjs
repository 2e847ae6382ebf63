// windows() moves over a file of any size, in sub-mappings where it is too large for one buffer:
// lib/file/{reading/windows,sub-mappings}.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';

import { mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { randomBytes } from '../support/random.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const GIB = 2 ** 30;

describe('windows', () => {
  const file = temporaryFiles();

  /** A file of holes, with `marks` ([offset, text] pairs) in it. */
  function sparse(name, length, marks) {
    const path = file(name, '');
    truncateSync(path, length);
    const fd = openSync(path, 'r+');
    for (const [offset, text] of marks) writeSync(fd, text, offset);
    closeSync(fd);
    return path;
  }

  describe('arguments', () => {
    it('refuses an overlap that would never advance, when called', () => {
      const mapping = mapFile(file('arguments', 'abc'));
      assert.throws(() => mapping.windows({ size: 4, overlap: 4 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.windows({ size: 0 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.windows({ offset: 4 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.windows({ offset: 2, length: 2 }), { code: 'ERR_OUT_OF_RANGE' });
      mapping.close();
    });
  });

  describe('behaviour', () => {
    for (const [length, size, overlap] of [
      [0, 10, 0],
      [1, 10, 0],
      [10, 10, 0],
      [11, 10, 0],
      [10, 10, 9],
      [11, 10, 9],
      [1000, 7, 3],
      [3 * PAGE_SIZE + 1, PAGE_SIZE, 0],
      [3 * PAGE_SIZE + 1, PAGE_SIZE, 100],
      [1000, 1, 0],
    ]) {
      it(`covers ${length} bytes in windows of ${size} that share ${overlap}`, () => {
        const content = randomBytes(length, [0, 1, 2, 3], length + size);
        const mapping = mapFile(file(`${length}-${size}-${overlap}`, content));
        const expected = [];
        for (let offset = 0; offset < length; offset += size - overlap) {
          expected.push([offset, content.subarray(offset, offset + size).toString('hex')]);
          if (offset + size >= length) break;
        }
        const windows = Array.from(mapping.windows({ size, overlap }), (window) => [window.offset, window.toString('hex')]);
        assert.deepEqual(windows, expected);
        mapping.close();
      });
    }

    for (const [offset, length, size, overlap] of [
      [0, 0, 10, 0],
      [100, 0, 10, 3],
      [3, 1, 10, 9],
      [10, 85, 10, 3],
      [PAGE_SIZE - 1, PAGE_SIZE + 2, PAGE_SIZE, 1],
      [5, undefined, 1000, 999],
    ]) {
      it(`covers ${length ?? 'the'} bytes from ${offset} in windows of ${size} that share ${overlap}`, () => {
        const content = randomBytes(3 * PAGE_SIZE, [0, 1, 2, 3], offset + size);
        const mapping = mapFile(file(`part-${offset}-${length}`, content));
        const end = length === undefined ? content.length : offset + length;
        const expected = [];
        for (let at = offset; at < end; at += size - overlap) {
          expected.push([at, content.toString('hex', at, Math.min(at + size, end))]);
          if (at + size >= end) break;
        }
        const windows = Array.from(mapping.windows({ offset, length, size, overlap }), (window) => [window.offset, window.toString('hex')]);
        assert.deepEqual(windows, expected);
        mapping.close();
      });
    }

    it('a part that is given stays that part where the mapping grows or shrinks', () => {
      const mapping = mapFile(file('part-resized', Buffer.alloc(100)), { access: 'read-write' });
      const seen = [];
      for (const { offset, length } of mapping.windows({ offset: 10, length: 60, size: 25 })) {
        seen.push([offset, length]);
        if (offset === 10) mapping.resize(200);
        if (offset === 35) mapping.resize(65);
      }
      assert.deepEqual(seen, [[10, 25], [35, 25], [60, 5]]);
      mapping.close();
    });

    it('overlap exactly past 4 GiB', () => {
      const mapping = mapFile(sparse('part-long', 5 * GIB, [[4 * GIB - 2, 'edge'], [5 * GIB - 3, 'end']]));
      const windows = (options) => Array.from(mapping.windows(options), (window) => [window.offset - 4 * GIB, window.toString()]);
      assert.deepEqual(windows({ offset: 4 * GIB - 2, length: 4, size: 3, overlap: 2 }), [[-2, 'edg'], [-1, 'dge']]);
      assert.deepEqual(windows({ offset: 5 * GIB - 3, size: 2, overlap: 1 }), [[GIB - 3, 'en'], [GIB - 2, 'nd']]);
      mapping.close();
    });

    it('is what iterating over the mapping gives', () => {
      const content = randomBytes(600_000, [0, 1, 2, 3], 5);
      const mapping = mapFile(file('iterate', content));
      const offsets = [];
      const bytes = [];
      for (const window of mapping) {
        offsets.push(window.offset);
        bytes.push(window);
      }
      assert.deepEqual(offsets, [0, 2 ** 18, 2 ** 19]);
      assert.ok(Buffer.concat(bytes).equals(content));
      mapping.close();
    });

    it('starts at the byte of an unaligned mapping', () => {
      const content = randomBytes(3 * PAGE_SIZE, [0, 1, 2, 3], 6);
      const mapping = mapFile(file('unaligned', content), { offset: 5 });
      const windows = [...mapping.windows({ size: PAGE_SIZE })];
      assert.deepEqual(windows.map(({ offset }) => offset), [0, PAGE_SIZE, 2 * PAGE_SIZE]);
      assert.ok(Buffer.concat(windows).equals(content.subarray(5)));
      mapping.close();
    });

    it('copies nothing: what is written in a window is in the file', () => {
      const path = file('in-place', Buffer.alloc(100));
      const mapping = mapFile(path, { access: 'read-write' });
      for (const window of mapping.windows({ size: 30 })) window.write('!', 0);
      const again = mapFile(path);
      assert.deepEqual([0, 30, 60, 90].map((offset) => again.bytes[offset]), [33, 33, 33, 33]);
      again.close();
      mapping.close();
    });

    it('ends early without harm', () => {
      const mapping = mapFile(file('early', Buffer.alloc(100)));
      for (const window of mapping.windows({ size: 10 })) if (window.offset === 20) break;
      const windows = mapping.windows({ size: 10 });
      windows.next();
      windows.return();
      assert.equal(windows.next().done, true);
      mapping.close();
    });

    it('follows a mapping that shrinks or grows meanwhile', () => {
      const path = file('resized', Buffer.alloc(100, 'f'));
      const mapping = mapFile(path, { access: 'read-write' });
      const lengths = [];
      for (const window of mapping.windows({ size: 40 })) {
        lengths.push(window.length);
        assert.ok(window.every((byte) => byte === 102));
        if (window.offset === 0) mapping.resize(60);
      }
      assert.deepEqual(lengths, [40, 20]);
      mapping.close();
    });

    it('reaches the end of 100 GiB in one mapping', () => {
      const marks = [[0, 'head'], [5 * GIB - 2, 'edge'], [100 * GIB - 4, 'tail']];
      const mapping = mapFile(sparse('huge', 100 * GIB, marks));
      assert.equal(mapping.length, 100 * GIB);
      if (hasExternalShared) {
        assert.equal(mapping.buffer.byteLength, 100 * GIB);
        assert.equal(mapping.dataView({ offset: 100 * GIB - 4 }).getUint8(0), 't'.charCodeAt(0));
      } else {
        assert.throws(() => mapping.buffer, {
          name: 'UnsupportedError',
          code: 'ERR_MEMMAP_BUFFER_TOO_LARGE',
          message: /windows\(\)/,
        });
      }
      let seen = [];
      for (const [offset, text] of marks) {
        const part = mapFile(mapping.path, { offset, length: text.length });
        seen.push(part.bytes.toString());
        part.close();
      }
      assert.deepEqual(seen, ['head', 'edge', 'tail']);
      // One step of a gigabyte touches no page but those that are looked at.
      seen = [];
      for (const window of mapping.windows({ size: GIB })) {
        if (window.offset === 0) seen.push(window.toString('latin1', 0, 4));
        if (window.offset === 4 * GIB) seen.push(window.toString('latin1', GIB - 2));
        if (window.offset === 99 * GIB) seen.push(window.toString('latin1', GIB - 4));
      }
      assert.deepEqual(seen, ['head', 'ed', 'tail']);
      mapping.close();
    });

    it('shares what it maps among the windows of a mapping too large for one buffer', () => {
      const mapping = mapFile(sparse('pieces', 5 * GIB, []));
      const buffers = new Set();
      let count = 0;
      for (const window of mapping.windows({ size: PAGE_SIZE })) {
        buffers.add(window.buffer);
        if (++count === 1000) break;
      }
      assert.equal(buffers.size, 1);
      mapping.close();
    });
  });

  // Node 20 reaches them through mappings of parts, which nobody is to notice.
  describe('of a mapping of more than 4 GiB', () => {
    const LENGTH = 5 * GIB;
    const SIZE = 2 ** 20;
    const mapSparse = (options) => mapFile(sparse('parts', LENGTH, [[3 * GIB, 'here']]), options);

    function windowAt(mapping, offset) {
      for (const window of mapping.windows({ size: GIB })) if (window.offset === offset) return window;
      return assert.fail();
    }

    it('tell of faults at their place in the whole, once', async () => {
      const mapping = mapSparse();
      const told = [];
      const early = windowAt(mapping, 0);
      const listener = ({ kind, offset }) => told.push([kind, offset]);
      mapping.on('fault', listener);
      const late = windowAt(mapping, 4 * GIB);
      early[PAGE_SIZE] = 1;
      late[SIZE] = 1;
      const count = hasExternalShared ? 1 : 2; // one mapping is opened whole, once
      await until(() => told.length >= count, 'it is told of them');
      assert.deepEqual(told.map(([kind]) => kind), Array(count).fill('read-only'));
      assert.equal(mapping.faults.violations, count);
      assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_READ_ONLY' });
      truncateSync(mapping.path, 4 * GIB);
      assert.equal(late[2 * SIZE], 0);
      await until(() => told.length > count, 'it is told of the lost end');
      const [kind, offset] = told[count];
      assert.equal(kind, 'truncated');
      assert.ok(offset >= 4 * GIB, `at ${offset}`);
      mapping.off('fault', listener);
      mapping.close();
    });

    it('are counted after refresh() and close() too', () => {
      const mapping = mapSparse();
      for (let round = 1; round <= 3; round++) {
        const window = windowAt(mapping, 4 * GIB);
        truncateSync(mapping.path, 3 * GIB);
        assert.equal(window[0], 0);
        assert.equal(mapping.faults.truncated, round);
        assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_TRUNCATED' });
        assert.equal(mapping.refresh(), true);
        mapping.check();
        assert.equal(mapping.faults.truncated, round);
        truncateSync(mapping.path, LENGTH);
        mapping.refresh();
      }
      const window = windowAt(mapping, 0);
      mapping.close();
      assert.equal(window[0], 0);
      assert.deepEqual([mapping.faults.truncated, mapping.faults.afterClose], [3, 1]);
    });

    it('are protected as the whole is, and its parts, whichever came first', () => {
      const mapping = mapSparse({ access: 'read-write' });
      const violations = () => mapping.faults.violations;
      const part = { offset: 3 * GIB, length: PAGE_SIZE };
      const before = windowAt(mapping, 3 * GIB);
      mapping.protect('read', part);
      const after = mapping.windows({ size: 3 * GIB + 1 }).next().value;
      before[PAGE_SIZE] = 1;
      assert.equal(violations(), 0);
      before[0] = 1;
      assert.equal(violations(), 1);
      after[3 * GIB] = 1;
      assert.equal(violations(), hasExternalShared ? 1 : 2);
      mapping.protect('read-write', part);
      mapping.check();
      assert.equal(before.toString('latin1', 0, 4), 'here');
      mapping.protect('none');
      assert.equal(before[0], 0);
      assert.equal(windowAt(mapping, 0)[0], 0);
      assert.ok(violations() >= 2);
      mapping.protect('read-write');
      before[0] = 'H'.charCodeAt(0);
      assert.equal(mapping.copyOut(3 * GIB, 4).toString(), 'Here');
      mapping.close();
    });
  });

  describe('after close', () => {
    const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };

    it('is ERR_MEMMAP_CLOSED', () => {
      const mapping = mapFile(file('closed', 'abc'));
      mapping.close();
      assert.throws(() => mapping.windows(), closed);
      assert.throws(() => mapping[Symbol.iterator](), closed);
    });

    it('in the middle is ERR_MEMMAP_CLOSED', () => {
      const mapping = mapFile(file('closed-meanwhile', Buffer.alloc(100)));
      const windows = mapping.windows({ size: 10 });
      windows.next();
      mapping.close();
      assert.throws(() => windows.next(), closed);
    });

    it('the windows of a mapping too large for one buffer read zeros too', () => {
      const mapping = mapFile(sparse('closed-pieces', 5 * GIB, [[0, 'head']]));
      const { value: window } = mapping.windows({ size: PAGE_SIZE }).next();
      assert.equal(window.toString('latin1', 0, 4), 'head');
      mapping.close();
      assert.ok(window.every((byte) => byte === 0));
    });
  });
});
