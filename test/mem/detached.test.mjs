// buffer: 'array' whose memory another buffer has taken is ERR_MEMMAP_DETACHED: lib/mem/{pages,mapping}.ts,
// lib/internal/buffer.ts.
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { features, mapAnonymous, mapFile } from 'memmap';
import { Mutex, SharedMemory } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { run } from '../support/process/run.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { PAGE_SIZE } = sys;
const LENGTH = 4 * PAGE_SIZE;
const detached = { name: 'StateError', code: 'ERR_MEMMAP_DETACHED', message: /copyOut.*close\(\).*SharedArrayBuffer/ };

/** Ways to take the memory of a buffer: each gives the bytes of what has it then. */
const TAKERS = {
  'a byte stream': async (bytes) => {
    const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(bytes) });
    const { value } = await stream.getReader().read();
    return value;
  },
  'transfer()': ArrayBuffer.prototype.transfer && (async ({ buffer }) => new Uint8Array(buffer.transfer())),
};

describe('a buffer that was taken', function () {
  const file = temporaryFiles();

  before(function () {
    if (!hasExternalBuffers) skip(this, "this runtime has no buffer: 'array'");
  });

  /** A file of sevens, mapped; nothing of it can be reached through its buffer any more. */
  async function stolen(take, options = {}) {
    const mapping = mapFile(file('stolen', Buffer.alloc(LENGTH, 7)), { access: 'read-write', buffer: 'array', ...options });
    const taken = await take(mapping.bytes);
    assert.equal(taken[0], 7);
    return { mapping, taken };
  }

  for (const [name, take] of Object.entries(TAKERS)) {
    describe(`by ${name}`, () => {
      before(function () {
        if (take === undefined) skip(this, `this runtime has no ${name}`);
      });

      it('is ERR_MEMMAP_DETACHED to who asks for memory through it, or whether all is well', async () => {
        const { mapping } = await stolen(take);
        for (const ask of [
          () => mapping.bytes,
          () => mapping.buffer,
          () => mapping.view(Uint8Array),
          () => mapping.view(Float64Array, { offset: 8, count: 1 }),
          () => mapping.dataView(),
          () => mapping.check(),
          () => mapping.windows().next(),
          () => mapping.lines().next(),
          () => new Mutex(mapping, 0),
        ]) {
          assert.throws(ask, detached, `${ask}`);
        }
        assert.equal(mapping.closed, false);
        mapping.close();
        assert.equal(mapping.closed, true);
        assert.throws(() => mapping.bytes, { code: 'ERR_MEMMAP_CLOSED' });
        assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_CLOSED' });
      });

      it('leaves everything else of the mapping as it was', async () => {
        const { mapping, taken } = await stolen(take);
        assert.ok(mapping.copyOut(0, LENGTH).every((byte) => byte === 7));
        mapping.copyIn(1, Buffer.from([8]));
        assert.equal(taken[1], 8);
        mapping.flush();
        await mapping.flushAsync();
        assert.equal(mapFile(mapping.path).bytes[1], 8);
        assert.equal(mapping.size(), LENGTH);
        assert.equal(mapping.length, LENGTH);
        assert.equal(mapping.indexOf(Buffer.from([8])), 1);
        assert.equal(mapping.count(7), LENGTH - 1);
        assert.equal(mapping.residency().length ?? LENGTH, LENGTH);
        mapping.lock();
        mapping.unlock();
        mapping.protect('read', { length: PAGE_SIZE });
        assert.equal(mapping.refresh(), false);
        assert.ok(mapping.address > 0n);
        mapping.persist();
        mapping.close();
      });

      it('reads zeros after close(), which are counted', async () => {
        const { mapping, taken } = await stolen(take);
        mapping.close();
        assert.ok(taken.every((byte) => byte === 0));
        taken.fill(1);
        assert.ok(mapping.faults.afterClose > 0);
        assert.equal(mapFile(mapping.path).bytes[0], 7);
      });

      it('reads zeros after resize() or a refresh() of another length, which give the mapping a new one', async () => {
        const { mapping, taken } = await stolen(take);
        mapping.resize(2 * LENGTH);
        assert.equal(mapping.bytes[0], 7);
        assert.equal(taken[0], 0);
        mapping.check();
        await take(mapping.bytes);
        assert.throws(() => mapping.bytes, detached);
        truncateSync(mapping.path, PAGE_SIZE);
        assert.equal(mapping.refresh(), true);
        assert.ok(mapping.bytes.every((byte) => byte === 7));
        mapping.close();
      });

      it('takes no line or window with it', async () => {
        const mapping = mapFile(file('lines', 'a\nb\nc\n'), { buffer: 'array' });
        const lines = mapping.lines();
        const line = lines.next().value;
        assert.equal(String(line), 'a');
        await take(line);
        assert.throws(() => lines.next(), detached);
        assert.throws(() => lines.next(), detached);
        mapping.close();
        const windows = mapFile(mapping.path, { buffer: 'array' }).windows({ size: 2 });
        await take(windows.next().value);
        assert.throws(() => windows.next(), detached);
      });

      it('takes no lock with it: it says so', async () => {
        const memory = mapAnonymous({ length: PAGE_SIZE, buffer: 'array' });
        const mutex = new Mutex(memory, 0);
        mutex.lock();
        await take(memory.bytes);
        assert.throws(() => mutex.unlock(), detached);
        await assert.rejects(mutex.lockAsync(), detached);
        memory.close();
      });

      it('lets secret memory be copied all the same', async function () {
        if (!features().supports.secretMemory.supported) skip(this, 'this kernel has no secret memory');
        const memory = SharedMemory.create({ length: PAGE_SIZE, secret: true });
        const mapping = memory.map({ buffer: 'array' });
        mapping.bytes.fill(7);
        const taken = await take(mapping.bytes);
        mapping.copyIn(1, Buffer.from([8]));
        assert.equal(taken[1], 8);
        assert.deepEqual([...mapping.copyOut(0, 3)], [7, 8, 7]);
        mapping.close();
        memory.close();
        assert.equal(taken[0], 0);
      });

      it('of memmap/sys is no address any more', async () => {
        const buffer = sys.mmap(null, PAGE_SIZE, sys.PROT.READ | sys.PROT.WRITE, sys.MAP.PRIVATE | sys.MAP.ANONYMOUS);
        const bytes = new Uint8Array(buffer).fill(7);
        const taken = await take(bytes);
        const foreign = { code: 'ERR_MEMMAP_FOREIGN_ADDRESS', message: /transferred/ };
        for (const where of [buffer, bytes]) assert.throws(() => sys.msync(where, PAGE_SIZE, sys.MS.SYNC), foreign);
        assert.throws(() => sys.munmap(buffer), foreign);
        assert.throws(() => sys.mremap(buffer, 0, PAGE_SIZE, sys.MREMAP.MAYMOVE), foreign);
        assert.equal(taken[0], 7);
        sys.munmap(taken);
        assert.ok(taken.length === 0 || taken[0] === 0);
      });
    });
  }

  it('of an empty mapping is ERR_MEMMAP_DETACHED, too', () => {
    writeFileSync(file('empty'), '');
    const mapping = mapFile(file('empty'), { buffer: 'array' });
    assert.equal(mapping.bytes.length, 0);
    mapping.check();
    structuredClone(mapping.buffer, { transfer: [mapping.buffer] });
    for (const ask of [() => mapping.bytes, () => mapping.buffer, () => mapping.view(Uint8Array), () => mapping.check()]) {
      assert.throws(ask, detached);
    }
    mapping.close();
  });

  it('by structuredClone() is refused, or a copy', () => {
    const mapping = mapAnonymous({ length: PAGE_SIZE, buffer: 'array' });
    try {
      structuredClone(mapping.buffer, { transfer: [mapping.buffer] });
    } catch ({ name }) {
      assert.equal(name, 'DataCloneError');
    }
    mapping.check();
    assert.equal(mapping.bytes.length, PAGE_SIZE);
    mapping.close();
  });

  it('of a channel without WebAssembly breaks no message', async function () {
    if (ArrayBuffer.prototype.transfer === undefined) skip(this, 'this runtime has no transfer()');
    const { code, stdout, stderr } = await run('stolen-ring', [], { nodeArgs: ['--jitless'] });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'a bb ccc dddd\n');
  });

  it('is not a SharedArrayBuffer: nobody can take one', async () => {
    const mapping = mapFile(file('shared', Buffer.alloc(LENGTH, 7)));
    await TAKERS['a byte stream'](mapping.bytes).catch(() => {});
    assert.equal(mapping.bytes[0], 7);
    mapping.check();
    mapping.close();
  });
});
