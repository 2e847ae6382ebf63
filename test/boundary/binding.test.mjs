// The addon, called as lib/ never would: it touches nothing it was not given, and no unmapped range:
// src-native/napi/{target.cc,convert.h,constants.cc}, src-native/addon.cc, lib/internal/binding.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { binding } from '../support/boundary/features.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, PROT, O } = binding;
const { EINVAL } = constants.errno;
const NOT_OURS = -4096;
const LENGTH = 2 ** 16;
const map = () => binding.map(0n, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0);

/** Of what a call returns and what it throws. */
function outcome(call) {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

describe('the addon', () => {
  const file = temporaryFiles();

  it('never gives two mappings one number', () => {
    let last = 0;
    for (let i = 0; i < 3000; i++) {
      const handle = map();
      assert.ok(Number.isSafeInteger(handle) && handle > last, `${handle} after ${last}`);
      binding.close(handle);
      assert.equal(binding.address(handle), 0n);
      last = handle;
    }
  });

  it('maps no file from a negative offset', () => {
    const path = file('offset', Buffer.alloc(LENGTH));
    for (const offset of [-1, -LENGTH, -(2 ** 53), -(2 ** 63)]) {
      const facts = new Float64Array(9);
      assert.equal(binding.mapFile(path, O.RDONLY, offset, -1, -1, PROT.READ, MAP.PRIVATE, 0n, 0, facts), -EINVAL, `${offset}`);
    }
  });

  it('finds nothing by a number that is none of a mapping', () => {
    const handle = map();
    const wrong = [
      0, -0, -1, -handle, handle + 0.5, handle + 1, handle + 2 ** 32, handle + 2 ** 52, 2 ** 53, 2 ** 53 + handle, 2 ** 64, 2 ** 64 + handle,
      -(2 ** 63), Number.MAX_VALUE, Number.MIN_VALUE, NaN, Infinity, -Infinity,
    ];
    for (const number of wrong) {
      assert.equal(binding.address(number), 0n, `${number}`);
      assert.equal(binding.owns(number, 0, 0), false, `${number}`);
      binding.close(number);
      binding.release(number);
    }
    assert.notEqual(binding.address(handle), 0n);
    binding.close(handle);
  });

  it('makes no second buffer over pages that were moved onto one of the engine, which unmaps them with the first', () => {
    const handle = map();
    const over = new SharedArrayBuffer(0, { maxByteLength: LENGTH });
    over.grow(LENGTH);
    assert.equal(binding.overlay(handle, new Uint8Array(over, 0, LENGTH)), 0);
    assert.equal(binding.arrayBuffer(handle, LENGTH), NOT_OURS);
    assert.equal(binding.sharedBuffer(handle, LENGTH), NOT_OURS);
    binding.close(handle);
    assert.equal(new Uint8Array(over)[0], 0);
  });

  it('keeps the pages of a mapping that gets the length it has, when the buffer is dropped', () => {
    const handle = map();
    const over = new SharedArrayBuffer(0, { maxByteLength: LENGTH });
    over.grow(LENGTH);
    assert.equal(binding.overlay(handle, new Uint8Array(over, 0, LENGTH)), 0);
    const address = binding.address(handle);
    assert.equal(binding.resize(handle, LENGTH), 0);
    assert.notEqual(binding.address(handle), address);
    binding.close(handle);
    assert.equal(new Uint8Array(over)[0], 0);
  });

  it('finds no memory where an address and an offset go round the end of all addresses', () => {
    const handle = map();
    const address = binding.address(handle);
    assert.equal(binding.owns(address, 0, LENGTH), true);
    for (const [from, offset] of [[2n ** 64n - 1n, 1], [2n ** 64n - 1n, Number.MAX_SAFE_INTEGER], [0n, -1], [address + 4096n, -4096], [2n ** 64n - 4096n, LENGTH]]) {
      assert.equal(binding.owns(from, offset, 1), false, `${from} + ${offset}`);
      assert.equal(binding.mprotect(from, offset, LENGTH, PROT.NONE), NOT_OURS);
    }
    assert.equal(binding.owns(address, 0, -1), false);
    assert.equal(binding.owns(address, 0, Number.MAX_SAFE_INTEGER), false);
    binding.close(handle);
  });

  it('fills no array that is too short, of another type or none, and does nothing then', () => {
    const path = file('subject', Buffer.alloc(LENGTH));
    const handle = map();
    const live = binding.census()[0];
    const fd = binding.openFd(path, O.RDONLY | O.CLOEXEC);
    const calls = {
      mapFile: (facts) => binding.mapFile(path, O.RDONLY, 0, -1, -1, PROT.READ, MAP.PRIVATE, 0n, 0, facts),
      mapMemfd: (facts) => binding.mapMemfd('x', 0, LENGTH, PROT.READ, MAP.SHARED, 0n, facts),
      residencyOf: (facts) => binding.residencyOf(path, 0, -1, facts),
      mincore: (vec) => binding.mincore(handle, 0, LENGTH, vec),
      nodesOf: (nodes) => binding.nodesOf(handle, 0, LENGTH, 4096, nodes),
      migrate: (counts) => binding.migrate(handle, 0, LENGTH, 4096, 0, counts),
      movePages: (status) => binding.movePages(0, BigUint64Array.of(binding.address(handle)), null, status, 0),
      cachestat: (counts) => binding.cachestat(fd, 0, LENGTH, 0, counts),
      createSharedMemory: (step) => binding.createSharedMemory(null, 0, false, LENGTH, step),
      examineSharedMemory: (facts) => binding.examineSharedMemory(fd, facts),
      peerCredentials: (out) => binding.peerCredentials(fd, out),
      receivePart: (facts) => binding.receivePart(fd, Buffer.alloc(8), new Int32Array(8), facts),
      mapAt: (facts) => binding.mapAt(binding.address(handle), facts),
      behind: (facts) => binding.behind(new Int32Array(4), facts),
    };
    const wrong = [undefined, null, 0, {}, [], 'facts', new ArrayBuffer(256), new DataView(new ArrayBuffer(256)), new Float64Array(0), new Int32Array(0), new Uint8Array(0)];
    for (const [name, call] of Object.entries(calls)) {
      for (const out of [...wrong, new Float32Array(512), new Uint8ClampedArray(512), new BigInt64Array(512)]) {
        assert.equal(call(out), -EINVAL, `${name}: ${Object.prototype.toString.call(out)}`);
      }
    }
    for (const out of wrong) assert.doesNotThrow(() => binding.faults(0, out));
    binding.close(handle);
    assert.equal(binding.census()[0], live - 1);
    assert.equal(binding.xxh32(Buffer.alloc(8), 4, 8, 0), NaN);
    assert.equal(binding.xxh32(Buffer.alloc(8), -1, 1, 0), NaN);
    assert.equal(binding.xxh32(undefined, 0, 1, 0), NaN);
    assert.ok(outcome(() => binding.openFd(1, 0)) instanceof Error);
    binding.giveFd(fd);
  });

  it('has just the names that its declaration says', () => {
    const source = readFileSync('lib/internal/binding.ts', 'utf8').replaceAll(/\/\*\*[^]*?\*\//g, '');
    const declared = [...source.matchAll(/readonly (\w+): Constants<([^>]*)>/g)].map(([, table, names]) => [table, [...names.matchAll(/'(\w+)'/g)].map(([, name]) => name)]);
    const addon = { ...binding, ...binding.FACTS };
    assert.deepEqual(declared.map(([table]) => table).filter((table) => addon[table] === undefined), []);
    for (const [table, names] of declared) assert.deepEqual(Object.keys(addon[table]).toSorted(), names.toSorted(), table);
    assert.ok(declared.length > 25);
    const tables = Object.keys(binding.FACTS);
    assert.deepEqual(tables.filter((table) => !declared.some(([name]) => name === table)), []);
    // Places, one after the other.
    for (const table of tables) assert.deepEqual(Object.values(binding.FACTS[table]), [...Object.keys(binding.FACTS[table]).keys()], table);
    const kinds = /type FaultKindName = ([^;]*)/.exec(source)[1];
    assert.deepEqual([...binding.FAULT_KINDS], [...kinds.matchAll(/'([\w-]+)'/g)].map(([, kind]) => kind));
    assert.deepEqual(Object.keys(binding.STEPS).toSorted(), ['createSharedMemory', 'mapFile', 'mapMemfd', 'touch']);
  });

  it('reads no part of a file that begins before it', () => {
    const paths = Buffer.from(`${file('touched', Buffer.alloc(8192))}\0`);
    for (const [offset, length] of [[-1, 1], [-(2 ** 53), 2 ** 53 - 1], [0, -1]]) {
      assert.equal(binding.touchAsync(paths, offset, length, 0, false), -EINVAL, `${offset}, ${length}`);
      assert.equal(binding.surveyAsync(paths, offset, length), -EINVAL, `${offset}, ${length}`);
    }
  });

  it('reads no parts but those of each path', () => {
    const paths = Buffer.from(`${file('parts', Buffer.alloc(8192))}\0`);
    for (const parts of [[], [1], [1, 0], [0, 0], [0, 0, 1], [2, 0, 1], [-1], [NaN], [0.5, 0, 1], [2 ** 60], [1, -1, 1], [1, 0, -1], [1, NaN, 1], [1, 0, 2 ** 53]]) {
      assert.equal(binding.touchPartsAsync(paths, Float64Array.from(parts), 1), -EINVAL, `${parts}`);
    }
    for (const other of [[], new Uint8Array(24), null]) assert.equal(binding.touchPartsAsync(paths, other, 1), -EINVAL);
    assert.equal(binding.touchPartsAsync(Buffer.from('a\0b'), Float64Array.of(0), 1), -EINVAL);
  });

  it('is called before what must come first', () => runs('unannounced'));

  it('sleeps for no time that is not a time', () => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    for (const ms of [NaN, -1, -Infinity, 0]) assert.equal(binding.futexWait(words, 0, 0, ms), -constants.errno.ETIMEDOUT, `${ms}`);
    for (const ms of [Infinity, Number.MAX_VALUE]) assert.equal(binding.futexWait(words, 0, 1, ms), -constants.errno.EAGAIN, `${ms}`);
    for (const words2 of [undefined, {}, new Float64Array(8), new Int32Array(0)]) assert.equal(binding.futexWait(words2, 0, 0, 0), -constants.errno.EFAULT);
  });
});
