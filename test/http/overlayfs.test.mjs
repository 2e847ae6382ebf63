// Files that overlayfs copies up between requests and under a response: lib/http/{shared-file,shared-files,version}.ts.
import assert from 'node:assert/strict';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { mapFile } from 'memmap';
import { serve } from 'memmap/http';
import { closedAfterEach } from '../support/descriptors.mjs';
import { serversOfTest } from '../support/http/servers.mjs';
import { mountOverlayfs } from '../support/kernel/mount.mjs';

const LENGTH = 24 * 2 ** 20;
const [BEFORE, AFTER] = ['A', 'B'].map((letter) => Buffer.alloc(LENGTH, letter));

describe('serve() of files on overlayfs', () => {
  const overlay = mountOverlayfs(Object.fromEntries(['path', 'mapping', 'running', 'cut'].map((name) => [name, BEFORE])));
  const start = serversOfTest();
  const keep = closedAfterEach();
  const serving = (what) => start((request, response) => void serve(request, response, what).catch(() => {}));
  /** Copies the file up, to the same length. */
  const write = (path) => writeFileSync(path, AFTER, { flag: 'r+' });

  it('a file that was copied up is sent as it is now, under another ETag, by its path and of a mapping', async () => {
    for (const name of ['path', 'mapping']) {
      const path = overlay(name);
      const get = await serving(name === 'path' ? path : keep(mapFile(path)));
      const before = await get();
      assert.ok(before.body.equals(BEFORE));
      const { ino, dev } = statSync(path);
      write(path);
      assert.deepEqual([statSync(path).ino, statSync(path).dev], [ino, dev]);
      const after = await get();
      assert.ok(after.complete && after.body.equals(AFTER), name);
      assert.notEqual(after.headers.etag, before.headers.etag);
    }
  });

  it('a file that is copied up under a response has bytes of both, and no others; one that is cut ends it', async () => {
    const path = overlay('running');
    const { body, complete } = await (await serving(path))({ meanwhile: () => write(path) });
    assert.ok(complete);
    assert.equal(body.filter((byte) => byte !== 0x41 && byte !== 0x42).length, 0);
    const cut = overlay('cut');
    const broken = await (await serving(cut))({ meanwhile: () => truncateSync(cut, 5000) });
    assert.equal(broken.complete, false);
    assert.equal(broken.body.filter((byte) => byte !== 0x41).length, 0);
  });
});
