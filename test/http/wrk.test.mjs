// Ten thousand requests under load while the files change: lib/http/{serve,body,shared-file,shared-files,canary}.ts.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { NAMES, changeFiles, servingProcess, verifyBytes } from '../support/http/changing-files.mjs';
import { misses, skip } from '../support/hooks.mjs';
import { seeded } from '../support/random.mjs';
import { until } from '../support/until.mjs';

const REQUESTS = 10_000;

/** Requests that wrk(1) made in some seconds. */
async function load(url, seconds) {
  const wrk = spawn('wrk', ['-t1', '-c4', `-d${seconds}s`, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  return Number(/(\d+) requests in/.exec(await text(wrk.stdout))[1]);
}

describe('10,000 requests while files are replaced, truncated, grown and removed', function () {
  this.timeout(600_000);
  before(function () {
    if (spawnSync('wrk').error === undefined) return;
    misses('wrk', this);
    skip(this, 'no wrk here');
  });

  it('send no wrong byte, do not end the process, and leave nothing behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'memmap-'));
    const server = await servingProcess(folder);
    try {
      const next = seeded(2);
      const stop = changeFiles(folder, () => next(2 ** 30) / 2 ** 30);
      let isOver = false;
      let checked = 0;
      const checks = ['http', 'https', 'http2'].map(async (kind) => {
        while (!isOver) {
          const got = await server.get(kind, `/${NAMES[next(NAMES.length)]}`).catch(() => undefined);
          if (got === undefined || got.status === 404) continue;
          verifyBytes(got.body);
          checked += 1;
        }
      });
      let made = 0;
      const states = [];
      while (made < REQUESTS) {
        for (const [protocol, kind] of [['http', 'http'], ['https', 'https']]) {
          const more = await load(`${protocol}://localhost:${server.ports[kind]}/${NAMES[next(NAMES.length)]}`, 5);
          made += more;
        }
        states.push(await server.state());
      }
      isOver = true;
      await Promise.all(checks);
      await stop();
      assert.ok(checked > 100, `${checked} responses were checked`);
      await until(async () => (await server.state()).maps === 0, 'idle files are closed');
      const [first, last] = [states[0], await server.state()];
      assert.ok(last.descriptors <= first.descriptors + 5, JSON.stringify({ first, last }));
      assert.ok(last.memory < first.memory + 64 * 1024, JSON.stringify({ first, last }));
      assert.equal(server.child.exitCode, null);
    } finally {
      server.child.kill();
      rmSync(folder, { recursive: true });
    }
  });
});
