// Conditional requests, and what a version of a file is: lib/http/{conditions,http-date,version}.ts.
import assert from 'node:assert/strict';
import { chmodSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { serve } from 'memmap/http';
import { serversOfTest } from '../support/http/servers.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const MODIFIED = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000;
const SAME = 'Sun, 06 Nov 1994 08:49:37 GMT';
const EARLIER = 'Sun, 06 Nov 1994 08:49:36 GMT';
const LATER = 'Sun, 06 Nov 1994 08:49:38 GMT';

describe('conditional requests', () => {
  const file = temporaryFiles();
  const start = serversOfTest();
  let path;
  let get;
  let etag;
  let given;
  beforeEach(async () => {
    path = file('conditions.txt', 'content');
    utimesSync(path, MODIFIED, MODIFIED);
    given = {};
    get = await start((request, response) => void serve(request, response, path, { headers: given }));
    ({ headers: { etag } } = await get());
  });

  it('the validators are a strong ETag and the time of the last change', async () => {
    const { headers } = await get();
    assert.match(headers.etag, /^"[-\w]+"$/);
    assert.equal(headers['last-modified'], SAME);
  });

  /** ETAG stands for that of the file. */
  for (const [headers, status] of [
    [{ 'if-none-match': 'ETAG' }, 304],
    [{ 'if-none-match': 'W/ETAG' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"a", ETAG' }, 304],
    [{ 'if-none-match': '"a,b" ,, W/"c d",ETAG' }, 200], // a space is not part of a tag
    [{ 'if-none-match': '"a,b" ,, W/"cd",ETAG' }, 304],
    [{ 'if-none-match': '"other"' }, 200],
    [{ 'if-none-match': '"x,ETAG,"' }, 200],
    [{ 'if-none-match': 'other' }, 200],
    [{ 'if-none-match': '"other"', 'if-modified-since': SAME }, 200],
    [{ 'if-none-match': 'ETAG', 'if-modified-since': EARLIER }, 304],
    [{ 'if-modified-since': SAME }, 304],
    [{ 'if-modified-since': LATER }, 304],
    [{ 'if-modified-since': EARLIER }, 200],
    [{ 'if-modified-since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, 304],
    [{ 'if-modified-since': 'Sun Nov  6 08:49:37 1994' }, 304],
    [{ 'if-modified-since': 'Sun Nov  6 08:49:36 1994' }, 200],
    [{ 'if-modified-since': '2030-01-01T00:00:00Z' }, 200],
    [{ 'if-modified-since': 'Sun, 06 Nov 2030 08:49:37' }, 200],
    [{ 'if-modified-since': 'Sun, 31 Feb 2030 08:49:37 GMT' }, 200],
    [{ 'if-modified-since': 'Sun, 06 Nov 2030 24:00:00 GMT' }, 200],
    [{ 'if-match': 'ETAG' }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': '"a",ETAG' }, 200],
    [{ 'if-match': 'W/ETAG' }, 412],
    [{ 'if-match': '"a"' }, 412],
    [{ 'if-match': '"a"', 'if-none-match': 'ETAG' }, 412],
    [{ 'if-match': 'ETAG', 'if-none-match': 'ETAG' }, 304],
    [{ 'if-match': 'ETAG', 'if-unmodified-since': EARLIER }, 200],
    [{ 'if-unmodified-since': EARLIER }, 412],
    [{ 'if-unmodified-since': SAME }, 200],
    [{ 'if-unmodified-since': 'yesterday' }, 200],
    [{ range: 'bytes=0-1', 'if-range': 'ETAG' }, 206],
    [{ range: 'bytes=0-1', 'if-range': 'W/ETAG' }, 200],
    [{ range: 'bytes=0-1', 'if-range': '"other"' }, 200],
    [{ range: 'bytes=0-1', 'if-range': SAME }, 206],
    [{ range: 'bytes=0-1', 'if-range': LATER }, 200],
    [{ range: 'bytes=0-1', 'if-range': EARLIER }, 200],
    [{ range: 'bytes=0-1', 'if-range': 'nonsense' }, 200],
    [{ range: 'bytes=0-1', 'if-none-match': 'ETAG' }, 304],
    [{ range: 'bytes=0-1', 'if-match': '"a"' }, 412],
    [{ range: 'bytes=100-', 'if-range': '"other"' }, 200],
  ]) {
    it(`${JSON.stringify(headers)} is ${status}`, async () => {
      const asked = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('ETAG', etag)]));
      for (const method of ['GET', 'HEAD']) {
        const response = await get({ method, headers: asked });
        assert.equal(response.status, method === 'HEAD' && status === 206 ? 200 : status);
        if (status === 304) {
          assert.deepEqual([response.headers.etag, response.headers['last-modified'], response.headers['content-length']], [etag, SAME, undefined]);
        }
        if (status !== 200 && status !== 206) assert.equal(response.body.length, 0);
      }
    });
  }

  it('a file that has changed in its last second has no date that permits a range', async () => {
    writeFileSync(path, 'content');
    const { headers } = await get();
    assert.equal((await get({ headers: { range: 'bytes=0-1', 'if-range': headers['last-modified'] } })).status, 200);
    assert.equal((await get({ headers: { range: 'bytes=0-1', 'if-range': headers.etag } })).status, 206);
  });

  it('a time in the future is not sent', async () => {
    const ahead = Date.now() / 1000 + 86_400;
    utimesSync(path, ahead, ahead);
    const { headers } = await get();
    assert.ok(Date.parse(headers['last-modified']) <= Date.now());
  });

  it('the ETag is another when one of device, inode, size, mtime and ctime is', async () => {
    const tags = new Set([etag]);
    const changes = [
      () => utimesSync(path, MODIFIED, MODIFIED + 0.000_01),
      () => chmodSync(path, 0o600),
      () => writeFileSync(path, 'contents'),
      () => renameSync(file('conditions-2', 'contents'), path),
    ];
    for (const change of changes) {
      await new Promise((resolve) => setTimeout(resolve, 20)); // the kernel's clock ticks
      change();
      tags.add((await get()).headers.etag);
    }
    assert.equal(tags.size, 1 + changes.length);
  });

  it("conditions are compared with the caller's validators", async () => {
    given = { ETag: '"mine"', 'Last-Modified': LATER };
    assert.equal((await get({ headers: { 'if-none-match': '"mine"' } })).status, 304);
    assert.equal((await get({ headers: { 'if-none-match': etag } })).status, 200);
    assert.equal((await get({ headers: { 'if-modified-since': SAME } })).status, 200);
    assert.deepEqual([(await get()).headers.etag, (await get()).headers['last-modified']], ['"mine"', LATER]);
    given = { ETag: 'W/"mine"' };
    assert.equal((await get({ headers: { 'if-none-match': '"mine"' } })).status, 304);
    assert.equal((await get({ headers: { 'if-match': 'W/"mine"' } })).status, 412);
  });
});
