// A user without rights, on the same kernels: lib/mem/{residency,lock,features}.ts, lib/file/residency-of.ts.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dump, features, mapFile, residencyOf } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { residentParts } from '../support/kernel/resident.mjs';
import { runs } from '../support/process/run.mjs';

const NOBODY = { uid: 65534, gid: 65534 };
const PAGES = 64;
const LENGTH = PAGES * PAGE_SIZE;
const { supports } = features();

const asNobody = async (...args) => {
  const { stdout } = await runs('without-rights', args, NOBODY);
  return stdout === '' ? undefined : JSON.parse(stdout);
};

describe('A user without rights', () => {
  const folder = join(tmpdir(), `memmap-unprivileged-${process.pid}`);
  const file = (name) => join(folder, name);
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
    mkdirSync(folder);
    chmodSync(folder, 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('knows what of its own memory is mapped, and what is swapped', async () => {
    await asNobody('own memory');
  });

  it("never takes for the truth what it is not told of somebody else's file", async function () {
    const path = file('of-root');
    writeFileSync(path, Buffer.alloc(LENGTH, 7));
    chmodSync(path, 0o644);
    const mapping = mapFile(path, { advice: 'random' });
    mapping.evict();
    for (const page of [3, 4, 5, 40]) mapping.bytes[page * PAGE_SIZE];
    mapping.close();
    const truth = residencyOf(path);
    assert.equal(truth.trust, 'exact');
    assert.ok(truth.resident >= 4 && truth.resident < PAGES, `${truth.resident} pages`);
    const seen = await asNobody("somebody's file", path);
    assert.deepEqual(residentParts(residencyOf(path)), residentParts(truth), 'asking has read nothing in');
    assert.equal(seen.pages, PAGES);
    if (seen.trust === 'exact') {
      assert.equal(seen.resident, truth.resident);
      assert.deepEqual(residentParts(seen), residentParts(truth));
      assert.deepEqual(seen.dumped, dump(path).runs);
      // Linux 6.12 had cachestat(2) tell everybody; then it was taken for a leak.
      assert.ok(supports.cachestat.supported, 'who else could have told');
    } else {
      assert.equal(seen.trust, 'claimed');
      const { kind, code, message } = seen.dumped;
      assert.deepEqual([kind, code], ['UnsupportedError', 'ERR_MEMMAP_UNSUPPORTED']);
      assert.match(message, /neither owns the file nor may write/);
    }
  });

  it('is told the truth of files of its own', async () => {
    const path = file('own');
    writeFileSync(path, '');
    chownSync(path, NOBODY.uid, NOBODY.gid);
    await asNobody('file of its own', path);
  });

  it('locks memory up to a limit, which errors and features() name', () => {
    const fixture = fileURLToPath(new URL('../fixtures/mem/without-rights.mjs', import.meta.url));
    const node = [process.execPath, fixture, 'lock limit'];
    // In kilobytes, as sh has it: of pages of any size more than four.
    for (const kilobytes of [512, 1024]) {
      const { status, stderr } = spawnSync('sh', ['-c', `ulimit -l ${kilobytes} && exec "$@"`, 'sh', ...node], {
        ...NOBODY, encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    }
  });

  it('has pages locked once they are touched', async () => {
    await asNobody('lock on fault');
  });

  it('breaks no memory', async () => {
    const { supported, code } = await asNobody('poison');
    assert.equal(supported, false);
    assert.equal(code, supports.poison.supported ? 'EPERM' : supports.poison.code);
  });

  it('is not root here', () => {
    assert.match(readFileSync('/proc/self/status', 'latin1'), /^Uid:\t0\t0/m, 'the parent is');
  });
});
