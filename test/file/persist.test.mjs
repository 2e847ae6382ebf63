// persist() without persistent memory is flush() (with DAX: test/vm/dax.vm.mjs): lib/file/file-mapping.ts,
// src-native/core/bytes/persist.cc.
import assert from 'node:assert/strict';
import { features, mapAnonymous, mapFile } from 'memmap';
import { MS, PAGE_SIZE } from 'memmap/sys';
import { binding } from '../support/boundary/features.mjs';
import { skip } from '../support/hooks.mjs';
import { callsOf } from '../support/boundary/native-calls.mjs';
import { temporaryFiles } from '../support/temp.mjs';

describe('persist', () => {
  const file = temporaryFiles();

  it('takes a range inside the mapping only', () => {
    const mapping = mapFile(file('range', Buffer.alloc(PAGE_SIZE)), { access: 'read-write' });
    assert.throws(() => mapping.persist({ offset: PAGE_SIZE + 1 }), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => mapping.persist({ offset: 1, length: PAGE_SIZE }), { code: 'ERR_OUT_OF_RANGE' });
    mapping.close();
    assert.throws(() => mapping.persist(), { code: 'ERR_MEMMAP_CLOSED' });
  });

  it('waits for the disk where the mapping is of no persistent memory', () => {
    const mapping = mapFile(file('disk', Buffer.alloc(4 * PAGE_SIZE)), { access: 'read-write' });
    mapping.bytes[PAGE_SIZE] = 1;
    const calls = callsOf('msync', () => mapping.persist({ offset: PAGE_SIZE + 8, length: 8 }));
    assert.deepEqual(calls.map(([, ...args]) => args), [[PAGE_SIZE, 16, MS.SYNC]]);
    const { dirty } = mapping.residency();
    assert.ok(dirty === 0 || dirty === undefined || mapping.filesystem === 'tmpfs', `${dirty} pages are dirty`);
    mapping.close();
    mapAnonymous({ length: 1 }).persist();
  });

  it('has an instruction that writes any part of memory back, and changes nothing in it', function () {
    if (features().writeBackInstruction === undefined) skip(this, 'this processor has none');
    const memory = mapAnonymous({ length: 4 * PAGE_SIZE });
    memory.bytes.fill(7);
    const { bytes } = memory;
    for (const [offset, length] of [[0, 1], [63, 2], [PAGE_SIZE - 1, PAGE_SIZE + 2], [0, 4 * PAGE_SIZE]]) {
      assert.equal(binding.writeBack(bytes, offset, length), 0);
    }
    assert.ok(bytes.every((byte) => byte === 7));
    assert.equal(binding.writeBack(bytes, 0, bytes.length + 1), -4096);
    memory.close();
  });
});
