// Files as Responses of the Web: lib/http/{respond,mapped-content}.ts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, truncateSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { mapFile } from 'memmap';
import { respond } from 'memmap/http';
import { closeForgotten, closedAfterEach } from '../support/descriptors.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const LARGE = randomBytes(3 * 2 ** 20 + 77);
const ask = (init) => new Request('http://localhost/', init);
const bytesOf = async (response) => Buffer.from(await response.arrayBuffer());
const isMapped = (path) => readFileSync('/proc/self/maps', 'latin1').includes(path);

describe('respond()', () => {
  const file = temporaryFiles();
  const keep = closedAfterEach();

  it('answers as serve() does', async () => {
    const path = file('page.html', LARGE);
    const whole = await respond(ask(), path);
    assert.ok(whole instanceof Response);
    assert.deepEqual([whole.status, whole.headers.get('content-length'), whole.headers.get('content-type')], [200, String(LARGE.length), 'text/html; charset=utf-8']);
    assert.ok((await bytesOf(whole)).equals(LARGE));
    for (const [range, from, to] of [['bytes=5-9', 5, 10], ['bytes=1-2999999', 1, 3_000_000], ['bytes=-1000000', LARGE.length - 1_000_000, LARGE.length]]) {
      const part = await respond(ask({ headers: { range } }), path);
      assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes ${from}-${to - 1}/${LARGE.length}`]);
      assert.ok((await bytesOf(part)).equals(LARGE.subarray(from, to)));
    }
    const parts = await respond(ask({ headers: { range: 'bytes=0-999999,2000000-2999999' } }), path);
    assert.equal((await bytesOf(parts)).length, Number(parts.headers.get('content-length')));
    const etag = whole.headers.get('etag');
    for (const [init, status] of [
      [{ headers: { 'if-none-match': etag } }, 304], [{ headers: { 'if-match': '"a"' } }, 412],
      [{ headers: { range: 'bytes=9999999-' } }, 416], [{ method: 'HEAD' }, 200], [{ method: 'POST' }, 405],
    ]) {
      const { status: got, body, headers } = await respond(ask(init), path, { headers: { 'x-a': 'b' } });
      assert.deepEqual([got, body, headers.get('x-a')], [status, null, 'b']);
      if (status === 405) assert.equal(headers.get('allow'), 'GET, HEAD');
    }
    assert.equal((await bytesOf(await respond(ask(), file('empty.txt', '')))).length, 0);
  });

  it('sends a mapping, and goes on after close() and when another file takes the path', async () => {
    for (const access of ['read', 'read-write', 'copy-on-write']) {
      const path = file('mapped.bin', LARGE);
      const mapping = keep(mapFile(path, { access }));
      const responses = [await respond(ask(), mapping), await respond(ask({ headers: { range: 'bytes=100-' } }), mapping)];
      mapping.close();
      renameSync(file('other.bin', 'x'), path);
      assert.ok((await bytesOf(responses[0])).equals(LARGE));
      assert.ok((await bytesOf(responses[1])).equals(LARGE.subarray(100)));
      await assert.rejects(respond(ask(), mapping), { code: 'ERR_MEMMAP_CLOSED' });
    }
  });

  it('a file that shrinks is an error of the body, never zeros', async () => {
    for (const what of [(path) => path, (path) => keep(mapFile(path)), (path) => keep(mapFile(path, { access: 'copy-on-write' }))]) {
      const path = file('shrinking.bin', LARGE);
      const response = await respond(ask(), what(path));
      const reader = response.body.getReader();
      const chunks = [(await reader.read()).value];
      truncateSync(path, 2 ** 20 + 50);
      await assert.rejects(async () => {
        for (let got = await reader.read(); !got.done; got = await reader.read()) chunks.push(got.value);
      }, { code: 'ERR_MEMMAP_TRUNCATED' });
      const got = Buffer.concat(chunks);
      assert.ok(got.equals(LARGE.subarray(0, got.length)));
    }
  });

  it('rejects with the error of mapFile(), and for wrong arguments', async () => {
    await assert.rejects(respond(ask(), file('missing')), { name: 'SystemError', code: 'ENOENT' });
    for (const [request, what, options, code] of [
      [undefined, 'x', {}, 'ERR_INVALID_ARG_TYPE'], [{}, 'x', {}, 'ERR_INVALID_ARG_TYPE'], [ask(), 5, {}, 'ERR_INVALID_ARG_TYPE'],
      [ask(), 'x', { status: 5 }, 'ERR_INVALID_ARG_VALUE'], [ask(), 'x', { headers: { 'content-range': 'a' } }, 'ERR_INVALID_ARG_VALUE'],
    ]) {
      await assert.rejects(respond(request, what, options), { code });
    }
  });

  it('gives back what a body holds at its end, by cancel() and to the collector', async () => {
    for (const end of [bytesOf, (response) => response.body.cancel(), () => {}]) {
      const path = file('held.bin', LARGE);
      await end(await respond(ask(), path));
      await until(async () => {
        await closeForgotten();
        return !isMapped(path);
      }, 'the file is closed when nobody has asked for it for a while');
    }
  }).timeout(60_000);

  it('holds the file as long as its body is read, however slowly', async () => {
    const path = file('slow.bin', LARGE);
    const response = await respond(ask(), path);
    await setTimeout(4500);
    assert.ok(isMapped(path));
    assert.ok((await bytesOf(response)).equals(LARGE));
  }).timeout(20_000);
});
