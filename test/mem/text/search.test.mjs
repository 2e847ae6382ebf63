// indexOf() and lastIndexOf() of any mapping, at any length: lib/mem/text/search.ts, lib/mem/mapping.ts.
import assert from 'node:assert/strict';

import { mapAnonymous, mapFile } from 'memmap';

import { randomBytes } from '../../support/random.mjs';
import { GIB, makeSparse } from '../../support/sparse.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

/** Bytes of the first piece that is searched: lib/mem/text/search.ts. */
const PIECE = 2 ** 16;

describe('lastIndexOf', () => {
  const file = temporaryFiles();

  it('refuses what is no needle, and a place that is not a number', () => {
    const mapping = mapFile(file('arguments', 'abc'));
    for (const needle of [undefined, null, {}, 1n, new Uint16Array(1)]) {
      assert.throws(() => mapping.lastIndexOf(needle), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    for (const needle of [-1, 256, 1.5, NaN]) assert.throws(() => mapping.lastIndexOf(needle), { code: 'ERR_OUT_OF_RANGE' });
    for (const from of [null, '1', 1n, {}]) assert.throws(() => mapping.lastIndexOf('a', from), { code: 'ERR_INVALID_ARG_TYPE' });
    mapping.close();
    assert.throws(() => mapping.lastIndexOf('a'), { code: 'ERR_MEMMAP_CLOSED' });
  });

  for (let seed = 1; seed <= 6; seed++) {
    it(`is what Buffer finds in random bytes, from everywhere (seed ${seed})`, () => {
      const length = [0, 1, 2, 17, 300, 5000][seed - 1];
      const content = randomBytes(length, [97, 97, 98], seed);
      const mapping = mapFile(file(`random-${seed}`, content));
      const needles = ['', 'a', 'b', 'ab', 'aaaa', 'bab', 97, 98, 99, 'c', Buffer.from('aab'), Buffer.alloc(0), Buffer.from(content), `${content}a`];
      for (let i = 1; i < 6; i++) needles.push(content.subarray(i * 3, i * 3 + i * 2));
      const places = [undefined, NaN, 0, -0, 1, 2, 1.9, -1, -1.9, -2, 16, 17, 18, 299, -300, 4000, -4000, length, -length, -length - 1, 2 ** 31, -(2 ** 31), Infinity, -Infinity];
      for (const needle of needles) {
        for (const from of places) {
          assert.equal(mapping.lastIndexOf(needle, from), content.lastIndexOf(needle, from), `${String(needle).slice(0, 20)} from ${from}`);
        }
      }
      mapping.close();
    });
  }

  it('finds a needle across the ends of the pieces that are searched', () => {
    const mapping = mapFile(file('pieces', Buffer.alloc(5 * PIECE)), { access: 'read-write' });
    const { bytes } = mapping;
    for (const edge of [mapping.length - PIECE, mapping.length - 3 * PIECE, 0, mapping.length]) {
      for (let at = Math.max(0, edge - 7); at <= Math.min(edge + 1, mapping.length - 6); at++) {
        bytes.fill(0);
        bytes.write('needle', at);
        assert.equal(mapping.lastIndexOf('needle'), at);
        assert.equal(mapping.lastIndexOf('needle', at), at);
        assert.equal(mapping.lastIndexOf('needle', at - 1 - mapping.length), -1);
        if (at > 0) assert.equal(mapping.lastIndexOf(0, at - 1), at - 1);
      }
    }
    mapping.close();
  });

  it('is right where the needle is everywhere', () => {
    const mapping = mapFile(file('dense', Buffer.alloc(3 * PIECE, 'a')));
    const needle = Buffer.alloc(PIECE, 'a');
    assert.equal(mapping.lastIndexOf(needle), 2 * PIECE);
    assert.equal(mapping.lastIndexOf(needle, PIECE + 5), PIECE + 5);
    assert.equal(mapping.lastIndexOf('a', -2), mapping.length - 2);
    mapping.close();
  });

  it('is right in a file of 5 GiB', () => {
    const marks = [[5, 'needle'], [2 * GIB - 3, 'needle'], [4 * GIB - 3, 'needle'], [5 * GIB - 6, 'needle']];
    const mapping = mapFile(makeSparse(file('long'), 5 * GIB, marks));
    const places = marks.map(([at]) => at);
    for (const at of places) {
      assert.equal(mapping.lastIndexOf('needle', at), at);
      assert.equal(mapping.lastIndexOf('needle', at - 5 * GIB), at);
      assert.equal(mapping.lastIndexOf('n'.charCodeAt(0), at + 5), at);
    }
    assert.equal(mapping.lastIndexOf('needle'), 5 * GIB - 6);
    assert.equal(mapping.lastIndexOf('needle', NaN), 5 * GIB - 6);
    assert.equal(mapping.lastIndexOf('needle', 4 * GIB - 4), 2 * GIB - 3);
    assert.equal(mapping.lastIndexOf('', 5 * GIB - 1), 5 * GIB - 1);
    assert.equal(mapping.lastIndexOf('nought', GIB), -1);
    mapping.close();
  });

  it('and indexOf, work on memory without a file', () => {
    const mapping = mapAnonymous({ length: 2 ** 20 });
    mapping.bytes.write('needle', 2 ** 19);
    mapping.bytes.write('needle', 2 ** 18);
    assert.deepEqual([mapping.indexOf('needle'), mapping.lastIndexOf('needle'), mapping.indexOf('nadel')], [2 ** 18, 2 ** 19, -1]);
    mapping.close();
  });
});
