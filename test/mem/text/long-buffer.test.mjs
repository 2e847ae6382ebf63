// A Buffer of more than 2 GiB has methods of its own, where Node's are wrong: lib/mem/text/long-buffer.ts.
import assert from 'node:assert/strict';

import { mapFile } from 'memmap';

import { GIB, makeSparse } from '../../support/sparse.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const OWN = ['indexOf', 'lastIndexOf', 'includes', 'toString', 'toLocaleString', 'subarray', 'slice'];

describe('bytes of more than 2 GiB', () => {
  const file = temporaryFiles();
  const LENGTH = 3 * GIB;
  const marks = [[5, 'needle'], [2 * GIB - 3, 'needle'], [LENGTH - 6, 'needle']];
  let mapping;
  let bytes;
  before(() => {
    mapping = mapFile(makeSparse(file('long'), LENGTH, marks));
    ({ bytes } = mapping);
  });
  after(() => mapping.close());

  it('have methods of their own, not enumerable; bytes of 2 GiB do not', () => {
    for (const name of OWN) assert.equal(Object.getOwnPropertyDescriptor(bytes, name)?.enumerable, false, name);
    const shorter = mapFile(mapping.path, { length: 2 * GIB });
    assert.deepEqual(OWN.filter((name) => Object.hasOwn(shorter.bytes, name)), []);
    shorter.close();
  });

  it('find what is there: a text, bytes, a byte', () => {
    const from = LENGTH - 2 ** 20;
    for (const needle of ['needle', Buffer.from('needle'), new Uint8Array(Buffer.from('needle'))]) {
      assert.equal(bytes.indexOf(needle, from), LENGTH - 6);
      assert.equal(bytes.indexOf(needle, from - LENGTH), LENGTH - 6);
      assert.equal(bytes.lastIndexOf(needle), LENGTH - 6);
      assert.equal(bytes.lastIndexOf(needle, -7), 2 * GIB - 3);
      assert.equal(bytes.lastIndexOf(needle, 2 * GIB - 3), 2 * GIB - 3);
      assert.equal(bytes.lastIndexOf(needle, undefined), LENGTH - 6);
      assert.equal(bytes.includes(needle, from), true);
      assert.equal(bytes.includes(needle, LENGTH - 5), false);
    }
    assert.equal(bytes.indexOf('needle'), 5);
    assert.equal(bytes.indexOf(0x6e + 256, from), LENGTH - 6); // as Node: of a number, the last eight bits
    assert.equal(bytes.lastIndexOf(0x6e), LENGTH - 6);
    assert.equal(bytes.lastIndexOf('6e6565', 'hex'), LENGTH - 6);
    assert.equal(bytes.indexOf('6e6565', from, 'hex'), LENGTH - 6);
    assert.equal(bytes.indexOf('', from), from);
    assert.equal(bytes.indexOf('', Infinity), LENGTH);
    assert.equal(bytes.lastIndexOf(''), LENGTH);
    assert.equal(bytes.lastIndexOf('needle', null), -1);
  });

  it('so does a long part of them', () => {
    for (const part of [bytes.subarray(4), bytes.slice(4)]) {
      assert.equal(part.lastIndexOf('needle'), LENGTH - 10);
      assert.equal(part.toString('latin1', 1, 7), 'needle');
    }
    assert.equal(Object.hasOwn(bytes.subarray(GIB), 'indexOf'), false);
  });

  it('refuse what they cannot answer, and name what can', () => {
    const error = { name: 'UnsupportedError', code: 'ERR_MEMMAP_BUFFER_TOO_LARGE', message: /mapping\.indexOf\(\)/ };
    assert.throws(() => bytes.indexOf('needle', 'utf16le'), error);
    assert.throws(() => bytes.lastIndexOf('needle', 0, 10), error);
    assert.throws(() => bytes.indexOf('needle', 0, 'utf9'), { code: 'ERR_UNKNOWN_ENCODING' });
    assert.throws(() => bytes.indexOf({}), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('decode parts, and refuse the whole by naming mapping.toString()', () => {
    assert.equal(bytes.toString('utf8', LENGTH - 6), 'needle');
    assert.equal(bytes.toString(undefined, LENGTH - 6, LENGTH - 3), 'nee');
    assert.equal(bytes.toString('hex', 2 * GIB - 3, 2 * GIB - 1), '6e65');
    assert.equal(bytes.toString('utf8', 7, 5), '');
    assert.equal(bytes.toString('utf8', LENGTH, 2 * LENGTH), '');
    assert.equal(bytes.toString('utf8', -1, 6), '\0\0\0\0\0n');
    for (const whole of [() => bytes.toString(), () => String(bytes), () => bytes.toString('latin1'), () => bytes.toLocaleString()]) {
      assert.throws(whole, { name: 'RangeError', code: 'ERR_STRING_TOO_LONG', message: /mapping\.toString\(/ });
    }
    assert.throws(() => bytes.toString('utf9'), { code: 'ERR_UNKNOWN_ENCODING' });
  });

  it('windows of more than 2 GiB have them, too', () => {
    const [window] = mapping.windows({ size: LENGTH });
    assert.equal(window.lastIndexOf('needle'), LENGTH - 6);
  });
});
