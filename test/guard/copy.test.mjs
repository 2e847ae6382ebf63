// Checked copies: right bytes, or a typed error that says how far they got, and never a signal:
// lib/mem/copy.ts, src-native/napi/memory/guard.cc.
import assert from 'node:assert/strict';
import {
  closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readlinkSync, renameSync, truncateSync, unlinkSync,
  writeFileSync, writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { mapAnonymous, mapFile } from 'memmap';
import { readElsewhere } from '../support/process/elsewhere.mjs';
import { skip } from '../support/hooks.mjs';
import { fillFileSystem, smallTmpfs } from '../support/kernel/mount.mjs';
import { randomBytes, seeded } from '../support/random.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGE = 4096;
const LENGTH = 4 * PAGE + 123;
const KEPT = 2 * PAGE + 5;
const SEED = 30;
const ALPHABET = Array.from({ length: 256 }, (_, i) => i);
const data = randomBytes(LENGTH, ALPHABET, SEED);
const file = temporaryFiles();

function open(options, content = data) {
  const path = file('copy', content);
  return { path, mapping: mapFile(path, options) };
}

/** Which file an unlinked one is, the kernel shows to root alone. */
function skipUnlessPrivileged(context) {
  const [first] = readdirSync('/proc/self/map_files');
  try {
    readlinkSync(`/proc/self/map_files/${first}`);
  } catch (error) {
    skip(context, `/proc/self/map_files: ${error.code}`);
  }
}

const NO_FAULTS = { truncated: 0, noSpace: 0, memoryFailures: 0, violations: 0, afterClose: 0 };

describe('copyOut() and copyIn()', () => {
  it('refuse ranges that are not in the mapping', () => {
    const { mapping } = open({ access: 'read-write' });
    for (const [offset, length] of [[LENGTH + 1, 0], [0, LENGTH + 1], [LENGTH, 1], [-1, 1], [0.5, 1], [2 ** 32 + 1, 1]]) {
      assert.throws(() => mapping.copyOut(offset, length), { code: 'ERR_OUT_OF_RANGE' });
    }
    assert.throws(() => mapping.copyIn(LENGTH, Buffer.alloc(1)), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => mapping.copyIn(-1, Buffer.alloc(1)), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => mapping.copyIn(0, 'text'), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.deepEqual(readElsewhere(mapping.path), data);
    mapping.close();
  });

  it('copy the right bytes at every offset', () => {
    for (const offset of [0, 1, 100, PAGE - 1, PAGE, PAGE + 7]) {
      const { mapping } = open({ offset });
      const length = LENGTH - offset;
      const next = seeded(SEED);
      for (let i = 0; i < 300; i++) {
        const from = next(length + 1);
        const count = next(length - from + 1);
        assert.ok(mapping.copyOut(from, count).equals(data.subarray(offset + from, offset + from + count)));
      }
      mapping.close();
    }
  });

  it('write the right bytes at every offset, and no others', () => {
    const offset = 100;
    const { path, mapping } = open({ access: 'read-write', offset });
    const expected = Buffer.from(data);
    const next = seeded(SEED);
    for (let i = 0; i < 300; i++) {
      const from = next(LENGTH - offset + 1);
      const bytes = randomBytes(next(LENGTH - offset - from + 1), ALPHABET, i);
      mapping.copyIn(from, bytes);
      bytes.copy(expected, offset + from);
    }
    assert.ok(readElsewhere(path).equals(expected));
    mapping.close();
  });

  it('copy nothing at the end, of nothing, and of an empty mapping', () => {
    const { mapping } = open({ access: 'read-write' });
    assert.equal(mapping.copyOut(LENGTH, 0).length, 0);
    mapping.copyIn(LENGTH, Buffer.alloc(0));
    mapping.close();
    const empty = mapFile(file('empty', ''), { access: 'read-write' });
    assert.equal(empty.copyOut(0, 0).length, 0);
    empty.copyIn(0, Buffer.alloc(0));
    empty.close();
  });

  it('give a copy that the file and the mapping do not share', () => {
    const { mapping } = open({ access: 'read-write' });
    const copy = mapping.copyOut(0, 10);
    mapping.bytes.fill(0);
    assert.ok(copy.equals(data.subarray(0, 10)));
    mapping.close();
  });

  it('work past 4 GiB', () => {
    const path = file('large', '');
    const size = 2 ** 32 + 2 * PAGE;
    truncateSync(path, size);
    const fd = openSync(path, 'r+');
    writeSync(fd, 'beyond', 2 ** 32 + 7);
    closeSync(fd);
    const mapping = mapFile(path, { access: 'read-write' });
    assert.equal(mapping.copyOut(2 ** 32 + 6, 8).toString('latin1'), '\0beyond\0');
    mapping.copyIn(2 ** 32 - 2, Buffer.from('across'));
    assert.equal(mapping.copyOut(2 ** 32 - 3, 8).toString('latin1'), '\0across\0');
    truncateSync(path, 2 ** 32 + 9);
    assert.throws(() => mapping.copyOut(2 ** 32 + 6, 8), { code: 'ERR_MEMMAP_TRUNCATED', offset: 2 ** 32 + 9 });
    mapping.close();
  });

  it('throw ERR_MEMMAP_CLOSED after close()', () => {
    const { mapping } = open();
    mapping.close();
    assert.throws(() => mapping.copyOut(0, 1), { code: 'ERR_MEMMAP_CLOSED' });
    assert.throws(() => mapping.copyIn(0, Buffer.alloc(1)), { code: 'ERR_MEMMAP_CLOSED' });
  });
});

describe('checked copies of a truncated file', () => {
  for (const kept of [0, 1, KEPT, 2 * PAGE, LENGTH - 1]) {
    it(`throw ERR_MEMMAP_TRUNCATED with the offset they reached: ${kept} bytes left`, () => {
      for (const offset of [0, 100]) {
        const { path, mapping } = open({ access: 'read-write', offset });
        truncateSync(path, kept);
        const end = Math.max(0, kept - offset);
        const length = LENGTH - offset;
        const error = { name: 'FaultError', code: 'ERR_MEMMAP_TRUNCATED', kind: 'truncated', path };
        assert.throws(() => mapping.copyOut(0, length), { ...error, offset: end });
        assert.throws(() => mapping.copyOut(length - 1, 1), { ...error, offset: length - 1 });
        assert.ok(mapping.copyOut(0, end).equals(data.subarray(offset, offset + end)));
        assert.deepEqual(mapping.faults, NO_FAULTS);
        assert.throws(() => mapping.copyIn(0, Buffer.alloc(length)), { ...error, offset: end });
        assert.equal(readElsewhere(path).length, kept);
        mapping.close();
      }
    });
  }

  const LOSSES = {
    renamed: (path) => renameSync(path, `${path}.1`),
    replaced: (path) => (renameSync(path, `${path}.1`), writeFileSync(path, 'new')),
    'renamed twice': (path, again) => {
      renameSync(path, `${path}.1`);
      again();
      renameSync(`${path}.1`, `${path}.2`);
    },
    'in a folder that was renamed': (path) => renameSync(dirname(path), `${dirname(path)}.1`),
    unlinked: (path) => unlinkSync(path),
  };
  for (const [how, lose] of Object.entries(LOSSES)) {
    it(`throw where it is cut inside a page, though its path leads there no more: ${how}`, function () {
      if (how === 'unlinked') skipUnlessPrivileged(this);
      const folder = file(how);
      mkdirSync(folder);
      const path = join(folder, 'copy');
      writeFileSync(path, data);
      const fd = openSync(path, 'r+');
      const mapping = mapFile(path);
      lose(path, () => mapping.copyOut(0, 1));
      assert.ok(mapping.copyOut(0, LENGTH).equals(data));
      ftruncateSync(fd, LENGTH - 5);
      assert.throws(() => mapping.copyOut(0, LENGTH), { code: 'ERR_MEMMAP_TRUNCATED', offset: LENGTH - 5 });
      assert.ok(mapping.copyOut(0, LENGTH - 5).equals(data.subarray(0, LENGTH - 5)));
      closeSync(fd);
      mapping.close();
    });
  }

  it('throw where memory behind a descriptor is cut inside a page', () => {
    const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
    ftruncateSync(memory.fd, KEPT);
    assert.throws(() => memory.copyOut(0, 3 * PAGE), { code: 'ERR_MEMMAP_TRUNCATED', offset: KEPT });
    memory.close();
  });

  it('throw although a view has met zeros there', () => {
    for (const access of ['read', 'read-write', 'copy-on-write']) {
      const { path, mapping } = open({ access });
      truncateSync(path, KEPT);
      assert.equal(mapping.bytes[LENGTH - 1], 0);
      assert.throws(() => mapping.copyOut(0, LENGTH), { code: 'ERR_MEMMAP_TRUNCATED', offset: KEPT });
      truncateSync(path, LENGTH);
      assert.throws(() => mapping.copyOut(0, LENGTH), { code: 'ERR_MEMMAP_TRUNCATED', offset: 3 * PAGE }, 'still zeros');
      mapping.refresh();
      assert.ok(mapping.copyOut(0, KEPT).equals(data.subarray(0, KEPT)));
      writeFileSync(path, data);
      assert.ok(mapping.copyOut(0, LENGTH).equals(data));
      mapping.close();
    }
  });

  for (const [direction, title] of [['out', 'copyOut()'], ['in', 'copyIn()']]) {
    it(`are whole or a typed error while another thread truncates and grows it: ${title}`, () =>
      runs('copy-race', [direction, 10_000]));
  }
});

describe('checked copies of a sparse file on a full disk', () => {
  const path = smallTmpfs(2 ** 20);

  it('throw ERR_MEMMAP_NO_SPACE where the hole begins', () => {
    writeFileSync(path('sparse'), 'x'.repeat(PAGE));
    truncateSync(path('sparse'), 4 * PAGE);
    fillFileSystem(path('filler'));
    const mapping = mapFile(path('sparse'), { access: 'read-write' });
    const error = { code: 'ERR_MEMMAP_NO_SPACE', kind: 'no-space', offset: PAGE };
    assert.throws(() => mapping.copyIn(100, Buffer.alloc(2 * PAGE)), error);
    assert.throws(() => mapping.copyOut(0, 2 * PAGE), error);
    assert.equal(mapping.copyOut(0, 3)[0], 120);
    assert.deepEqual(mapping.faults, NO_FAULTS);
    mapping.close();
  });
});

describe('checked copies of protected memory', () => {
  it('do not write to a read-only mapping', () => {
    const { path, mapping } = open();
    assert.throws(() => mapping.copyIn(5, Buffer.alloc(3)), { code: 'ERR_MEMMAP_READ_ONLY', offset: 5, path });
    assert.deepEqual(readElsewhere(path), data);
    mapping.bytes[0] ^= 1;
    assert.throws(() => mapping.copyIn(5, Buffer.alloc(3)), { code: 'ERR_MEMMAP_READ_ONLY' });
    mapping.close();
  });

  it("write after protect('read-write'), and not after protect('read')", () => {
    const { path, mapping } = open({ access: 'read-write' });
    mapping.protect('read');
    assert.throws(() => mapping.copyIn(0, Buffer.from('no')), { code: 'ERR_MEMMAP_READ_ONLY' });
    mapping.protect('read-write');
    mapping.copyIn(0, Buffer.from('yes'));
    assert.equal(readElsewhere(path).toString('latin1', 0, 3), 'yes');
    mapping.close();
  });

  it('are of their own in a copy-on-write mapping', () => {
    const { path, mapping } = open({ access: 'copy-on-write' });
    mapping.copyIn(0, Buffer.from('own'));
    assert.equal(mapping.copyOut(0, 3).toString('latin1'), 'own');
    assert.deepEqual(readElsewhere(path), data);
    mapping.close();
  });

  for (const touched of [false, true]) {
    it(`throw ERR_MEMMAP_NO_ACCESS after protect('none')${touched ? ', also when a view has met zeros there' : ''}`, () => {
      const memory = mapAnonymous({ length: 2 * PAGE });
      memory.bytes.fill(7);
      memory.protect('none');
      if (touched) assert.equal(memory.bytes[0], 0);
      assert.throws(() => memory.copyOut(5, 3), { code: 'ERR_MEMMAP_NO_ACCESS', offset: 5 });
      assert.throws(() => memory.copyIn(5, Buffer.alloc(3)), { code: 'ERR_MEMMAP_NO_ACCESS', offset: 5 });
      memory.protect('read-write');
      assert.equal(memory.copyOut(0, 1)[0], 7);
      memory.close();
    });

    it(`know of parts${touched ? ', also of those a view has met' : ''}`, () => {
      const memory = mapAnonymous({ length: 4 * PAGE });
      memory.bytes.fill(7);
      memory.protect('none', { offset: PAGE, length: PAGE });
      memory.protect('read', { offset: 2 * PAGE, length: PAGE });
      if (touched) {
        assert.equal(memory.bytes[PAGE], 0);
        memory.bytes[2 * PAGE] = 1;
      }
      assert.throws(() => memory.copyOut(0, 4 * PAGE), { code: 'ERR_MEMMAP_NO_ACCESS', offset: PAGE });
      assert.throws(() => memory.copyIn(2 * PAGE - 1, Buffer.alloc(2)), { code: 'ERR_MEMMAP_NO_ACCESS' });
      assert.throws(() => memory.copyIn(2 * PAGE, Buffer.alloc(2)), { code: 'ERR_MEMMAP_READ_ONLY', offset: 2 * PAGE });
      assert.equal(memory.copyOut(2 * PAGE + 1, 1)[0], 7);
      memory.copyIn(0, Buffer.alloc(PAGE, 1));
      memory.copyIn(3 * PAGE, Buffer.alloc(PAGE, 1));
      assert.equal(memory.copyOut(3 * PAGE, 1)[0], 1);
      memory.close();
    });
  }
});
