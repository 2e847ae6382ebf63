// refresh(), protect() and resize() undo what the guard did to pages: lib/mem/{faults,protections}.ts,
// lib/file/file-mapping.ts, src-native/core/mapping/restore.cc.
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE as PAGE } from 'memmap/sys';
import { readElsewhere, writeElsewhere } from '../support/process/elsewhere.mjs';
import { mapAt } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 16 * PAGE;
const KEPT = 4 * PAGE;
const file = temporaryFiles();

/** A mapping of a file that has shrunk, been met so, and grown again. */
function shrunkAndGrown(options, prepare = () => {}) {
  const path = file('refresh', Buffer.alloc(LENGTH, 'x'));
  const mapping = mapFile(path, options);
  const { bytes } = mapping;
  prepare(mapping);
  truncateSync(path, KEPT);
  assert.equal(bytes[LENGTH - 1], 0);
  assert.equal(mapping.faults.truncated, 1);
  truncateSync(path, LENGTH);
  writeElsewhere(path, LENGTH - 3, Buffer.from('new'));
  return { path, mapping, bytes };
}

const tail = (bytes) => bytes.toString('latin1', LENGTH - 3);

describe('refresh() after a file shrank and grew again', () => {
  for (const access of ['read', 'read-write', 'copy-on-write']) {
    it(`shows the file again, and what is written to it later: ${access}`, () => {
      const { path, mapping, bytes } = shrunkAndGrown({ access });
      assert.equal(tail(bytes), '\0\0\0', 'zeros until then');
      // overlayfs may have put the file elsewhere, and then it is mapped anew.
      assert.equal(mapping.refresh(), mapping.filesystem === 'overlay' && access !== 'read-write');
      mapping.check();
      assert.equal(tail(bytes), 'new');
      writeElsewhere(path, LENGTH - 3, Buffer.from('two'));
      assert.equal(tail(bytes), 'two');
      assert.equal(bytes[0], 120);
      mapping.close();
    });
  }

  it('has writes of a read-write mapping reach the file again', () => {
    const { path, mapping, bytes } = shrunkAndGrown({ access: 'read-write' });
    bytes.write('lost', KEPT);
    mapping.refresh();
    bytes.write('kept', KEPT + 8);
    assert.equal(readElsewhere(path).toString('latin1', KEPT, KEPT + 12), '\0\0\0\0\0\0\0\0kept');
    mapping.close();
  });

  it('keeps the own changes of a copy-on-write mapping, before the lost end', () => {
    const { path, mapping, bytes } = shrunkAndGrown({ access: 'copy-on-write' }, ({ bytes: own }) => own.write('own'));
    mapping.refresh();
    assert.equal(bytes.toString('latin1', 0, 4), 'ownx');
    assert.equal(tail(bytes), 'new');
    bytes.write('own', LENGTH - 3);
    assert.equal(tail(readElsewhere(path)), 'new');
    mapping.close();
  });

  it('mends again when the file shrinks again', () => {
    const { path, mapping, bytes } = shrunkAndGrown({ access: 'read-write' });
    for (let round = 2; round < 5; round++) {
      mapping.refresh();
      truncateSync(path, round * PAGE);
      assert.equal(bytes[LENGTH - 1], 0);
      assert.equal(mapping.faults.truncated, round);
      assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_TRUNCATED', offset: round * PAGE });
      truncateSync(path, LENGTH);
    }
    mapping.close();
  });

  it('keeps what protect() did to parts', () => {
    const { path, mapping, bytes } = shrunkAndGrown({ access: 'read-write' }, (one) => {
      one.protect('read', { offset: PAGE, length: PAGE });
      one.protect('none', { offset: LENGTH - 2 * PAGE, length: PAGE });
    });
    mapping.refresh();
    assert.equal(mapAt(mapping.address).permissions, 'rw-s');
    assert.equal(mapAt(mapping.address + BigInt(PAGE)).permissions, 'r--s');
    assert.equal(mapAt(mapping.address + BigInt(LENGTH - 2 * PAGE)).permissions, '---s');
    assert.equal(mapAt(mapping.address + BigInt(LENGTH - PAGE)).permissions, 'rw-s');
    bytes[PAGE] = 1;
    assert.equal(mapping.faults.violations, 1);
    assert.equal(readElsewhere(path)[PAGE], 120);
    mapping.close();
  });

  it('follows a file that stayed short', () => {
    const path = file('short', Buffer.alloc(LENGTH, 'x'));
    const mapping = mapFile(path);
    truncateSync(path, 5000);
    assert.equal(mapping.bytes[LENGTH - 1], 0);
    assert.equal(mapping.refresh(), true);
    mapping.check();
    assert.equal(mapping.length, 5000);
    assert.equal(mapping.bytes.toString('latin1'), 'x'.repeat(5000));
    mapping.close();
  });

  it('discards what was written to a read-only mapping', () => {
    const path = file('read', Buffer.alloc(LENGTH, 'x'));
    const mapping = mapFile(path);
    mapping.bytes.fill('y');
    writeElsewhere(path, 0, Buffer.from('new'));
    mapping.refresh();
    mapping.check();
    assert.equal(mapping.bytes.toString('latin1'), `new${'x'.repeat(LENGTH - 3)}`);
    assert.equal(mapAt(mapping.address).permissions[1], '-', 'read-only again');
    mapping.bytes[0] = 1;
    assert.equal(mapping.faults.violations, 2);
    mapping.close();
  });
});

describe('the faults of a mapping that was empty for a while', () => {
  it('are those of before and after, and nobody else\'s', () => {
    const other = mapFile(file('other', Buffer.alloc(LENGTH, 'x')));
    for (let i = 0; i < 3; i++) {
      other.bytes[0] = 1;
      other.refresh();
    }
    const path = file('emptied', Buffer.alloc(LENGTH, 'x'));
    const mapping = mapFile(path);
    mapping.bytes[0] = 1;
    assert.equal(mapping.faults.violations, 1);
    truncateSync(path, 0);
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.length, 0);
    truncateSync(path, LENGTH);
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.faults.violations, 1);
    mapping.bytes[0] = 1;
    assert.equal(mapping.faults.violations, 2);
    mapping.close();
    other.close();
  });
});

describe('protect() after a violation', () => {
  it("reaches the file again with 'read-write'", () => {
    const path = file('protect', Buffer.alloc(LENGTH, 'x'));
    const mapping = mapFile(path, { access: 'read-write' });
    mapping.protect('read');
    mapping.bytes.write('lost');
    mapping.protect('read-write');
    mapping.check();
    assert.equal(mapping.bytes[0], 120);
    mapping.bytes.write('kept');
    assert.equal(readElsewhere(path).toString('latin1', 0, 5), 'keptx');
    mapping.close();
  });

  for (const [name, make] of [
    ['private', () => mapAnonymous({ length: LENGTH })],
    ['shared', () => mapAnonymous({ length: LENGTH, sharing: 'shared' })],
  ]) {
    it(`gives ${name} memory its contents back after protect('none')`, () => {
      const memory = make();
      memory.bytes.fill(7);
      for (let round = 1; round < 4; round++) {
        memory.protect('none');
        assert.equal(memory.bytes[LENGTH - 1], 0);
        memory.bytes[0] = 1;
        assert.throws(() => memory.check(), { code: 'ERR_MEMMAP_NO_ACCESS' });
        memory.protect('read-write');
        memory.check();
        assert.ok(memory.bytes.every((byte) => byte === 7));
        assert.equal(memory.faults.violations, round);
      }
      memory.close();
    });

    it(`is right about a part of ${name} memory`, () => {
      const memory = make();
      memory.bytes.fill(7);
      memory.protect('none', { offset: PAGE, length: PAGE });
      assert.equal(memory.bytes[PAGE - 1], 7);
      assert.equal(memory.bytes[PAGE], 0);
      assert.equal(memory.bytes[2 * PAGE], 7);
      assert.equal(memory.faults.violations, 1);
      memory.protect('read-write', { offset: PAGE, length: PAGE });
      assert.ok(memory.bytes.every((byte) => byte === 7));
      memory.close();
    });
  }
});

describe('parts that protect() has changed', () => {
  const PART = { offset: 4 * PAGE, length: 4 * PAGE };
  const access = 'read-write';

  /** A write there reaches the memory, now and after a repair. */
  function takesWrites(mapping, offset) {
    const { violations } = mapping.faults;
    for (const value of [1, 2]) {
      mapping.bytes[offset] = value;
      assert.equal(mapping.copyOut(offset, 1)[0], value);
      assert.equal(mapping.faults.violations, violations + value - 1);
      mapping.protect('read', { length: PAGE });
      mapping.bytes[0] = 9; // a stray
      mapping.protect('read-write', { length: PAGE });
    }
  }

  const MAPPINGS = {
    anonymous: () => mapAnonymous({ length: 8 * PAGE }),
    file: () => mapFile(file('parts', Buffer.alloc(8 * PAGE, 'x')), { access }),
  };
  for (const [name, map] of Object.entries(MAPPINGS)) {
    it(`are forgotten with the bytes that resize() takes: ${name}`, () => {
      const mapping = map();
      mapping.protect('none', PART);
      mapping.resize(6 * PAGE);
      mapping.resize(8 * PAGE);
      assert.equal(mapAt(mapping.address + BigInt(4 * PAGE)).permissions.slice(0, 2), '--');
      takesWrites(mapping, 7 * PAGE);
      mapping.resize(2 * PAGE);
      mapping.resize(8 * PAGE);
      takesWrites(mapping, 5 * PAGE);
      mapping.close();
    });

    it(`are not what resize() adds, though they are the last: ${name}`, () => {
      const mapping = map();
      mapping.protect('read', PART);
      mapping.resize(12 * PAGE - 5);
      takesWrites(mapping, 9 * PAGE);
      mapping.bytes[5 * PAGE] = 1;
      assert.equal(mapping.faults.violations, 3);
      mapping.close();
    });
  }

  it('leave refresh() and protect() to follow a file that has shrunk', () => {
    const path = file('parts', Buffer.alloc(8 * PAGE, 'x'));
    const mapping = mapFile(path, { access });
    const { bytes } = mapping;
    mapping.protect('read', PART);
    truncateSync(path, 2 * PAGE);
    assert.equal(bytes[6 * PAGE], 0);
    assert.equal(mapping.refresh(), true);
    truncateSync(path, PAGE);
    assert.equal(mapping.bytes[PAGE], 0);
    assert.equal(mapping.refresh(), true);
    mapping.check();
    mapping.protect('read-write');
    truncateSync(path, 8 * PAGE);
    mapping.refresh();
    takesWrites(mapping, 5 * PAGE);
    mapping.close();
  });

  it('or the whole: a file that was empty for a while has the access it had', () => {
    const path = file('parts', Buffer.alloc(8 * PAGE, 'x'));
    const mapping = mapFile(path, { access });
    mapping.protect('read');
    truncateSync(path, 0);
    mapping.refresh();
    truncateSync(path, 8 * PAGE);
    mapping.refresh();
    assert.equal(mapping.access, 'read');
    assert.equal(mapAt(mapping.address).permissions, 'r--s');
    mapping.close();
  });
});

describe('resize() of a mapping that was fixed up', () => {
  it('gives a file its pages again', () => {
    const { path, mapping } = shrunkAndGrown({ access: 'read-write' });
    mapping.resize(LENGTH + PAGE);
    mapping.check();
    assert.equal(tail(mapping.bytes.subarray(0, LENGTH)), 'new');
    mapping.bytes.write('end', LENGTH);
    assert.equal(readElsewhere(path).toString('latin1', LENGTH, LENGTH + 3), 'end');
    mapping.close();
  });

  it('keeps the contents of memory that was without access', () => {
    const memory = mapAnonymous({ length: LENGTH });
    memory.bytes.fill(7);
    memory.protect('none');
    assert.equal(memory.bytes[0], 0);
    memory.resize(2 * LENGTH);
    memory.protect('read-write');
    assert.equal(memory.bytes[LENGTH - 1], 7);
    assert.equal(memory.bytes[LENGTH], 0);
    memory.check();
    memory.close();
  });

  it('goes on counting where it was', () => {
    const { mapping, path } = shrunkAndGrown({ access: 'read-write' });
    mapping.resize(LENGTH / 2);
    truncateSync(path, PAGE);
    assert.equal(mapping.bytes[LENGTH / 2 - 1], 0);
    assert.equal(mapping.faults.truncated, 2);
    mapping.close();
  });
});
