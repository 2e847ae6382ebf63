// No wrong byte of files that change while they are sent: lib/http/{shared-file,shared-files,canary,body}.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { NAMES, changeFiles, servingProcess, verifyBytes } from '../support/http/changing-files.mjs';
import { KINDS } from '../support/http/servers.mjs';
import { seeded } from '../support/random.mjs';
import { until } from '../support/until.mjs';

const SECONDS = 4;

describe('files that are replaced, truncated, grown and removed', () => {
  let folder;
  let server;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memmap-'));
    server = await servingProcess(folder);
  });
  after(() => {
    server.child.kill();
    rmSync(folder, { recursive: true });
  });

  it('a complete response has the bytes of one version, and an incomplete one no other bytes', async () => {
    const next = seeded(1);
    const random = () => next(2 ** 30) / 2 ** 30;
    const stop = changeFiles(folder, random);
    const end = Date.now() + SECONDS * 1000;
    const seen = { complete: 0, broken: 0, missing: 0 };
    await Promise.all(Object.keys(KINDS).flatMap((kind) => [0, 1].map(async () => {
      while (Date.now() < end) {
        // Some clients read slowly.
        const meanwhile = random() < 0.3 ? () => setTimeout(random() * 50) : undefined;
        const name = NAMES[Math.floor(random() * NAMES.length)];
        let got;
        try {
          got = await server.get(kind, `/${name}`, { meanwhile });
        } catch (error) {
          // The connection ended before a header came.
          assert.match(error.code ?? '', /^(?:ECONNRESET|ERR_HTTP2_)/);
          seen.broken += 1;
          continue;
        }
        if (got.status === 404) {
          seen.missing += 1;
          continue;
        }
        verifyBytes(got.body);
        if (got.complete) assert.equal(got.body.length, Number(got.headers['content-length']));
        seen[got.complete ? 'complete' : 'broken'] += 1;
      }
    })));
    const counts = await stop();
    assert.ok(Object.values(counts).every((count) => count > 0), JSON.stringify(counts));
    assert.ok(seen.complete > 10, JSON.stringify(seen));
    assert.equal(server.child.exitCode, null);
    await until(async () => (await server.state()).maps === 0, 'idle files are closed');
    const { codes } = await server.state();
    assert.deepEqual(Object.keys(codes).filter((code) => !['ENOENT', 'ERR_MEMMAP_TRUNCATED'].includes(code)), []);
  }).timeout(60_000);
});
