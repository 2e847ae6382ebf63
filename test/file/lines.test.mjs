// lines() splits a mapped file in place: lib/file/reading/lines.ts.
import assert from 'node:assert/strict';

import { mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { skip } from '../support/hooks.mjs';
import { randomBytes } from '../support/random.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LF = 10;
const CR = 13;

/** Bytes that one native pass looks at; a line that crosses its end is taken again. */
const STRETCH = 2 ** 26;

/** What lines() is to give, written down naively. */
function naiveLines(bytes) {
  const lines = [];
  let start = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== LF) continue;
    const end = i > start && bytes[i - 1] === CR ? i - 1 : i;
    lines.push(bytes.subarray(start, end).toString('latin1'));
    start = i + 1;
  }
  if (start < bytes.length) lines.push(bytes.subarray(start).toString('latin1'));
  return lines;
}

const latin1 = (lines) => Array.from(lines, (line) => line.toString('latin1'));

describe('lines', () => {
  const file = temporaryFiles();
  let number = 0;
  const mapped = (content, options) => mapFile(file(`${number++}`, content), options);

  describe('arguments', () => {
    it('demands a range inside the file, when called', () => {
      const mapping = mapped('a\nb\n');
      assert.throws(() => mapping.lines({ offset: 5 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => mapping.lines({ offset: 1, length: 4 }), { code: 'ERR_OUT_OF_RANGE' });
      mapping.close();
    });
  });

  describe('behaviour', () => {
    for (const [what, content, expected] of [
      ['an empty file', '', []],
      ['one line feed', '\n', ['']],
      ['empty lines', '\n\na\n\n', ['', '', 'a', '']],
      ['a missing last line feed', 'a\nb', ['a', 'b']],
      ['CRLF', 'a\r\nb\r\n\r\n', ['a', 'b', '']],
      ['a lone carriage return', 'a\rb\r\n\r', ['a\rb', '\r']],
      ['two carriage returns before a line feed', 'a\r\r\n', ['a\r']],
      ['NUL bytes', 'a\0b\n\0', ['a\0b', '\0']],
    ]) {
      it(`splits ${what}`, () => {
        const mapping = mapped(content);
        assert.deepEqual(latin1(mapping.lines()), expected);
        mapping.close();
      });
    }

    it('keeps multibyte UTF-8 whole', () => {
      const lines = ['žluťoučký kůň', '日本語', '🦥', ''];
      const mapping = mapped(lines.join('\n') + '\n');
      assert.deepEqual(Array.from(mapping.lines(), String), lines);
      mapping.close();
    });

    for (let seed = 1; seed <= 8; seed++) {
      it(`is what a naive split is over random bytes (seed ${seed})`, () => {
        const content = randomBytes(40_000, [LF, CR, CR, 97, 98, 0, 255], seed);
        const offset = seed * 13;
        const length = 30_000 + seed;
        const mapping = mapped(content);
        assert.deepEqual(latin1(mapping.lines()), naiveLines(content));
        assert.deepEqual(
          latin1(mapping.lines({ offset, length })),
          naiveLines(content.subarray(offset, offset + length)),
        );
        const part = mapFile(mapping.path, { offset });
        assert.deepEqual(latin1(part.lines()), naiveLines(content.subarray(offset)));
        part.close();
        mapping.close();
      });
    }

    it('finds lines across the ends of stretches, and longer than one', () => {
      const long = Buffer.alloc(STRETCH + 10, 'x');
      const content = Buffer.concat([Buffer.from('first\n'), Buffer.alloc(STRETCH - 8, 'y'), Buffer.from('\r\n'), long, Buffer.from('\nlast')]);
      const mapping = mapped(content);
      const lengths = Array.from(mapping.lines(), (line) => line.length);
      assert.deepEqual(lengths, [5, STRETCH - 8, STRETCH + 10, 4]);
      mapping.close();
    });

    it('gives more lines than one batch holds, in order', () => {
      const content = Array.from({ length: 10_000 }, (_, i) => `${i}`).join('\n');
      const mapping = mapped(content);
      assert.deepEqual(Array.from(mapping.lines(), Number), Array.from({ length: 10_000 }, (_, i) => i));
      mapping.close();
    });

    it('copies nothing: a write through another mapping shows in the line', () => {
      const path = file('zero-copy', 'first\nsecond\n');
      const mapping = mapFile(path);
      const writer = mapFile(path, { access: 'read-write' });
      const [first, second] = mapping.lines();
      writer.bytes.write('SECOND', 6);
      assert.equal(second.toString(), 'SECOND');
      assert.equal(first.buffer, mapping.buffer);
      writer.close();
      mapping.close();
    });

    it('ends early without harm', () => {
      const mapping = mapped('a\nb\nc\n');
      const lines = mapping.lines();
      assert.equal(lines.next().value.toString(), 'a');
      assert.deepEqual(lines.return(), { done: true, value: undefined });
      assert.equal(lines.next().done, true);
      for (const line of mapping.lines()) if (line.toString() === 'b') break;
      mapping.close();
    });

    it('goes on, with the bytes of the file, when refresh() moves the mapping meanwhile', () => {
      const content = 'one\ntwo\n'.repeat(PAGE_SIZE);
      const path = file('moving', content);
      const mapping = mapFile(path, { length: PAGE_SIZE, access: 'read-write' });
      const seen = [];
      for (const line of mapping.lines()) {
        seen.push(line.toString());
        if (seen.length === 10) mapping.resize(content.length);
      }
      assert.deepEqual(seen, content.slice(0, PAGE_SIZE).trimEnd().split('\n'));
      seen.length = 0;
      for (const line of mapping.lines()) {
        seen.push(line.toString());
        if (seen.length === 2) mapping.resize(16);
      }
      assert.deepEqual(seen, ['one', 'two', 'one', 'two']);
      mapping.close();
    });
  });

  describe('after close', () => {
    const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };

    it('is ERR_MEMMAP_CLOSED', () => {
      const mapping = mapped('a\nb\n');
      mapping.close();
      assert.throws(() => mapping.lines(), closed);
    });

    for (const buffer of ['shared', 'array']) {
      const its = buffer === 'array' ? itExternal : it;
      its(`in the middle is ERR_MEMMAP_CLOSED, never a line of zeros (buffer: '${buffer}')`, () => {
        const mapping = mapped('a\nb\nc\n', { buffer });
        const lines = mapping.lines();
        lines.next();
        mapping.close();
        assert.throws(() => lines.next(), closed);
      });
    }
  });

  it('has the helpers of iterators where the runtime does', function () {
    if (typeof Iterator === 'undefined') skip(this, 'this runtime has no iterator helpers');
    const mapping = mapFile(file('helpers', 'a\nbb\na\n'));
    assert.equal(mapping.lines().filter((line) => line.equals(Buffer.from('a'))).toArray().length, 2);
    mapping.close();
  });
});
