// toString() decodes a mapping or a part, from a checked copy: lib/mem/text/decode.ts.
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { truncateSync } from 'node:fs';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { randomBytes } from '../../support/random.mjs';
import { GIB, makeSparse } from '../../support/sparse.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const { MAX_STRING_LENGTH } = constants;
const ENCODINGS = ['utf8', 'UTF-8', 'latin1', 'binary', 'ascii', 'hex', 'base64', 'base64url', 'utf16le', 'ucs2', 'UCS-2'];
/** Bytes that are decoded at once: lib/mem/text/decode.ts. */
const PIECE = 3 * 2 ** 21;

describe('toString', () => {
  const file = temporaryFiles();

  it('refuses an unknown encoding and option, and a part outside', () => {
    const mapping = mapFile(file('arguments', 'abc'));
    for (const encoding of ['utf9', '', null, 8, {}]) assert.throws(() => mapping.toString({ encoding }), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => mapping.toString({ Encoding: 'hex' }), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => mapping.toString('utf8'), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => mapping.toString({ offset: 4 }), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => mapping.toString({ offset: 1, length: 3 }), { code: 'ERR_OUT_OF_RANGE' });
    mapping.close();
    assert.throws(() => mapping.toString(), { code: 'ERR_MEMMAP_CLOSED' });
    assert.throws(() => String(mapping), { code: 'ERR_MEMMAP_CLOSED' });
  });

  it('is what Buffer decodes, in every encoding, of any part', () => {
    const content = Buffer.from('žluťoučký kůň, 日本語 🦥\0\xff\r\n'.repeat(20));
    const mapping = mapFile(file('text', content));
    assert.equal(String(mapping), content.toString());
    assert.equal(`${mapping}`, content.toString());
    for (const encoding of ENCODINGS) {
      assert.equal(mapping.toString({ encoding }), content.toString(encoding));
      for (const [offset, length] of [[0, 0], [1, 1], [3, 50], [content.length, 0], [content.length - 3, 3]]) {
        assert.equal(mapping.toString({ offset, length, encoding }), content.toString(encoding, offset, offset + length));
      }
    }
    mapping.close();
    const empty = mapFile(file('empty', ''));
    assert.equal(String(empty), '');
    empty.close();
  });

  it('splits no character between the pieces that are decoded', () => {
    const bytes = Buffer.alloc(PIECE + 20, 'a');
    const mapping = mapFile(file('pieces', bytes), { access: 'read-write' });
    const sequences = ['é', '日', '🦥', '\ufeff'].map((text) => Buffer.from(text));
    // Not UTF-8: sequences that are cut, continuations without a start, starts without continuations.
    sequences.push(...['8080808080', 'f09fa6', 'e697', 'c3c3a9', 'f0f09fa6a5', 'eda080', 'f4908080'].map((hex) => Buffer.from(hex, 'hex')));
    for (const sequence of sequences) {
      for (let at = PIECE - sequence.length - 1; at <= PIECE; at++) {
        mapping.bytes.fill('a', PIECE - 10);
        mapping.bytes.set(sequence, at);
        const whole = mapping.bytes.toString('utf8', PIECE - 10);
        assert.equal(mapping.toString().slice(PIECE - 10), whole, `${sequence.toString('hex')} at ${at - PIECE}`);
      }
    }
    const random = randomBytes(40, [0x61, 0x80, 0xbf, 0xc3, 0xe6, 0xf0], 3);
    mapping.bytes.set(random, PIECE - 20);
    for (const encoding of ENCODINGS) assert.equal(mapping.toString({ encoding }), mapping.bytes.toString(encoding));
    mapping.close();
  });

  it('of a truncated file is a FaultError, never zeros', () => {
    const path = file('truncated', Buffer.alloc(4 * PAGE_SIZE, 'x'));
    const mapping = mapFile(path);
    truncateSync(path, PAGE_SIZE + 10);
    const error = { name: 'FaultError', code: 'ERR_MEMMAP_TRUNCATED', offset: PAGE_SIZE + 10 };
    assert.throws(() => mapping.toString(), error);
    assert.throws(() => String(mapping), error);
    assert.equal(mapping.toString({ length: PAGE_SIZE }), 'x'.repeat(PAGE_SIZE));
    mapping.close();
  });

  it('names the longest string where the result would be longer, and reads nothing', () => {
    const mapping = mapFile(makeSparse(file('long'), 5 * GIB, [[4 * GIB + 1, 'text']]));
    for (const [encoding, length] of [
      ['utf8', 3 * MAX_STRING_LENGTH + 1],
      ['latin1', MAX_STRING_LENGTH + 1],
      ['hex', MAX_STRING_LENGTH / 2 + 1],
      ['base64', (MAX_STRING_LENGTH / 4) * 3 + 1],
      ['utf16le', 2 * MAX_STRING_LENGTH + 2],
    ]) {
      const message = new RegExp(`MAX_STRING_LENGTH, ${MAX_STRING_LENGTH}.*toString`);
      assert.throws(() => mapping.toString({ length, encoding }), { name: 'RangeError', code: 'ERR_STRING_TOO_LONG', message });
    }
    assert.throws(() => String(mapping), { code: 'ERR_STRING_TOO_LONG' });
    assert.equal(mapping.toString({ offset: 4 * GIB, length: 6, encoding: 'latin1' }), '\0text\0');
    mapping.close();
  });

  it('decodes what has more bytes than a string has characters, if it fits', () => {
    const length = MAX_STRING_LENGTH + 15;
    const mapping = mapFile(makeSparse(file('fits'), length, [[PIECE - 4, '日'.repeat(10)]]));
    const text = mapping.toString();
    assert.equal(text.length, length - 20);
    assert.equal(text.slice(PIECE - 4, PIECE + 8), `${'日'.repeat(10)}\0\0`);
    mapping.close();
  });

  it('works on memory without a file', () => {
    const mapping = mapAnonymous({ length: 5 });
    mapping.bytes.write('hello');
    assert.equal(String(mapping), 'hello');
    mapping.close();
  });
});
