// Descriptors that mappings keep and others close: nothing is done to the file that has the number then:
// lib/internal/descriptors/{file-id,owned-fd}.ts, lib/file/file-identity.ts.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE as PAGE } from 'memmap/sys';
import { closedAfterEach } from '../support/descriptors.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 8 * PAGE;
const SECRET = Buffer.alloc(LENGTH, 'secret');
const closed = { name: 'SystemError', code: 'EBADF', message: /Descriptor \d+ belongs to memmap but was closed/ };

describe('a descriptor that a mapping keeps, and somebody else has closed', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();

  /** Another file that gets the number. */
  function replace(fd) {
    closeSync(fd);
    const path = file('other', SECRET);
    const other = openSync(path, 'r+');
    assert.equal(other, fd);
    return { path, put: () => closeSync(other) };
  }

  const MAPPINGS = {
    anonymous() {
      const mapping = mapAnonymous({ length: LENGTH, sharing: 'shared' });
      return { mapping, fd: mapping.fd, mends: () => mapping.protect('read') };
    },
    SharedMemory() {
      const memory = SharedMemory.create({ length: LENGTH });
      const before = openSync('/dev/null', 'r');
      closeSync(before);
      const mapping = keep(memory.map());
      keep(memory);
      return { mapping, fd: before, mends: () => mapping.refresh() };
    },
    FileMapping() {
      const path = file('gone', Buffer.alloc(LENGTH));
      const own = openSync(path, 'r+');
      unlinkSync(path);
      const before = openSync('/dev/null', 'r');
      closeSync(before);
      const mapping = mapFile(own, { access: 'read-write' });
      keep({ close: () => closeSync(own) });
      return { mapping, fd: before, mends: () => mapping.refresh() };
    },
  };

  for (const [name, make] of Object.entries(MAPPINGS)) {
    it(`is not asked, mapped or made longer in its stead: ${name}`, () => {
      const { mapping, fd, mends } = make();
      mapping.bytes.fill(65);
      ftruncateSync(fd, PAGE);
      assert.equal(mapping.bytes[4 * PAGE], 0);
      const { path } = replace(fd);
      assert.throws(mends, closed);
      assert.throws(() => mapping.resize(2 * LENGTH), closed);
      if (name === 'anonymous') assert.throws(() => mapping.fd, closed);
      mapping.bytes.fill(66);
      assert.deepEqual(readFileSync(path), SECRET);
      mapping.close(); // which closes the number, whoever has it
    });
  }

  it('is not mapped or given away by SharedMemory, which leaves it open', () => {
    const memory = SharedMemory.create({ length: LENGTH });
    const { path, put } = replace(memory.fd);
    for (const act of [() => memory.map(), () => memory.fd, () => memory.length, () => memory.readOnlyFd()]) {
      assert.throws(act, closed);
    }
    memory.close();
    writeFileSync(path, '');
    put();
  });
});
