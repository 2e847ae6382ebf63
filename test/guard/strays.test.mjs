// A stray access costs no byte: the bytes are back once access is given: src-native/core/replacement/stash.cc,
// src-native/core/guard/fault_fixup.cc, lib/mem/protections.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs';
import { mapAnonymous, mapFile } from 'memmap';
import { MADV, MAP, MREMAP, PROT, PAGE_SIZE as PAGE, madvise, mmap, mprotect, mremap, munmap } from 'memmap/sys';
import { temporaryFiles } from '../support/temp.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';

const PAGES = 16;
const LENGTH = PAGES * PAGE;
const file = temporaryFiles();

/** Calls `use` with a descriptor that is closed when it returns. */
function withOpenFile(path, flags, use) {
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Of the buffer: one that every runtime has. */
const KIND = { shared: !hasExternalBuffers };

/** What memmap/sys may map, filled with 'x' by now, and how to see what others see of it. */
const MEMORY = {
  'private memory': () => {
    const buffer = mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0, KIND);
    new Uint8Array(buffer).fill(120);
    return { buffer };
  },
  'shared memory': () => {
    const buffer = mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.SHARED | MAP.ANONYMOUS, -1, 0, KIND);
    new Uint8Array(buffer).fill(120);
    return { buffer };
  },
  'a shared file': () => {
    const path = file('shared', Buffer.alloc(LENGTH, 'x'));
    const buffer = withOpenFile(path, 'r+', (fd) => mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.SHARED, fd, 0, KIND));
    return { buffer, others: () => readFileSync(path) };
  },
  'a private file': () => {
    const path = file('private', Buffer.alloc(LENGTH, 'y'));
    const buffer = withOpenFile(path, 'r', (fd) => mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE, fd, 0, KIND));
    new Uint8Array(buffer).fill(120);
    return { buffer };
  },
};

/** Takes access away, from the whole or a part, and lets something stray. */
const STRAYS = {
  'a read without access': (buffer) => {
    mprotect(buffer, undefined, PROT.NONE);
    assert.equal(new Uint8Array(buffer)[5 * PAGE], 0);
  },
  'a write without access': (buffer) => {
    mprotect(buffer, undefined, PROT.NONE);
    new Uint8Array(buffer)[5 * PAGE] = 1;
  },
  'a write to read-only memory': (buffer) => {
    mprotect(buffer, undefined, PROT.READ);
    const bytes = new Uint8Array(buffer);
    bytes[5 * PAGE] = 1;
    assert.equal(bytes[5 * PAGE], 1);
    assert.equal(bytes[5 * PAGE + 1], 120);
  },
  'writes to some pages of a part': (buffer) => {
    mprotect(new Uint8Array(buffer, 4 * PAGE, 8 * PAGE), undefined, PROT.READ);
    const bytes = new Uint8Array(buffer);
    for (let page = 4; page < 12; page += 2) bytes[page * PAGE] = 1;
    bytes[PAGE] = 120;
  },
};

const whole = (bytes) => bytes.every((byte) => byte === 120);

for (const [memory, make] of Object.entries(MEMORY)) {
  describe(`after stray accesses, ${memory}`, () => {
    for (const [stray, happen] of Object.entries(STRAYS)) {
      it(`has its bytes again with mprotect(): ${stray}`, () => {
        const { buffer, others } = make();
        for (let round = 0; round < 3; round++) {
          happen(buffer);
          if (others !== undefined) assert.ok(whole(others()), 'nobody else sees it');
          mprotect(buffer, undefined, PROT.READ | PROT.WRITE);
          const bytes = new Uint8Array(buffer);
          assert.ok(whole(bytes));
          bytes[7 * PAGE] = 2;
          if (others !== undefined) assert.equal(others()[7 * PAGE], 2, 'later writes reach the file');
          bytes[7 * PAGE] = 120;
        }
        munmap(buffer);
      });

      it(`has the bytes of a part with access to that: ${stray}`, () => {
        const { buffer, others } = make();
        happen(buffer);
        mprotect(new Uint8Array(buffer, 5 * PAGE, PAGE), undefined, PROT.READ | PROT.WRITE);
        const part = new Uint8Array(buffer, 5 * PAGE, PAGE);
        assert.ok(whole(part));
        part[9] = 2;
        if (others !== undefined) assert.equal(others()[5 * PAGE + 9], 2);
        munmap(buffer);
      });

      it(`has them after mremap(): ${stray}`, () => {
        const { buffer, others } = make();
        happen(buffer);
        // A mapping protected in parts cannot be moved, here as in C.
        if (stray.endsWith('a part')) mprotect(buffer, undefined, PROT.READ);
        const moved = mremap(buffer, LENGTH, 2 * LENGTH, MREMAP.MAYMOVE);
        mprotect(new Uint8Array(moved, 0, LENGTH), undefined, PROT.READ | PROT.WRITE);
        const bytes = new Uint8Array(moved, 0, LENGTH);
        assert.ok(whole(bytes));
        bytes[5 * PAGE] = 2;
        if (others !== undefined) assert.equal(others()[5 * PAGE], 2);
        munmap(moved);
      });
    }
  });
}

describe('after stray accesses, a Mapping', () => {
  for (const access of ['none', 'read']) {
    it(`has its bytes after resize(), and its file what is written then: protect('${access}')`, () => {
      const path = file('resized', Buffer.alloc(LENGTH, 'x'));
      const mapping = mapFile(path, { access: 'read-write' });
      mapping.protect(access);
      mapping.bytes[3 * PAGE] = 1;
      mapping.resize(2 * LENGTH);
      mapping.protect('read-write');
      assert.ok(whole(mapping.bytes.subarray(0, LENGTH)));
      mapping.bytes[3 * PAGE] = 2;
      assert.equal(readFileSync(path)[3 * PAGE], 2);
      assert.equal(mapping.faults.violations, 1);
      mapping.close();
    });

    for (const length of [2 * LENGTH, LENGTH / 2]) {
      it(`keeps what protect() did to a part over resize() to ${length}: protect('${access}')`, () => {
        const path = file('part', Buffer.alloc(LENGTH, 'x'));
        const mapping = mapFile(path, { access: 'read-write' });
        const part = { offset: PAGE, length: 2 * PAGE };
        mapping.protect(access, part);
        mapping.bytes[2 * PAGE] = 1;
        mapping.resize(length);
        assert.equal(mapping.bytes[0], 120);
        mapping.bytes[2 * PAGE] = 1;
        assert.equal(mapping.faults.violations, 2, 'the part is protected still');
        assert.equal(readFileSync(path)[2 * PAGE], 120);
        mapping.protect('read-write', part);
        assert.ok(whole(mapping.bytes.subarray(0, Math.min(length, LENGTH))));
        mapping.bytes[2 * PAGE] = 2;
        assert.equal(readFileSync(path)[2 * PAGE], 2);
        mapping.close();
      });
    }

    it(`of a file that no path leads to has them, too: protect('${access}')`, () => {
      const path = file('gone', Buffer.alloc(LENGTH, 'x'));
      const mapping = mapFile(path, { access: 'read-write' });
      const fd = openSync(path, 'r');
      unlinkSync(path);
      mapping.protect(access);
      mapping.bytes[3 * PAGE] = 1;
      assert.equal(readFileSync(fd)[3 * PAGE], 120);
      mapping.protect('read-write');
      assert.ok(whole(mapping.bytes));
      mapping.check();
      mapping.bytes[3 * PAGE] = 2;
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, 3 * PAGE);
      assert.equal(byte[0], 2);
      closeSync(fd);
      mapping.close();
    });

    it(`of private memory has them, too: protect('${access}')`, () => {
      const mapping = mapAnonymous({ length: LENGTH });
      mapping.bytes.fill('x');
      mapping.protect(access);
      mapping.bytes[3 * PAGE] = 1;
      mapping.protect('read-write');
      assert.ok(whole(mapping.bytes));
      mapping.close();
    });
  }
});

describe('pages that the kernel guards, or lets run only', () => {
  it('MADV_GUARD_INSTALL: read zeros', function () {
    const buffer = mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0, KIND);
    const bytes = new Uint8Array(buffer).fill(120);
    try {
      madvise(new Uint8Array(buffer, PAGE, 2 * PAGE), undefined, MADV.GUARD_INSTALL);
    } catch (error) {
      if (error.code === 'ERR_MEMMAP_UNSUPPORTED' || error.code === 'EINVAL') this.skip();
      throw error;
    }
    assert.deepEqual([bytes[PAGE - 1], bytes[PAGE], bytes[3 * PAGE - 1], bytes[3 * PAGE]], [120, 0, 0, 120]);
    bytes[PAGE] = 1;
    munmap(buffer);
  });

  it('PROT_EXEC alone: may be read, or reads zeros', () => {
    const buffer = mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0, KIND);
    const bytes = new Uint8Array(buffer).fill(120);
    mprotect(buffer, undefined, PROT.EXEC);
    assert.ok([0, 120].includes(bytes[PAGE]));
    mprotect(buffer, undefined, PROT.READ | PROT.WRITE);
    assert.ok(whole(bytes));
    munmap(buffer);
  });

  it('mprotect() over what munmap() took: ENOMEM, and nothing is changed', () => {
    const buffer = mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0, KIND);
    const bytes = new Uint8Array(buffer).fill(120);
    munmap(new Uint8Array(buffer, 4 * PAGE, PAGE));
    assert.throws(() => mprotect(buffer, undefined, PROT.READ), { code: 'ENOMEM', syscall: 'mprotect' });
    bytes[0] = 1;
    assert.deepEqual([bytes[0], bytes[4 * PAGE], bytes[5 * PAGE]], [1, 0, 120]);
    mprotect(new Uint8Array(buffer, 0, 4 * PAGE), undefined, PROT.READ);
    munmap(buffer);
  });
});
