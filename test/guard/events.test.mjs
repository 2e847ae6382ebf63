// What JavaScript learns of faults: counts, errors, events, guard() and settings: lib/mem/{faults,guard}.ts,
// src-native/napi/memory/fault_listener.cc.
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { configure, guard, mapAnonymous, mapFile } from 'memmap';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 2 ** 16;
const KEPT = 5000;
const file = temporaryFiles();
const TRUNCATED = { name: 'FaultError', code: 'ERR_MEMMAP_TRUNCATED' };

/** A mapping whose end is lost: open(options).lose() */
function losing(options) {
  const path = file('losing', Buffer.alloc(LENGTH, 'x'));
  const mapping = mapFile(path, options);
  const lose = () => {
    truncateSync(path, KEPT);
    return mapping.bytes[LENGTH - 1];
  };
  return { mapping, path, lose };
}

describe("on('fault')", () => {
  const goesOn = (name) => () => runs('fault-events', [name]);
  it('is called once for faults of a kind that came together, with kind, offset, length and path', goesOn('burst'));
  it('is called on a worker thread', goesOn('in a worker'));
  it('is called for faults on another thread, of its own mapping only', goesOn('on another thread'));
  it('counts from the start of a mapping that begins inside a page', goesOn('inside a page'));
  it('is not called after off()', goesOn('off'));
  it('does not keep the process alive', goesOn('does not keep alive'));
  it('lets what a listener throws reach the process as from any callback', goesOn('a listener that throws'));
  it('tells nothing of what was before', goesOn('before listening'));
});

describe('configure()', () => {
  it('validates', () => {
    assert.throws(() => configure(), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => configure({ guard: 1 }), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => configure({ guarde: true }), { code: 'ERR_INVALID_ARG_VALUE' });
  });
  it('is too late to turn the guard off after a map, from any thread', () => runs('fault-events', ['too late']));
  it('turns the guard off before, and everything else works', () => runs('fault-events', ['guard: false']));
});

describe('guard()', () => {
  it('validates', () => assert.throws(() => guard(1), { code: 'ERR_INVALID_ARG_TYPE' }));

  it('returns what the function returns, and throws if a fault happened meanwhile', () => {
    const { mapping, lose } = losing();
    assert.equal(guard(() => mapping.bytes[0]), 120);
    assert.throws(() => guard(lose), { name: 'FaultError', code: 'ERR_MEMMAP_FAULT' });
    assert.equal(guard(() => mapping.bytes[LENGTH - 1]), 0, 'no fault any more');
    mapping.close();
  });

  it('rejects if the function is asynchronous', async () => {
    const { mapping, lose } = losing();
    assert.equal(await guard(async () => mapping.bytes[0]), 120);
    const late = guard(async () => {
      await setImmediate();
      return lose();
    });
    await assert.rejects(late, { code: 'ERR_MEMMAP_FAULT' });
    mapping.close();
  });

  it('throws inside and outside when nested', () => {
    const { mapping, lose } = losing();
    let inner;
    const outer = () =>
      guard(() => {
        try {
          guard(lose);
        } catch (error) {
          inner = error;
        }
        guard(() => mapping.bytes[0]);
      });
    assert.throws(outer, { code: 'ERR_MEMMAP_FAULT' });
    assert.equal(inner.code, 'ERR_MEMMAP_FAULT');
    mapping.close();
  });

  it("throws the function's own error, even after a fault", async () => {
    const { mapping, lose } = losing();
    const own = new Error('own');
    const fails = () => {
      lose();
      throw own;
    };
    assert.throws(() => guard(fails), own);
    mapping.close();
    const other = losing();
    await assert.rejects(guard(async () => {
      other.lose();
      throw own;
    }), own);
    other.mapping.close();
  });
});

describe('check()', () => {
  it('goes on throwing until refresh(), with the offset and the path', () => {
    const { mapping, path, lose } = losing();
    mapping.check();
    assert.equal(lose(), 0);
    for (let i = 0; i < 3; i++) assert.throws(() => mapping.check(), { ...TRUNCATED, offset: 8192, path, kind: 'truncated' });
    mapping.refresh();
    mapping.check();
    assert.equal(mapping.faults.truncated, 1, 'counts stay');
    assert.equal(mapping.length, KEPT);
    mapping.close();
  });

  it('goes on throwing until protect()', () => {
    const memory = mapAnonymous({ length: LENGTH });
    memory.protect('read');
    memory.bytes[0] = 1;
    for (let i = 0; i < 3; i++) assert.throws(() => memory.check(), { code: 'ERR_MEMMAP_READ_ONLY' });
    memory.protect('read');
    memory.check();
    memory.bytes[0] = 2;
    assert.throws(() => memory.check(), { code: 'ERR_MEMMAP_READ_ONLY' });
    assert.equal(memory.faults.violations, 2);
    memory.close();
  });

  it('throws for its own mapping only', () => {
    const { mapping, lose } = losing();
    const other = mapFile(mapping.path, { length: 4096 });
    lose();
    other.check();
    assert.throws(() => mapping.check(), TRUNCATED);
    other.close();
    mapping.close();
  });

  it('throws ERR_MEMMAP_CLOSED after close(), while the counts can be read', () => {
    const { mapping, lose } = losing();
    const { bytes } = mapping;
    lose();
    mapping.close();
    assert.equal(bytes[0], 0);
    assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_CLOSED' });
    assert.equal(mapping.faults.truncated, 1);
    assert.equal(mapping.faults.afterClose, 1);
  });
});
