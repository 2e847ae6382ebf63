// Lines know where they are and what ended them, also backwards, and past 4 GiB:
// lib/file/reading/{line,lines,lines-backwards}.ts.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { skip } from '../support/hooks.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { randomBytes } from '../support/random.mjs';
import { GIB, makeSparse } from '../support/sparse.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const [LF, CR] = [10, 13];
/** Bytes that one pass searches, and that one buffer spans: lib/file/reading/line.ts. */
const CHUNK = 2 ** 14;
const STRETCH = 2 ** 26;
const MARK = '\ufeff';

/** What lines() is to give, written down naively: [offset, terminator, text]. */
function naiveLines(bytes, { offset = 0, length = bytes.length - offset, breaks = 'lf', stripBom = false, reverse = false } = {}) {
  const end = offset + length;
  const marked = stripBom && offset === 0 && length >= 3 && bytes.subarray(0, 3).equals(Buffer.from(MARK));
  const lines = [];
  let start = marked ? 3 : offset;
  const push = (stop, terminator) => {
    lines.push([start, terminator, bytes.toString('latin1', start, stop)]);
    start = stop + terminator.length;
  };
  for (let i = start; i < end; i++) {
    if (bytes[i] === LF) push(i, '\n');
    else if (bytes[i] === CR && i + 1 < end && bytes[i + 1] === LF) push(i++, '\r\n');
    else if (bytes[i] === CR && breaks === 'any') push(i, '\r');
  }
  if (start < end) push(end, '');
  return reverse ? lines.toReversed() : lines;
}

const shown = (lines) => Array.from(lines, (line) => [line.offset, line.terminator, line.toString('latin1')]);

const EVERY_WAY = ['lf', 'any'].flatMap((breaks) => [false, true].map((reverse) => ({ breaks, reverse })));

describe('lines', () => {
  const file = temporaryFiles();
  let number = 0;
  const mapped = (content, options) => mapFile(file(`${number++}`, content), options);

  describe('arguments', () => {
    it('refuses other options and values, when called', () => {
      const mapping = mapped('a\n');
      for (const options of [{ breaks: 'crlf' }, { breaks: null }, { Reverse: true }, { strip: true }]) {
        assert.throws(() => mapping.lines(options), { code: 'ERR_INVALID_ARG_VALUE' });
      }
      for (const options of [{ reverse: 1 }, { stripBom: 'yes' }, null, 5]) {
        assert.throws(() => mapping.lines(options), { code: 'ERR_INVALID_ARG_TYPE' });
      }
      assert.throws(() => mapping.lines({ reverse: true, length: 3 }), { code: 'ERR_OUT_OF_RANGE' });
      mapping.close();
      assert.throws(() => mapping.lines({ reverse: true }), { code: 'ERR_MEMMAP_CLOSED' });
    });
  });

  describe('behaviour', () => {
    for (const content of ['', '\n', 'a', 'a\n', '\r', '\r\n', '\n\r', '\r\r\n\r', 'a\rb\r\nc\nd', '\n\n', 'a\r', MARK, `${MARK}\n`, `${MARK}a\r\n${MARK}`, '\xef\xbb']) {
      it(`gives offsets and terminators of ${JSON.stringify(content)}, in each way`, () => {
        const mapping = mapped(content);
        const bytes = Buffer.from(content);
        for (const way of EVERY_WAY) {
          for (const stripBom of [false, true]) {
            const options = { ...way, stripBom };
            assert.deepEqual(shown(mapping.lines(options)), naiveLines(bytes, options), JSON.stringify(options));
          }
        }
        mapping.close();
      });
    }

    for (let seed = 1; seed <= 6; seed++) {
      it(`is what a naive split is over random bytes, and parts of them (seed ${seed})`, () => {
        const content = randomBytes(40_000, [LF, CR, CR, 97, 98, 0, 255], seed);
        const part = { offset: seed * 13, length: 30_000 + seed };
        const mapping = mapped(content);
        const unaligned = mapFile(mapping.path, { offset: 5 });
        for (const way of EVERY_WAY) {
          assert.deepEqual(shown(mapping.lines(way)), naiveLines(content, way));
          assert.deepEqual(shown(mapping.lines({ ...way, ...part })), naiveLines(content, { ...way, ...part }));
          assert.deepEqual(shown(unaligned.lines(way)), naiveLines(content.subarray(5), way));
        }
        unaligned.close();
        mapping.close();
      });
    }

    it('finds breaks on both sides of every place where a search ends', () => {
      const mapping = mapped(Buffer.alloc(2 * CHUNK + 8), { access: 'read-write' });
      const { bytes } = mapping;
      for (let shift = -3; shift <= 3; shift++) {
        for (const text of ['\r\n', '\r', '\n', '\r\r\n', '\n\r']) {
          bytes.fill('x');
          for (const edge of [CHUNK, mapping.length - CHUNK]) bytes.write(text, edge + shift);
          for (const way of EVERY_WAY) assert.deepEqual(shown(mapping.lines(way)), naiveLines(bytes, way), `${inspect(text)} at ${shift}`);
        }
      }
      mapping.close();
    });

    it('finds breaks on both sides of the ends of stretches, and lines longer than one', () => {
      const texts = ['first\r', '\n', 'y'.repeat(10), '\r'];
      const long = Buffer.alloc(STRETCH + 10, 'x');
      const content = Buffer.concat([Buffer.from(texts.join('')), Buffer.alloc(STRETCH - 19, 'y'), Buffer.from('\r\n'), long, Buffer.from('\rlast')]);
      const mapping = mapped(content);
      const expected = [[0, '\r\n', 5], [7, '\r', 10], [18, '\r\n', STRETCH - 19], [STRETCH + 1, '\r', STRETCH + 10], [2 * STRETCH + 12, '', 4]];
      for (const reverse of [false, true]) {
        const lines = Array.from(mapping.lines({ breaks: 'any', reverse }), ({ offset, terminator, length }) => [offset, terminator, length]);
        assert.deepEqual(lines, reverse ? expected.toReversed() : expected);
      }
      mapping.close();
    });

    it('leaves out a byte order mark at byte 0 of the mapping only', () => {
      const mapping = mapped(`${MARK}a\n${MARK}b\n`);
      const texts = (options) => Array.from(mapping.lines({ stripBom: true, ...options }), String);
      assert.deepEqual(texts(), ['a', `${MARK}b`]);
      assert.deepEqual(texts({ reverse: true }), [`${MARK}b`, 'a']);
      assert.deepEqual(texts({ offset: 5 }), [`${MARK}b`]);
      assert.deepEqual(texts({ length: 2 }), [Buffer.from(MARK).toString('utf8', 0, 2)]);
      mapping.close();
    });

    it('a line is a Buffer, in place, with two fields', () => {
      const mapping = mapped('a\nbc\r\n');
      for (const reverse of [false, true]) {
        const line = [...mapping.lines({ reverse })].find(({ offset }) => offset === 2);
        assert.ok(Buffer.isBuffer(line));
        assert.equal(line.constructor, Buffer);
        assert.deepEqual(Object.keys(line).filter((key) => !/^\d/.test(key)), ['offset', 'terminator']);
        assert.equal(inspect(line), "<Buffer 62 63, offset: 2, terminator: '\\r\\n'>");
        assert.equal(line.buffer, mapping.buffer);
        assert.equal(line.map((byte) => byte + 1).toString(), 'cd');
        assert.equal(line.subarray(1).toString(), 'c');
      }
      mapping.close();
    });
  });

  describe('backwards', () => {
    it('ends early without harm, and follows a mapping that shrinks or grows meanwhile', () => {
      const path = file('resized', 'one\ntwo\nthree\nfour\n');
      const mapping = mapFile(path, { access: 'read-write' });
      const lines = mapping.lines({ reverse: true });
      assert.equal(lines.next().value.toString(), 'four');
      mapping.resize(6); // inside 'two'
      assert.deepEqual(shown(lines), [[4, '', 'tw'], [0, '\n', 'one']]);
      assert.deepEqual(lines.next(), { done: true, value: undefined });
      mapping.resize(19);
      const again = mapping.lines({ reverse: true });
      assert.equal(again.next().value.offset, 14);
      mapping.resize(100);
      assert.deepEqual(shown(again), [[8, '\n', 'three'], [4, '\n', 'two'], [0, '\n', 'one']]);
      const some = mapping.lines({ reverse: true });
      assert.deepEqual(some.return(), { done: true, value: undefined });
      assert.equal(some.next().done, true);
      mapping.close();
    });

    for (const buffer of ['shared', 'array']) {
      const its = buffer === 'array' ? itExternal : it;
      its(`after close is ERR_MEMMAP_CLOSED (buffer: '${buffer}')`, () => {
        const mapping = mapped('a\nb\nc\n', { buffer });
        const lines = mapping.lines({ reverse: true });
        lines.next();
        mapping.close();
        assert.throws(() => lines.next(), { code: 'ERR_MEMMAP_CLOSED' });
      });
    }

    itExternal('after a transfer is ERR_MEMMAP_DETACHED', function () {
      if (ArrayBuffer.prototype.transfer === undefined) skip(this, 'this runtime has no transfer()');
      const mapping = mapped('a\nb\nc\n', { buffer: 'array' });
      const lines = mapping.lines({ reverse: true });
      lines.next();
      mapping.buffer.transfer();
      assert.throws(() => lines.next(), { code: 'ERR_MEMMAP_DETACHED' });
      mapping.close();
    });

    it('reads no more of the file than the lines that are asked for', function () {
      const length = 2 ** 26;
      const path = file('cold', Buffer.alloc(length, `${'x'.repeat(99)}\n`));
      const mapping = mapFile(path, { advice: 'random' }); // without reading ahead
      needsDisk(this, mapping);
      mapping.evict();
      mapping.advise('random');
      let count = 0;
      for (const line of mapping.lines({ reverse: true, breaks: 'any' })) {
        assert.equal(line.length, count === 0 ? length % 100 : 99);
        if (++count === 500) break;
      }
      const parts = residentParts(mapping.residency());
      assert.ok(parts.length > 0);
      assert.ok(parts.every(({ offset }) => offset >= length - 500 * 100 - 2 * CHUNK - PAGE_SIZE), JSON.stringify(parts));
      mapping.close();
    });
  });

  describe('of a file of 5 GiB', () => {
    const LENGTH = 5 * GIB;
    const marks = [[4 * GIB - 5, '\nedge\r\nnext\nafter\n'], [LENGTH - 19, '\nfirst\rsecond\nlast']];
    const open = (options) => mapFile(makeSparse(file('sparse'), LENGTH, marks), options);

    it('have exact offsets, forwards and backwards', () => {
      const mapping = open();
      const expected = [
        [4 * GIB - 4, '\r\n', 'edge'],
        [4 * GIB + 2, '\n', 'next'],
        [4 * GIB + 7, '\n', 'after'],
      ];
      for (const reverse of [false, true]) {
        for (const breaks of ['lf', 'any']) {
          const near = shown(mapping.lines({ offset: 4 * GIB - 4, length: 17, reverse, breaks }));
          assert.deepEqual(near, reverse ? expected.toReversed() : expected);
        }
      }
      const backwards = mapping.lines({ reverse: true, breaks: 'any' });
      const last = Array.from({ length: 3 }, () => backwards.next().value);
      assert.deepEqual(shown(last), [[LENGTH - 5, '', 'last\0'], [LENGTH - 12, '\n', 'second'], [LENGTH - 18, '\r', 'first']]);
      const { value: long } = backwards.next();
      assert.deepEqual([long.offset, long.length, long.terminator], [4 * GIB + 13, GIB - 32, '\n']);
      mapping.close();
    });
  });
});
