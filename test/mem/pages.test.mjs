// A mapping's buffer: what it is, what resize() and close() make of it: lib/mem/pages.ts, lib/internal/buffer.ts,
// src-native/napi/memory/buffer.cc.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';

import { mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE, munmap } from 'memmap/sys';

import { hole } from '../support/kernel/addresses.mjs';
import { readElsewhere } from '../support/process/elsewhere.mjs';
import { mapAt, maps, smapsAt } from '../support/kernel/proc.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 16 * PAGE_SIZE;
const isZero = (bytes) => bytes.every((byte) => byte === 0);

describe('pages', () => {
  const file = temporaryFiles();

  describe('arguments', () => {
    it('resizes to whole numbers of bytes from 1 on', () => {
      const memory = mapAnonymous({ length: LENGTH });
      for (const length of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
        assert.throws(() => memory.resize(length), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }, `${length}`);
      }
      assert.equal(memory.length, LENGTH);
      memory.close();
    });
  });

  describe('buffer', () => {
    it('is a SharedArrayBuffer by default, one and the same, of exactly the length', () => {
      for (const length of [1, PAGE_SIZE, 2 ** 16, 2 ** 16 + 1, 3 * 2 ** 20]) {
        const memory = mapAnonymous({ length });
        const { buffer } = memory;
        assert.ok(buffer instanceof SharedArrayBuffer);
        assert.equal(buffer.byteLength, length);
        assert.equal(memory.buffer, buffer);
        assert.equal(memory.bytes, memory.bytes);
        memory.bytes[length - 1] = 1;
        memory.close();
      }
    });

    itExternal("is an ArrayBuffer with buffer: 'array'", () => {
      const memory = mapAnonymous({ length: LENGTH, buffer: 'array' });
      assert.ok(memory.buffer instanceof ArrayBuffer);
      assert.equal(memory.buffer.byteLength, LENGTH);
      memory.close();
    });

    itExternal('keeps what was in the pages before it was made, and their address', () => {
      const content = Buffer.alloc(3 * PAGE_SIZE, 'f');
      for (const buffer of ['shared', 'array']) {
        const mapping = mapFile(file('before', content), { buffer });
        assert.equal(mapping.count(102), content.length);
        const { address } = mapping;
        assert.ok(mapping.bytes.equals(content));
        assert.equal(mapping.address, address);
        assert.equal(mapAt(address).path, mapping.path);
        mapping.close();
      }
    });

    it('keeps what the kernel was told of the pages before it was made', () => {
      const memory = mapAnonymous({ length: LENGTH, lock: true, advice: 'dontdump' });
      void memory.buffer;
      const { VmFlags } = smapsAt(memory.address);
      assert.ok(VmFlags.includes('lo') && VmFlags.includes('dd'));
      memory.close();
    });

    itExternal('over fixed addresses is what the runtime can make; asking for more is an error with a way out', () => {
      const options = { length: PAGE_SIZE, address: hole(PAGE_SIZE), placement: 'fixed-noreplace' };
      const memory = mapAnonymous(options);
      memory.bytes[0] = 1;
      assert.equal(memory.address, options.address);
      const isShared = memory.buffer instanceof SharedArrayBuffer;
      memory.close();
      const asked = mapAnonymous({ ...options, address: hole(PAGE_SIZE), buffer: 'shared' });
      if (isShared) {
        assert.ok(asked.buffer instanceof SharedArrayBuffer);
      } else {
        assert.throws(() => asked.buffer, {
          name: 'UnsupportedError',
          code: 'ERR_MEMMAP_NO_SHARED_BUFFER',
          message: /buffer: 'array'/,
        });
      }
      asked.close();
    });
  });

  describe('resize', () => {
    for (const buffer of ['shared', 'array']) {
      const its = buffer === 'array' ? itExternal : it;
      its(`grows and shrinks; the new buffer has everything, the old one nothing (buffer: '${buffer}')`, () => {
        const memory = mapAnonymous({ length: LENGTH, buffer });
        memory.bytes.fill(7);
        for (const length of [4 * LENGTH, LENGTH + 1, 100, 2 * LENGTH]) {
          const old = memory.bytes;
          const kept = Math.min(old.length, length);
          const fresh = Buffer.from(old.subarray(0, kept));
          memory.resize(length);
          assert.equal(memory.length, length);
          assert.equal(memory.buffer.byteLength, length);
          assert.notEqual(memory.bytes, old);
          assert.ok(memory.bytes.subarray(0, kept).equals(fresh));
          if (buffer === 'array') {
            assert.equal(old.length, 0);
          } else {
            assert.ok(isZero(old));
            old.fill(9);
          }
          assert.ok(memory.bytes.subarray(0, kept).equals(fresh), 'writes to the old reach nobody');
          memory.bytes[length - 1] = 7;
        }
        memory.close();
      });
    }

    it('is EFAULT where pages that stay have been unmapped, which read zeros as before', () => {
      const gap = LENGTH - 2 * PAGE_SIZE;
      for (const memory of [mapAnonymous({ length: LENGTH }), SharedMemory.create({ length: LENGTH }).map()]) {
        const { bytes } = memory;
        bytes.fill(7);
        munmap(bytes.subarray(gap, gap + PAGE_SIZE));
        assert.throws(() => memory.resize(LENGTH - PAGE_SIZE), { code: 'EFAULT', syscall: 'mremap', message: /have been unmapped/ });
        assert.equal(memory.length, LENGTH);
        assert.equal(memory.bytes.indexOf(0), gap);
        assert.equal(memory.bytes.indexOf(7, gap), gap + PAGE_SIZE);
        memory.resize(gap);
        assert.ok(memory.bytes.every((byte) => byte === 7));
        memory.close();
      }
    });

    it('works before there is a buffer', () => {
      const memory = mapAnonymous({ length: LENGTH });
      memory.resize(100 * LENGTH);
      memory.bytes[100 * LENGTH - 1] = 1;
      assert.ok(isZero(memory.bytes.subarray(0, LENGTH)));
      memory.close();
    });

    it('releases the pages behind the new end', () => {
      const memory = mapAnonymous({ length: LENGTH, advice: 'dontdump', populate: true });
      memory.resize(PAGE_SIZE);
      assert.deepEqual(memory.residency().pages, 1);
      const { start, end } = mapAt(memory.address);
      assert.equal(Number(end - start), PAGE_SIZE);
      memory.close();
    });
  });

  describe('after close', () => {
    itExternal('is unmapped at once if there was no buffer', () => {
      const memory = mapAnonymous({ length: LENGTH, buffer: 'array', address: hole(LENGTH) });
      const { address } = memory;
      memory.close();
      assert.equal(mapAt(address), undefined);
    });

    it('a view reads zeros, its writes reach nobody, and the file is released', () => {
      const path = file('closed', Buffer.alloc(LENGTH, 'f'));
      const mapping = mapFile(path, { access: 'read-write' });
      const { bytes } = mapping;
      const words = mapping.view(BigUint64Array);
      const data = mapping.dataView();
      mapping.close();
      assert.ok(!maps().some((map) => map.path === path));
      assert.ok(isZero(bytes));
      assert.ok(words.every((word) => word === 0n));
      assert.equal(data.getUint8(LENGTH - 1), 0);
      bytes.fill('x');
      assert.ok(readElsewhere(path).equals(Buffer.alloc(LENGTH, 'f')));
    });

    itExternal("every view of buffer: 'array' is empty", () => {
      const memory = mapAnonymous({ length: LENGTH, buffer: 'array' });
      const { bytes, buffer } = memory;
      const words = memory.view(Float64Array);
      memory.close();
      assert.deepEqual([bytes.length, words.length, buffer.byteLength], [0, 0, 0]);
      assert.equal(bytes[0], undefined);
    });

    it('a view never sees the bytes of a later mapping', () => {
      const first = mapAnonymous({ length: LENGTH });
      const { bytes } = first;
      bytes.fill(1);
      first.close();
      const later = Array.from({ length: 50 }, () => mapAnonymous({ length: LENGTH }));
      for (const memory of later) memory.bytes.fill(2);
      assert.ok(isZero(bytes));
      bytes.fill(3);
      for (const memory of later) {
        assert.ok(memory.bytes.every((byte) => byte === 2));
        memory.close();
      }
    });

    it('a worker that reads on meanwhile sees zeros', async () => {
      const memory = mapAnonymous({ length: LENGTH, sharing: 'shared', buffer: 'shared' });
      memory.bytes.fill(1);
      const worker = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads');
         const words = new Int32Array(workerData, 0, ${LENGTH / 4});
         parentPort.postMessage('reading');
         const watchdog = Date.now() + 20_000;
         while (Atomics.load(words, words.length - 1) !== 0 && Date.now() < watchdog);
         parentPort.postMessage(words.every((word) => word === 0));`,
        { eval: true, workerData: memory.buffer },
      );
      const messages = [];
      const ended = new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
      worker.on('message', (message) => {
        messages.push(message);
        if (message === 'reading') memory.close();
      });
      await ended;
      assert.deepEqual(messages, ['reading', true]);
    });

    itExternal('a second close does nothing', () => {
      const address = hole(LENGTH);
      const memory = mapAnonymous({ length: LENGTH, address });
      memory.close();
      const other = mapAnonymous({ length: LENGTH, address });
      other.bytes.fill(7);
      memory.close();
      assert.ok(other.bytes.every((byte) => byte === 7));
      other.close();
    });
  });
});
