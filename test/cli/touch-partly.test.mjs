// memmap touch of sparse files, the summary of an interrupted run, and dangling links: lib/cli/touch.ts,
// lib/cli/common/targets.ts.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { evictPages, memmap, startMemmap } from '../support/cli/cli.mjs';
import { fincore } from '../support/cli/in-memory.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const PAGE = 4096;
const MIB = 2 ** 20;

describe('memmap touch, not of everything', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  it('leaves holes alone, unless --holes is given', () => {
    const path = file('sparse', '');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 16 * MIB);
    writeSync(fd, Buffer.alloc(PAGE, 1), 0, PAGE, 9 * MIB);
    closeSync(fd);
    evictPages(path);
    const { files, bytes, read, holes } = JSON.parse(memmap(['touch', '--json', path]).stdout);
    assert.deepEqual([files, bytes, read, holes], [1, 16 * MIB, PAGE, 16 * MIB - PAGE]);
    assert.deepEqual(fincore([path]), [1]);
    assert.match(memmap(['touch', path]).stdout, /^1 file, 16 MiB: 0 B read, 4 KiB already in memory, 16 MiB in holes, /);
    const all = JSON.parse(memmap(['touch', '--json', '--holes', path]).stdout);
    assert.deepEqual([all.holes, all.read + all.present], [0, 16 * MIB]);
    assert.deepEqual(fincore([path]), [4096]);
  });

  it('an interrupted run reports in JSON what it has read of the file under way', async () => {
    const path = file('large', Buffer.alloc(32 * MIB, 1));
    evictPages(path);
    const { child, ended } = startMemmap(['touch', '--json', '--rate', '2M', path]);
    await until(() => fincore([path])[0] > 0, 'some of it is read');
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    const { files, bytes, read, present, interrupted } = JSON.parse(stdout);
    assert.deepEqual([code, files, interrupted], [130, 0, true]);
    assert.ok(read > 0 && read <= bytes && bytes < 32 * MIB, `${read} of ${bytes}`);
    assert.equal(read + present, bytes);
  });

  it('a dangling link in a directory is skipped; one that is named is a failure', () => {
    mkdirSync(file('links'));
    const link = file('links/dangling');
    symlinkSync('nowhere', link);
    symlinkSync(file('plain', 'four'), file('links/good'));
    for (const command of ['touch', 'evict', 'presence', 'dump']) {
      const { status, stderr } = memmap([command, '-f', ...(command === 'presence' ? [] : ['-q']), file('links')]);
      assert.deepEqual([status, stderr], [0, ''], command);
      const named = memmap([command, link]);
      assert.equal(named.status, 1, command);
      assert.match(named.stderr, /dangling.*ENOENT|ENOENT.*dangling/);
    }
    assert.equal(JSON.parse(memmap(['touch', '-f', '--json', file('links')]).stdout).files, 1);
  });
});
