// What only the kernel or the file can refuse: its own error, and nothing left behind: lib/internal/syscall.ts,
// lib/file/open-file.ts, lib/mem/mapping.ts, src-native/core/mapping/file.cc.
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import * as memmap from 'memmap';
import { descriptors, openedSince } from '../support/descriptors.mjs';
import { mapAt, maps } from '../support/kernel/proc.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { mapAnonymous, mapFile, reserve } = memmap;
const PAGE_SIZE = 4096;
const LENGTH = 4 * PAGE_SIZE;
const BEYOND = 2 ** 32 + 4096;

describe('Refusals', () => {
  const file = temporaryFiles();
  let path;
  let had;
  // What the library opens once, for good.
  before(() => mapFile(file('first', 'x')).close());
  beforeEach(() => {
    path = file('refused', Buffer.alloc(LENGTH, 1));
    had = descriptors();
  });
  afterEach(() => {
    assert.deepEqual(openedSince(had), []);
    assert.deepEqual(maps().filter((one) => one.path.startsWith(path)), []);
    assert.ok(readFileSync(path).equals(Buffer.alloc(LENGTH, 1)));
  });

  /** Runs `act` with a descriptor of the file. */
  function withFd(flags, act) {
    const fd = openSync(path, flags);
    try {
      return act(fd);
    } finally {
      closeSync(fd);
    }
  }

  for (const [what, error, call] of [
    ['a file that is not there', { code: 'ENOENT', errno: -2, syscall: 'open' }, () => mapFile(`${path}-not-there`)],
    ['a directory', { code: 'EISDIR', errno: -21, syscall: 'fstat' }, () => mapFile('/')],
    ['a file of /proc', { code: 'ENODEV', errno: -19, syscall: 'fstat', message: /fs\.readFile/ }, () => mapFile('/proc/cpuinfo')],
    ['a path through a file', { code: 'ENOTDIR', errno: -20, syscall: 'open' }, () => mapFile(`${path}/below`)],
    ['a name too long', { code: 'ENAMETOOLONG', syscall: 'open' }, () => mapFile(`/${'x'.repeat(300)}`)],
    ['a descriptor nobody has', { code: 'EBADF', errno: -9, syscall: 'fstat' }, () => mapFile(2 ** 31 - 1)],
    ['a descriptor that was closed', { code: 'EBADF', syscall: 'fstat' }, () => mapFile(withFd('r', (fd) => fd))],
    ['to write through a descriptor open for reading', { code: 'EACCES', errno: -13, syscall: 'mmap', message: /reading and writing/ },
      () => withFd('r', (fd) => mapFile(fd, { access: 'read-write' }))],
    ['to read through a descriptor open for writing', { code: 'EACCES', syscall: 'mmap' },
      () => withFd('a', (fd) => mapFile(fd))],
    ['more addresses than there are', { code: 'ENOMEM', errno: -12, syscall: 'mmap' }, () => reserve(2 ** 50)],
    ['more memory than an address space', { code: 'ENOMEM', syscall: 'mmap' },
      () => mapAnonymous({ length: Number.MAX_SAFE_INTEGER, noReserve: true })],
    ['a fixed place over the program', { code: 'EEXIST', errno: -17, syscall: 'mmap', message: /reserve\(\)/ },
      () => mapAnonymous({ length: LENGTH, placement: 'fixed', address: maps().find((one) => one.path === process.execPath).start })],
    ['a fixed place inside a page', { code: 'EINVAL', errno: -22, syscall: 'mmap' },
      () => mapAnonymous({ length: LENGTH, placement: 'fixed', address: 2n ** 36n + 1n })],
    ['sync off a DAX file system', { code: 'ENOTSUP', errno: -95, syscall: 'mmap', message: /DAX/ },
      () => mapFile(path, { access: 'read-write', sync: true })],
    ['a file larger than a disk', ({ code, syscall }) => /^(EFBIG|ENOSPC)$/.test(code) && syscall === 'fallocate',
      () => mapFile(path, { access: 'read-write', size: Number.MAX_SAFE_INTEGER })],
    ['an offset past the end', { code: 'ERR_OUT_OF_RANGE', message: /16384/ }, () => mapFile(path, { offset: LENGTH + 1 })],
    ['a length past the end', { code: 'ERR_OUT_OF_RANGE', message: /16384/ }, () => mapFile(path, { length: LENGTH + 1 })],
    ['an offset and a length that add up past the end', { code: 'ERR_OUT_OF_RANGE' },
      () => mapFile(path, { offset: LENGTH - 1, length: 2 })],
    ['an offset and a length whose sum no number holds', { code: 'ERR_OUT_OF_RANGE' },
      () => mapFile(path, { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER })],
    ['2 ** 32 + 4096 bytes of a file of four pages', { code: 'ERR_OUT_OF_RANGE' }, () => mapFile(path, { length: BEYOND })],
    ['a write to the end of a copy of a file', { code: 'ERR_INVALID_ARG_VALUE' },
      () => mapFile(path, { access: 'copy-on-write', size: BEYOND })],
  ]) {
    it(`${what}: ${error.code ?? 'EFBIG or ENOSPC'}`, () => {
      assert.throws(call, error);
    });
  }

  it('a FileHandle that was closed: EBADF', async () => {
    const handle = await open(path);
    await handle.close();
    assert.throws(() => mapFile(handle), { code: 'EBADF', syscall: 'fstat' });
  });

  it('a SystemError of a file names it', () => {
    mkdirSync(file('directory'), { recursive: true });
    assert.throws(() => mapFile(file('directory')), { path: file('directory'), name: 'SystemError' });
  });

  it('2 ** 32 + 4096 bytes are mapped whole, never 4096 of them', () => {
    for (const map of [
      () => mapAnonymous({ length: BEYOND, noReserve: true }),
      () => reserve(BEYOND),
      () => {
        const short = mapAnonymous({ length: PAGE_SIZE, noReserve: true });
        short.resize(BEYOND);
        return short;
      },
    ]) {
      const sizes = () => maps().reduce((sum, { start, end }) => sum + Number(end - start), 0);
      const old = sizes();
      const mapping = map();
      assert.equal(mapping.length, BEYOND);
      const { start, end } = mapAt(mapping.address);
      assert.ok(start <= mapping.address && mapping.address + BigInt(BEYOND) <= end);
      // Not just beside others' addresses; other threads may have given some back meanwhile.
      assert.ok(sizes() - old > BEYOND / 2);
      mapping.close();
    }
  });

  it('a size past the end grows the file by exactly that; a smaller one leaves it', () => {
    const grown = file('grown', Buffer.alloc(LENGTH, 1));
    mapFile(grown, { access: 'read-write', size: LENGTH + 1 }).close();
    assert.equal(statSync(grown).size, LENGTH + 1);
    mapFile(grown, { access: 'read-write', size: 1 }).close();
    assert.equal(statSync(grown).size, LENGTH + 1);
  });

  it('write with exec is refused unless allowWriteExec: true, everywhere', () => {
    const refused = { code: 'ERR_MEMMAP_WRITE_EXEC', name: 'TypeError' };
    const space = reserve(LENGTH);
    const mapping = mapAnonymous({ length: LENGTH });
    const access = 'read-write-execute';
    assert.throws(() => mapAnonymous({ length: LENGTH, access }), refused);
    assert.throws(() => mapAnonymous({ length: LENGTH, access, sharing: 'shared' }), refused);
    assert.throws(() => space.place(0, { length: LENGTH, access }), refused);
    assert.throws(() => mapping.protect(access), refused);
    const permissions = (one) => mapAt(one.address).permissions;
    assert.equal(permissions(mapping), 'rw-p');
    mapping.protect(access, undefined, { allowWriteExec: true });
    assert.equal(permissions(mapping), 'rwxp');
    const placed = space.place(0, { length: LENGTH, access, allowWriteExec: true });
    assert.equal(permissions(placed), 'rwxp');
    mapping.close();
    space.close();
  });
});
