// Protection taken and given back, in parts, with stray accesses, remapping and resizing in between:
// the bytes are those from before, and later writes reach the file.
import assert from 'node:assert/strict';
import { openSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultError, mapAnonymous, mapFile } from 'memmap';
import * as sys from 'memmap/sys';
import { PAGE, readPage } from '../files.mjs';
import { hasExternalBuffers } from '../../support/process/runtime.mjs';

const PAGES = 8;
const { MAP, MREMAP, PROT } = sys;
const RW = PROT.READ | PROT.WRITE;
/** Acts on a mapping until another one is made. */
const LIFE = 60;

/** What a mapping's buffer may be. */
const BUFFERS = hasExternalBuffers ? ['shared', 'array'] : ['shared'];

export function protectingActs({ one, next, folder, name, count, close }) {
  const path = join(folder, `own-${name}`);
  /** What the bytes are, whoever may look at them just now. */
  let model;
  let facade;
  let left = 0;

  const kinds = {
    file: () => mapFile(path, { access: 'read-write', buffer: one(BUFFERS) }),
    shared: () => mapAnonymous({ length: PAGES * PAGE, sharing: 'shared', buffer: one(BUFFERS) }),
    private: () => mapAnonymous({ length: PAGES * PAGE, buffer: one(BUFFERS) }),
  };

  function renew() {
    if (facade !== undefined) close(facade.mapping);
    facade = undefined;
    model = Buffer.alloc(PAGES * PAGE, 1 + next(255));
    writeFileSync(path, model);
    const kind = one(Object.keys(kinds));
    facade = { kind, mapping: kinds[kind](), locked: new Set() };
    facade.mapping.bytes.set(model);
    left = LIFE;
  }

  const pageOf = (bytes, page) => bytes.subarray(page * PAGE, (page + 1) * PAGE);

  function check(bytes, page, what) {
    const expected = pageOf(model, page);
    const at = next(PAGE);
    for (const place of [0, at, PAGE - 1]) {
      if (bytes[page * PAGE + place] !== expected[place]) {
        assert.fail(`${what}: byte ${page * PAGE + place} is ${bytes[page * PAGE + place]}, not ${expected[place]}`);
      }
    }
  }

  function write(bytes, page) {
    const byte = 1 + next(255);
    const at = page * PAGE + next(PAGE);
    bytes[at] = byte;
    model[at] = byte;
    return at;
  }

  /** Accesses that are not allowed; what they read is 0 or what is there. */
  function stray(bytes, from, to) {
    for (let i = 0; i < 4; i++) {
      const at = from * PAGE + next((to - from) * PAGE);
      void bytes[at];
      if (next(2) === 0) bytes[at] ^= 0xff;
    }
  }

  const steps = {
    takeAndGive({ mapping, kind }) {
      const from = next(PAGES);
      const to = from + 1 + next(PAGES - from);
      const range = { offset: from * PAGE, length: (to - from) * PAGE };
      mapping.protect(one(['none', 'read']), range);
      if (next(3) > 0) stray(mapping.bytes, from, to);
      if (next(4) === 0) faults(mapping);
      mapping.protect('read-write', next(2) === 0 ? undefined : range);
      for (let page = from; page < to; page++) check(mapping.bytes, page, `${kind} after protect() gave access back`);
      const page = from + next(to - from);
      const at = write(mapping.bytes, page);
      if (kind === 'file') assert.equal(readPage(path, page)[at % PAGE], model[at], 'a write after protect() reaches the file');
      count(to - from === PAGES ? 'protections' : 'parts');
    },
    resize({ mapping, kind }) {
      if (kind === 'file' && mapping.buffer instanceof ArrayBuffer && next(2) === 0) return;
      const pages = 1 + next(PAGES);
      if (next(2) === 0) {
        mapping.protect('none', { offset: 0, length: PAGE });
        stray(mapping.bytes, 0, 1);
        mapping.resize(pages * PAGE);
        mapping.protect('read-write', { offset: 0, length: PAGE });
      } else mapping.resize(pages * PAGE);
      for (let page = 0; page < pages; page++) check(mapping.bytes, page, `${kind} after resize() to ${pages} pages`);
      mapping.resize(PAGES * PAGE);
      // What was cut off is the file's still, and gone of anonymous memory.
      if (kind !== 'file') mapping.bytes.set(model);
      for (let page = 0; page < PAGES; page++) check(mapping.bytes, page, `${kind} after resize() back`);
      count('resizes');
    },
  };

  function faults(mapping) {
    try {
      mapping.check();
    } catch (error) {
      assert.ok(error instanceof FaultError, error.stack);
    }
  }

  return {
    protecting() {
      if (left-- <= 0) renew();
      const { mapping } = facade;
      try {
        const page = next(PAGES);
        write(mapping.bytes, page);
        steps[one(Object.keys(steps))](facade);
      } catch (error) {
        left = 0;
        throw error;
      }
    },
    /** The calls of memmap/sys, on a file of which nobody else knows. */
    remapping() {
      const own = `${path}-sys`;
      const content = Buffer.alloc(PAGES * PAGE, 1 + next(255));
      writeFileSync(own, content);
      const fd = openSync(own, 'r+');
      let buffer;
      try {
        const kind = one([MAP.SHARED, MAP.PRIVATE]);
        buffer = sys.mmap(null, content.length, RW, kind, fd, 0, { shared: next(2) === 0 || !hasExternalBuffers });
        const part = new Uint8Array(buffer, 0, content.length).subarray(PAGE, 3 * PAGE);
        sys.mprotect(part, part.length, one([PROT.NONE, PROT.READ]));
        stray(new Uint8Array(buffer, 0, content.length), 1, 3);
        if (next(2) === 0) sys.mprotect(part, part.length, RW);
        if (!(buffer instanceof SharedArrayBuffer)) {
          buffer = sys.mremap(buffer, content.length, content.length, MREMAP.MAYMOVE);
          count('remaps');
        }
        const bytes = new Uint8Array(buffer, 0, content.length);
        sys.mprotect(buffer, content.length, RW);
        for (let i = 0; i < 16; i++) {
          const at = next(content.length);
          assert.equal(bytes[at], content[at], `byte ${at} after mprotect() gave access back`);
        }
        bytes[PAGE] = content[0] ^ 0xff;
        const expected = kind === MAP.SHARED ? bytes[PAGE] : content[0];
        assert.equal(readPage(own, 1)[0], expected, 'what a write after mprotect() makes of the file');
      } finally {
        closeSync(fd);
        if (buffer !== undefined && buffer.byteLength > 0) sys.munmap(buffer);
      }
    },
    end() {
      if (facade !== undefined) close(facade.mapping);
    },
  };
}
