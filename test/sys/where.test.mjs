// The address argument of a call, as a buffer, a view or a number: lib/sys/where.ts.
import assert from 'node:assert/strict';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { mapAt } from '../support/kernel/proc.mjs';

const { MAP, PAGE_SIZE, PROT, mincore, mmap, mprotect, munmap } = sys;
const RW = PROT.READ | PROT.WRITE;
const LENGTH = 4 * PAGE_SIZE;

describe('where a call acts', () => {
  let address;
  let buffer;
  beforeEach(() => {
    address = hole(LENGTH);
    buffer = mmap(address, LENGTH, RW, MAP.PRIVATE | MAP.ANONYMOUS);
  });
  afterEach(() => munmap(buffer));

  /** The pages that are read-only now. */
  const changed = () =>
    [0, 1, 2, 3].filter((page) => mapAt(address + BigInt(page * PAGE_SIZE)).permissions === 'r--p');

  for (const [what, where, length, pages] of [
    ['a buffer: all of it', () => buffer, undefined, [0, 1, 2, 3]],
    ['a buffer and a length: its first bytes', () => buffer, PAGE_SIZE, [0]],
    ['a typed array: its part', () => new Float64Array(buffer, PAGE_SIZE, PAGE_SIZE / 8), undefined, [1]],
    ['a Buffer: its part', () => Buffer.from(buffer, 2 * PAGE_SIZE), undefined, [2, 3]],
    ['a DataView and a length', () => new DataView(buffer, PAGE_SIZE), PAGE_SIZE + 1, [1, 2]],
    ['a BigInt address', () => address + BigInt(3 * PAGE_SIZE), PAGE_SIZE, [3]],
    ['a number, where it is a safe integer', () => Number(address), 2 * PAGE_SIZE, [0, 1]],
  ]) {
    it(`is ${what}`, () => {
      mprotect(where(), length, PROT.READ);
      assert.deepEqual(changed(), pages);
    });
  }

  it('a bare address needs a length', () => {
    for (const call of [sys.munmap, sys.mlock, sys.munlock, sys.mseal, sys.mincore]) {
      assert.throws(() => call(address), { code: 'ERR_INVALID_ARG_TYPE' }, call.name);
    }
    assert.equal(mapAt(address).permissions, 'rw-p');
  });

  it('a length past the end of the view is refused, even where memory of ours goes on', () => {
    const view = new Uint8Array(buffer, 0, PAGE_SIZE);
    for (const length of [PAGE_SIZE + 1, LENGTH, 2 ** 32 + PAGE_SIZE]) {
      assert.throws(() => mprotect(view, length, PROT.READ), { code: 'ERR_OUT_OF_RANGE' });
    }
    assert.deepEqual(changed(), []);
  });

  it('an address past the end of ours is foreign, by one byte too', () => {
    for (const [from, length] of [
      [address, LENGTH + 1],
      [address + BigInt(LENGTH), 1],
      [address - 1n, 1],
      [address, 2 ** 32 + LENGTH],
      [address, Number.MAX_SAFE_INTEGER],
    ]) {
      assert.throws(() => mprotect(from, length, PROT.READ), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
    }
    assert.deepEqual(changed(), []);
  });

  it('a view keeps its memory: the call works when the buffer is out of reach', () => {
    const view = new Uint8Array(mmap(null, LENGTH, RW, MAP.PRIVATE | MAP.ANONYMOUS), PAGE_SIZE);
    view[0] = 1;
    assert.deepEqual([...mincore(view)], [1, 0, 0]);
    munmap(view);
    assert.equal(view[0], 0);
  });
});
