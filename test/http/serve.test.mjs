// Whole responses, and files that change under them: lib/http/{serve,body,departure,reply,shared-file,shared-files,canary}.ts,
// lib/http/{content,files,headers}.ts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { pathToFileURL } from 'node:url';
import { mapFile } from 'memmap';
import { serve } from 'memmap/http';
import { PAGE_SIZE } from 'memmap/sys';
import { closeForgotten, closedAfterEach, countDescriptors } from '../support/descriptors.mjs';
import { KINDS, serversOfTest } from '../support/http/servers.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

/** More than sockets hold, and no whole number of pages. */
const LARGE = randomBytes(24 * 2 ** 20 + 77);
const SMALL = randomBytes(5000);

const mappingsOf = (path) => readFileSync('/proc/self/maps', 'latin1').split('\n').filter((line) => line.includes(path)).length;

describe('serve()', () => {
  const file = temporaryFiles();
  const start = serversOfTest();
  const keep = closedAfterEach();
  let outcome;

  /** A server that sends `what`, and keeps what serve() leads to. */
  const serving = (what, kind, options) =>
    start((request, response) => {
      outcome = serve(request, response, what, options).then(() => 'resolved', (error) => error);
    }, kind);

  for (const kind of Object.keys(KINDS)) {
    describe(`over ${kind}`, () => {
      it('sends files of any length, whole and in parts', async () => {
        for (const length of [0, 1, PAGE_SIZE, 2 ** 17 - 1, 2 ** 17, 2 ** 17 + 1, 2 ** 20, 2 ** 20 + 4096, LARGE.length]) {
          const content = LARGE.subarray(0, length);
          const path = file('whole.bin', content);
          const get = await serving(path, kind);
          const whole = await get();
          assert.deepEqual([whole.status, whole.complete, whole.headers['content-length']], [200, true, String(length)]);
          assert.ok(whole.body.equals(content), `${length} bytes`);
          assert.equal(await outcome, 'resolved');
          if (length < 2) continue;
          const part = await get({ headers: { range: `bytes=1-${length - 2}` } });
          assert.deepEqual([part.status, part.complete], [206, true]);
          assert.ok(part.body.equals(content.subarray(1, length - 1)));
        }
      });

      it('sends several parts of a long file', async () => {
        const get = await serving(file('parts.bin', LARGE), kind);
        const { status, body, headers, complete } = await get({ headers: { range: 'bytes=0-1999999,3000000-5999999,-5' } });
        assert.deepEqual([status, complete, headers['content-length']], [206, true, String(body.length)]);
        for (const [from, to] of [[0, 2_000_000], [3_000_000, 6_000_000], [LARGE.length - 5, LARGE.length]]) assert.ok(body.includes(LARGE.subarray(from, to)));
      });

      it('answers HEAD without a body, and other methods with 405', async () => {
        const get = await serving(file('methods.html', LARGE), kind);
        const head = await get({ method: 'HEAD' });
        assert.deepEqual([head.status, head.headers['content-length'], head.headers['content-type'], head.body.length], [200, String(LARGE.length), 'text/html; charset=utf-8', 0]);
        for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
          const { status, headers, body } = await get({ method });
          assert.deepEqual([status, headers.allow, body.length, await outcome], [405, 'GET, HEAD', 0, 'resolved']);
        }
      });

      it('never completes a response when the file is truncated', async () => {
        for (const left of [0, 20 * 2 ** 20 + 50, LARGE.length - 1]) {
          const path = file('truncated.bin', LARGE);
          const get = await serving(path, kind);
          const { complete, body, code } = await get({ meanwhile: () => truncateSync(path, left) });
          assert.equal(complete, false);
          assert.ok(body.equals(LARGE.subarray(0, body.length)), 'all that came is of the file');
          assert.equal((await outcome).code, 'ERR_MEMMAP_TRUNCATED');
          if (code !== undefined) assert.equal(code, 2); // INTERNAL_ERROR
        }
      });

      it('sends no byte that the file never had when it is truncated and written again', async () => {
        const path = file('rewritten.bin', LARGE);
        const get = await serving(path, kind);
        const meanwhile = () => {
          truncateSync(path, 0);
          writeFileSync(path, LARGE);
        };
        const { complete, body } = await get({ meanwhile });
        assert.ok(body.equals(LARGE.subarray(0, body.length)));
        // Of views nobody knows what they have shown; copies are sound.
        assert.equal(complete, kind !== 'http');
        assert.equal(kind === 'http' ? (await outcome).code : await outcome, kind === 'http' ? 'ERR_MEMMAP_TRUNCATED' : 'resolved');
      });

      it('goes on with the bytes of the file it began with when another takes the path, it is removed, or it grows', async () => {
        const path = file('replaced.bin', LARGE);
        const changes = [
          () => renameSync(file('other.bin', SMALL), path),
          () => unlinkSync(path),
          () => writeFileSync(path, SMALL, { flag: 'a' }),
        ];
        for (const meanwhile of changes) {
          writeFileSync(path, LARGE);
          const get = await serving(path, kind);
          const before = await get({ method: 'HEAD' });
          const { complete, body } = await get({ meanwhile });
          assert.ok(complete && body.equals(LARGE));
          assert.equal(await outcome, 'resolved');
          if (meanwhile === changes[1]) continue;
          const after = await get();
          assert.ok(after.body.equals(readFileSync(path)), 'the next request has the new bytes');
          assert.notEqual(after.headers.etag, before.headers.etag);
        }
      });

      it('of a FileMapping, goes on after close(); then it rejects', async () => {
        const mapping = mapFile(file('closed.bin', LARGE));
        const get = await start((request, response) => {
          outcome = serve(request, response, mapping).then(() => 'resolved', (error) => {
            response.writeHead(503).end(error.code);
          });
        }, kind);
        const { complete, body } = await get({ meanwhile: () => mapping.close() });
        assert.ok(complete && body.equals(LARGE));
        assert.equal(await outcome, 'resolved');
        const refused = await get();
        assert.deepEqual([refused.status, refused.body.toString()], [503, 'ERR_MEMMAP_CLOSED']);
      });

      it('rejects with the error of mapFile() before it has sent anything', async () => {
        mkdirSync(file('folder'), { recursive: true });
        const missing = file('missing.bin');
        for (const [path, code] of [[missing, 'ENOENT'], [file('folder'), 'EISDIR'], ['/proc/self/status', 'ENODEV'], ['/dev/null', 'ENODEV']]) {
          let expected;
          try {
            mapFile(path).close();
          } catch (error) {
            expected = error;
          }
          const get = await start((request, response) => {
            outcome = serve(request, response, path).catch((error) => {
              assert.equal(response.headersSent, false);
              response.writeHead(404).end();
              return error;
            });
          }, kind);
          assert.equal((await get()).status, 404);
          const error = await outcome;
          assert.equal(error.code, code, path);
          if (path !== '/dev/null') assert.deepEqual([error.name, error.message], [expected.name, expected.message]);
        }
      });

      it('resolves when the client goes away', async () => {
        const get = await serving(file('left.bin', LARGE), kind);
        await get({ meanwhile: (stream) => stream.destroy() });
        assert.equal(await outcome, 'resolved');
      });

      it('sends what the caller gives instead of its own headers', async () => {
        const headers = { 'content-type': 'x/y', 'Cache-Control': 'max-age=5', 'set-cookie': ['a=1', 'b=2'], 'x-number': 5 };
        for (const given of [headers, new Headers({ 'content-type': 'x/y', 'cache-control': 'max-age=5' }), [['Content-Type', 'x/y'], ['cache-control', 'max-age=5']]]) {
          const get = await serving(file('headers.txt', SMALL), kind, { headers: given });
          const whole = await get();
          assert.deepEqual([whole.headers['content-type'], whole.headers['cache-control']], ['x/y', 'max-age=5']);
          if (given === headers) assert.deepEqual([whole.headers['set-cookie'], whole.headers['x-number']], [['a=1', 'b=2'], '5']);
          const refused = await get({ headers: { range: 'bytes=9999-' } });
          assert.deepEqual([refused.status, refused.headers['content-type'], refused.headers['cache-control']], [416, undefined, undefined]);
        }
      });

      it('respects headers that were set before, and sends none that describe another body', async () => {
        const path = file('set-before.txt', SMALL);
        const get = await start((request, response) => {
          response.setHeader('Content-Type', 'x/y');
          response.setHeader('Content-Length', 3);
          response.setHeader('X-Powered-By', 'a');
          outcome = serve(request, response, path);
        }, kind);
        const whole = await get();
        assert.deepEqual([whole.headers['content-type'], whole.headers['content-length'], whole.headers['x-powered-by']], ['x/y', '5000', 'a']);
        const unchanged = await get({ headers: { 'if-none-match': '*' } });
        assert.deepEqual([unchanged.status, unchanged.headers['content-length'], unchanged.headers['x-powered-by']], [304, undefined, 'a']);
      });
    });
  }

  it('accepts a path, its bytes, a file: URL, and a mapping of a part', async () => {
    const path = file('named.bin', LARGE);
    for (const what of [path, Buffer.from(path), pathToFileURL(path)]) {
      const get = await serving(what);
      assert.ok((await get()).body.equals(LARGE));
    }
    for (const access of ['read', 'read-write']) {
      const part = keep(mapFile(path, { access, offset: 4097, length: LARGE.length - 5000 }));
      const get = await serving(part);
      const [whole, range] = [await get(), await get({ headers: { range: 'bytes=-1000000' } })];
      assert.ok(whole.body.equals(LARGE.subarray(4097, LARGE.length - 903)));
      assert.ok(range.body.equals(LARGE.subarray(LARGE.length - 1_000_903, LARGE.length - 903)));
      assert.equal((await get({ headers: { 'if-none-match': whole.headers.etag } })).status, 304);
    }
  });

  it('sends the written bytes of a copy-on-write mapping, and those of a file that has no path', async () => {
    const path = file('copies.bin', LARGE);
    const copies = keep(mapFile(path, { access: 'copy-on-write' }));
    copies.bytes[2 ** 20] ^= 0xff;
    const copied = await (await serving(copies))();
    assert.ok(copied.complete && copied.body.equals(copies.bytes));
    assert.equal(copied.headers.etag, undefined);
    const gone = keep(mapFile(path));
    unlinkSync(path);
    const { complete, body } = await (await serving(gone))();
    assert.ok(complete && body.equals(LARGE));
  });

  it('refuses wrong arguments before anything happens', async () => {
    for (const [what, options, code] of [
      [5, {}, 'ERR_INVALID_ARG_TYPE'], [undefined, {}, 'ERR_INVALID_ARG_TYPE'], ['', {}, 'ERR_INVALID_ARG_VALUE'],
      ['x', { header: {} }, 'ERR_INVALID_ARG_VALUE'], ['x', { headers: 5 }, 'ERR_INVALID_ARG_TYPE'], ['x', { headers: new Uint8Array(2) }, 'ERR_INVALID_ARG_TYPE'], ['x', { headers: { a: {} } }, 'ERR_INVALID_ARG_TYPE'],
      ['x', { headers: [['a']] }, 'ERR_INVALID_ARG_VALUE'], ['x', { headers: { 'Content-Length': '5' } }, 'ERR_INVALID_ARG_VALUE'],
    ]) {
      await assert.rejects(serve({}, {}, what, options), { code });
    }
  });

  it('answers requests of one connection one after the other, in their order', async () => {
    const path = file('pipelined.bin', LARGE.subarray(0, 2 ** 20));
    const get = await start((request, response) => void serve(request, response, path));
    const count = 30;
    const socket = connect(get.port);
    // Not end(): Node ends a connection whose client has, whatever is still to be sent.
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count - 1) + 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const chunks = [];
    for await (const chunk of socket) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    let at = 0;
    for (let i = 0; i < count; i++) {
      at = all.indexOf('\r\n\r\n', at) + 4;
      assert.ok(all.subarray(at, at + 2 ** 20).equals(LARGE.subarray(0, 2 ** 20)), `response ${i}`);
      at += 2 ** 20;
    }
    assert.equal(at, all.length);
  });

  it('resolves for requests that wait behind another when their client goes away', async () => {
    const path = file('waiting.bin', LARGE);
    const outcomes = [];
    const get = await start((request, response) => void outcomes.push(serve(request, response, path)));
    const socket = connect(get.port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
    await until(() => outcomes.length >= 2);
    socket.destroy();
    await Promise.all(outcomes);
  });

  it('works behind middleware that replaces write()', async () => {
    const path = file('middleware.bin', LARGE);
    const get = await start((request, response) => {
      const { write } = response;
      response.write = (chunk) => write.call(response, chunk); // as compression does: it calls nobody back
      outcome = serve(request, response, path);
    });
    const { complete, body } = await get();
    assert.ok(complete && body.equals(LARGE));
  });

  it('resolves at once when the response was destroyed before', async () => {
    const get = await start(async (request, response) => {
      response.destroy();
      outcome = serve(request, response, '/nonexistent');
      await outcome;
    });
    await assert.rejects(get());
    await outcome;
  });

  it('holds one mapping and few descriptors of a file while it sends it, and none when it has been idle', async () => {
    await closeForgotten();
    const before = countDescriptors();
    const path = file('held.bin', LARGE);
    const get = await serving(path);
    await Promise.all(Array.from({ length: 20 }, () => get()));
    assert.ok(mappingsOf(path) <= 2, `${mappingsOf(path)} mappings`);
    const sockets = 40;
    assert.ok(countDescriptors() <= before + 5 + sockets);
    await until(() => mappingsOf(path) === 0);
    for (let i = 0; i < 200; i++) await (await serving(file(`many-${i}.bin`, SMALL)))();
    const open = mappingsOf(file('many-'));
    assert.ok(open > 0 && open <= 64, `${open} mappings`);
  }).timeout(20_000);

  it('leaves no listener behind', async () => {
    const path = file('listeners.bin', SMALL);
    const counts = [];
    const get = await start(async (request, response) => {
      const names = response.eventNames().map((name) => [name, response.listenerCount(name)]);
      await serve(request, response, path);
      counts.push([names, response.eventNames().map((name) => [name, response.listenerCount(name)])]);
    });
    await get();
    await until(() => counts.length > 0);
    assert.deepEqual(counts[0][1], counts[0][0]);
  });

  it('a file of one version has one mapping, and a touched file another ETag', async () => {
    const path = file('same.bin', SMALL);
    const get = await serving(path);
    const first = await get();
    assert.equal((await get()).headers.etag, first.headers.etag);
    assert.equal(statSync(path).size, first.body.length);
  });
});
