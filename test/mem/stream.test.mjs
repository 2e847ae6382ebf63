// Bytes leave the process as they are in the mapping, or with an error: lib/mem/stream.ts, lib/mem/lease/{file-lease,pages-leases}.ts,
// lib/file/file-backing.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { PAGE_SIZE } from 'memmap/sys';
import { closeForgotten, closedAfterEach, countDescriptors } from '../support/descriptors.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** No whole number of pages, nor of chunks. */
const LENGTH = 50 * PAGE_SIZE + 77;
const CONTENT = Buffer.from(Uint8Array.from({ length: LENGTH }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
const ACCESS = ['read', 'read-write', 'copy-on-write'];

/** What is left of a stream, from a reader. */
async function rest(reader) {
  const chunks = [];
  for (let got = await reader.read(); !got.done; got = await reader.read()) chunks.push(got.value);
  return Buffer.concat(chunks);
}

const mappings = () => readFileSync('/proc/self/maps', 'latin1').split('\n');

describe('bytes that leave a mapping', () => {
  const file = temporaryFiles();
  const keep = closedAfterEach();
  const fresh = () => file('streamed', CONTENT);

  for (const access of ACCESS) {
    describe(`of a file mapped with access '${access}'`, () => {
      it('a stream, a blob and a response have the bytes of their range', async () => {
        const mapping = keep(mapFile(fresh(), { access }));
        if (access === 'copy-on-write') mapping.bytes[5] ^= 0xff;
        const expected = Buffer.from(mapping.bytes);
        for (const range of [{}, { offset: 1 }, { offset: 4095, length: 4099 }, { offset: LENGTH }, { length: 0 }]) {
          const { offset = 0, length = LENGTH - offset } = range;
          const part = expected.subarray(offset, offset + length);
          assert.deepEqual(await buffer(mapping.stream({ ...range, highWaterMark: 1000 })), part);
          assert.deepEqual(await buffer(Readable.fromWeb(mapping.stream(range))), part);
          const blob = mapping.blob(range, { type: 'image/png' });
          assert.deepEqual([blob.type, blob.size, Buffer.from(await blob.arrayBuffer())], ['image/png', length, part]);
          const response = mapping.response({ ...range, status: 206, headers: { 'x-a': 'b' } });
          assert.deepEqual([response.status, response.headers.get('content-length'), response.headers.get('x-a')], [206, String(length), 'b']);
          assert.deepEqual(Buffer.from(await response.arrayBuffer()), part);
        }
      });

      it('a stream that runs goes on to its end when the mapping is closed and another file takes the path', async () => {
        const path = fresh();
        const mapping = mapFile(path, { access });
        if (access === 'copy-on-write') mapping.bytes[LENGTH - 1] ^= 0xff;
        const expected = Buffer.from(mapping.bytes);
        const readers = [mapping.stream({ highWaterMark: 100 }), mapping.response().body].map((stream) => stream.getReader());
        const first = await readers[0].read();
        mapping.close();
        renameSync(file('other', Buffer.alloc(LENGTH, 'x')), path);
        assert.deepEqual(Buffer.concat([first.value, await rest(readers[0])]), expected);
        assert.deepEqual(await rest(readers[1]), expected);
        for (const call of ['stream', 'blob', 'response']) assert.throws(() => mapping[call](), { code: 'ERR_MEMMAP_CLOSED' });
      });

      it('a stream that begins when no path leads to the file has the bytes of the file that is mapped', async () => {
        const path = fresh();
        const mapping = mapFile(path, { access });
        unlinkSync(path);
        writeFileSync(path, 'another');
        const reader = mapping.stream({ highWaterMark: 100 }).getReader();
        const first = await reader.read();
        mapping.close();
        assert.deepEqual(Buffer.concat([first.value, await rest(reader)]), CONTENT);
      });

      for (const closes of [false, true]) {
        it(`a file that shrinks is an error of the stream, and never zeros${closes ? ', after close() too' : ''}`, async () => {
          const path = fresh();
          const mapping = mapFile(path, { access });
          const reader = mapping.stream({ highWaterMark: 100 }).getReader();
          await reader.read();
          if (closes) mapping.close();
          // Inside a page: its end then reads as zeros, without a fault.
          const left = 20 * PAGE_SIZE + 50;
          truncateSync(path, left);
          const chunks = [];
          await assert.rejects(async () => {
            for (let got = await reader.read(); !got.done; got = await reader.read()) chunks.push(got.value);
          }, { name: 'FaultError', code: 'ERR_MEMMAP_TRUNCATED' });
          const got = Buffer.concat(chunks);
          assert.ok(got.length <= left);
          assert.ok(CONTENT.subarray(0, LENGTH).includes(got));
          mapping.close();
        });
      }

      it('what a stream holds is given back at its end, by cancel() and to the collector', async () => {
        // Of the file's own: an engine that has run for a while maps more memory by itself. And of all, for what is left of
        // a mapping that is closed: a leak would be one of each round.
        const ROUNDS = 100;
        const path = fresh();
        const ofFile = () => mappings().filter((line) => line.endsWith(path)).length;
        await closeForgotten();
        const [descriptors, maps] = [countDescriptors(), mappings().length];
        for (const end of [(stream) => buffer(stream), (stream) => stream.cancel(), (stream) => stream.getReader().read()]) {
          for (let i = 0; i < ROUNDS; i++) {
            const mapping = mapFile(path, { access });
            const stream = mapping.stream();
            mapping.close();
            await end(stream);
          }
        }
        for (let i = 0; i < 5; i++) await closeForgotten();
        assert.ok(countDescriptors() < descriptors + 5, `${countDescriptors()} descriptors, ${descriptors} before`);
        assert.ok(ofFile() < 5, `${ofFile()} mappings of the file`);
        assert.ok(mappings().length < maps + ROUNDS, `${mappings().length} mappings, ${maps} before`);
      });
    });
  }

  it('chunks are memory of their own, and can be transferred', async () => {
    const mapping = keep(mapFile(fresh(), { access: 'read-write' }));
    const reader = mapping.stream({ highWaterMark: 1000 }).getReader();
    const { value } = await reader.read();
    assert.equal(value.buffer.constructor, ArrayBuffer);
    assert.equal(value.byteLength, 1000);
    const moved = structuredClone(value, { transfer: [value.buffer] });
    moved.fill(0);
    assert.deepEqual(mapping.bytes.subarray(0, 1000), CONTENT.subarray(0, 1000));
    await reader.cancel();
  });

  it('a reader that brings its own memory gets the bytes in it', async () => {
    const mapping = keep(mapFile(fresh()));
    const reader = mapping.stream().getReader({ mode: 'byob' });
    const chunks = [];
    for (let got = await reader.read(new Uint8Array(7001)); !got.done; got = await reader.read(new Uint8Array(7001))) chunks.push(got.value);
    assert.deepEqual(Buffer.concat(chunks), CONTENT);
  });

  it('private memory without a file ends its streams with the mapping; shared memory does not', async () => {
    const shared = SharedMemory.create({ length: 40_000 });
    const cases = [
      [mapAnonymous({ length: 40_000 }), false], [mapAnonymous({ length: 40_000, sharing: 'shared' }), true], [shared.map(), true],
    ];
    for (const [mapping, goesOn] of cases) {
      mapping.copyIn(0, Buffer.alloc(40_000, 7));
      assert.deepEqual(await buffer(mapping.stream()), Buffer.alloc(40_000, 7));
      const reader = mapping.stream({ highWaterMark: 100 }).getReader();
      await reader.read();
      mapping.close();
      if (goesOn) assert.deepEqual(await rest(reader), Buffer.alloc(39_900, 7));
      else await assert.rejects(rest(reader), { code: 'ERR_MEMMAP_CLOSED' });
    }
    shared.close();
  });

  it('what may not be read is not streamed', () => {
    const mapping = keep(mapAnonymous({ length: 2 * PAGE_SIZE }));
    mapping.protect('none', { offset: PAGE_SIZE });
    for (const call of [() => mapping.stream(), () => mapping.blob(), () => mapping.response()]) assert.throws(call, { code: 'ERR_MEMMAP_NO_ACCESS' });
    assert.equal(mapping.blob({ length: PAGE_SIZE }).size, PAGE_SIZE);
  });

  it('refuses wrong arguments before anything is opened', () => {
    const mapping = keep(mapFile(fresh()));
    const before = countDescriptors();
    const wrong = [{ offset: -1 }, { offset: LENGTH + 1 }, { offset: 1, length: LENGTH }, { length: 0.5 }, { offset: '0' }, null, []];
    for (const options of wrong) {
      for (const call of ['stream', 'blob', 'response']) assert.throws(() => mapping[call](options), { code: /^ERR_(OUT_OF_RANGE|INVALID_ARG_(TYPE|VALUE))$/ }, `${call} ${options}`);
    }
    for (const highWaterMark of [0, -1, 1.5, NaN, '1']) assert.throws(() => mapping.stream({ highWaterMark }), { code: /^ERR_/ });
    assert.throws(() => mapping.stream({ size: 1 }), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => mapping.blob({}, { type: 1 }), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => mapping.response({ status: 99 }), RangeError);
    assert.equal(countDescriptors(), before);
  });

  it('a response without a body has none', async () => {
    const mapping = keep(mapFile(fresh()));
    const response = mapping.response({ status: 304, headers: { etag: '"a"' } });
    assert.deepEqual([response.body, response.headers.get('etag'), response.headers.has('content-length')], [null, '"a"', false]);
    assert.equal(mapping.response({ headers: { 'content-length': '3' } }).headers.get('content-length'), '3');
  });

  it('a body of fetch() arrives as it is in the file', async () => {
    const server = createServer((request, response) => request.pipe(createHash('sha256')).on('data', (digest) => response.end(digest.toString('hex'))));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const mapping = keep(mapFile(fresh()));
      const url = `http://127.0.0.1:${server.address().port}/`;
      const digest = createHash('sha256').update(CONTENT).digest('hex');
      for (const body of [mapping.blob(), mapping.stream(), mapping.response().body]) {
        const answer = await fetch(url, { method: 'POST', body, duplex: 'half' });
        assert.equal(await answer.text(), digest);
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('a shared buffer is not converted to text, which Response and fetch() would send instead of the bytes', async () => {
    const shared = keep(mapFile(fresh()));
    assert.equal(shared.buffer.constructor, SharedArrayBuffer);
    const told = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: /blob\(\), response\(\) or stream\(\)/ };
    assert.throws(() => String(shared.buffer), told);
    assert.throws(() => `${shared.buffer}`, told);
    await assert.rejects(async () => new Response(shared.buffer).text(), TypeError);
    await assert.rejects(fetch('http://127.0.0.1:9/', { method: 'POST', body: shared.buffer }), TypeError);
    assert.equal(shared.bytes.toString('latin1', 0, 4), CONTENT.toString('latin1', 0, 4));
    assert.deepEqual(Object.keys(shared.buffer), []);
    if (!hasExternalBuffers) return;
    const array = keep(mapFile(fresh(), { buffer: 'array' }));
    assert.deepEqual(Buffer.from(await new Response(array.bytes).arrayBuffer()), CONTENT);
  });
});
