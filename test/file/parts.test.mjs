// Views of parts of a file that is too long for one buffer: lib/file/{file-mapping,sub-mappings}.ts,
// lib/mem/mapped-memory.ts.
import assert from 'node:assert/strict';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';

import { hasExternalShared } from '../support/process/runtime.mjs';
import { GIB, makeSparse } from '../support/sparse.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 6 * GIB;
const TOO_LARGE = 'ERR_MEMMAP_BUFFER_TOO_LARGE';

describe('parts of a file of 6 GiB', () => {
  const file = temporaryFiles();
  const marks = [[4 * GIB - 4, 'edgehead'], [5 * GIB + 1, 'odd'], [LENGTH - 8, 'lasttail']];
  const open = (options) => mapFile(makeSparse(file('long'), LENGTH, marks), options);

  it('view() and dataView() reach every byte, in place', () => {
    const mapping = open({ access: 'read-write' });
    const text = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('latin1');
    assert.equal(mapping.view(Uint32Array, { offset: LENGTH }).length, 0);
    assert.equal(text(mapping.view(Uint8Array, { offset: 4 * GIB - 4, count: 8 })), 'edgehead');
    assert.equal(text(mapping.view(Float64Array, { offset: LENGTH - 8 })), 'lasttail');
    assert.equal(text(mapping.dataView({ offset: 5 * GIB + 1, length: 3 })), 'odd');
    assert.equal(mapping.dataView({ offset: LENGTH }).byteLength, 0);
    mapping.dataView({ offset: 5 * GIB }).setUint8(0, 0x78);
    assert.equal(mapping.view(Uint8Array, { offset: 5 * GIB, count: 4 }).join(), [...Buffer.from('xodd')].join());
    assert.equal(mapping.copyOut(5 * GIB, 4).toString(), 'xodd');
    assert.throws(() => mapping.view(Uint32Array, { offset: 5 * GIB + 1, count: 1 }), { code: 'ERR_OUT_OF_RANGE' });
    mapping.close();
    assert.throws(() => mapping.view(Uint8Array, { offset: 0, count: 1 }), { code: 'ERR_MEMMAP_CLOSED' });
    assert.throws(() => mapping.dataView({ offset: 0, length: 1 }), { code: 'ERR_MEMMAP_CLOSED' });
  });

  it('a view may be as long as a buffer can be, from any place', () => {
    const mapping = open();
    for (const offset of [0, GIB - PAGE_SIZE, 2 * GIB + 1, 2 * GIB + PAGE_SIZE]) {
      const view = mapping.view(Uint8Array, { offset, count: 4 * GIB - PAGE_SIZE });
      assert.equal(view.length, 4 * GIB - PAGE_SIZE);
      if (offset < 4 * GIB) assert.equal(view[4 * GIB - offset], offset === 0 ? undefined : 'h'.charCodeAt(0));
    }
    mapping.close();
  });

  it('of an unaligned mapping are aligned as the mapping is', () => {
    const mapping = open({ offset: 4 });
    assert.equal(Buffer.from(mapping.dataView({ offset: 4 * GIB - 4, length: 4 }).buffer).length > 0, true);
    assert.equal(mapping.view(Uint32Array, { offset: 4 * GIB - 4, count: 1 })[0], Buffer.from('head').readUInt32LE());
    assert.throws(() => mapping.view(Float64Array, { offset: 8, count: 1 }), { code: 'ERR_OUT_OF_RANGE' });
    mapping.close();
  });

  it('end with the mapping', () => {
    const mapping = open();
    const view = mapping.view(Uint8Array, { offset: LENGTH - 4 });
    assert.equal(view[0], 't'.charCodeAt(0));
    mapping.close();
    assert.equal(view[0], 0);
    assert.equal(mapping.faults.afterClose, 1);
  });

  it('what has no buffer is an error that names the call that works', function () {
    const mapping = open();
    const whole = [() => mapping.buffer, () => mapping.bytes, () => mapping.view(Uint8Array), () => mapping.dataView()];
    for (const call of whole) {
      if (hasExternalShared) call();
      else assert.throws(call, { code: TOO_LARGE, message: /windows\(\), or a part with view\(/ });
    }
    mapping.close();
    const private_ = open({ access: 'copy-on-write' });
    const memory = mapAnonymous({ length: LENGTH, noReserve: true });
    for (const one of [private_, memory]) {
      for (const call of [() => one.bytes, () => one.view(Uint8Array, { offset: 1, count: 1 })]) {
        if (hasExternalShared) call();
        else assert.throws(call, { code: TOO_LARGE, message: /copyOut\(\) and copyIn\(\)/ });
      }
      assert.equal(one.copyOut(LENGTH - 4, 4).length, 4);
      one.close();
    }
  });
});
