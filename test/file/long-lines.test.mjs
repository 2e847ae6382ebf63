// Lines as long as a buffer can be, forwards and backwards: lib/file/reading/{line,lines,lines-backwards}.ts,
// lib/mem/text/long-buffer.ts. Reads gigabytes.
import assert from 'node:assert/strict';

import { mapFile } from 'memmap';

import { GIB, makeSparse } from '../support/sparse.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 5 * GIB;

describe('long lines', () => {
  const file = temporaryFiles();

  it('a line of 4 GiB is an error, forwards and backwards; of 2 MiB less, it is one', () => {
    const mapping = mapFile(makeSparse(file('long'), LENGTH, [[0, 'a\n'], [LENGTH - 2, '\nz']]));
    const forwards = mapping.lines();
    assert.equal(forwards.next().value.toString(), 'a');
    assert.throws(() => forwards.next(), { code: 'ERR_MEMMAP_LINE_TOO_LONG' });
    const backwards = mapping.lines({ reverse: true });
    assert.equal(backwards.next().value.toString(), 'z');
    assert.throws(() => backwards.next(), { code: 'ERR_MEMMAP_LINE_TOO_LONG' });
    mapping.close();
  });

  it('a line of 3 GiB is one, with methods of Buffer that are right', () => {
    const mapping = mapFile(makeSparse(file('long'), LENGTH, [[GIB + 6, '\n'], [4 * GIB, 'needle\n']]));
    const range = { offset: 1, length: 4 * GIB + 6 };
    for (const reverse of [false, true]) {
      const line = [...mapping.lines({ ...range, reverse })].find(({ offset }) => offset > 1);
      assert.deepEqual([line.offset, line.length, line.terminator], [GIB + 7, 3 * GIB - 1, '\n']);
      assert.equal(line.indexOf('needle'), 3 * GIB - 7);
    }
    mapping.close();
  });
});
