// Files on FUSE, a file system that is not the kernel's own: lib/file/map-file.ts, lib/file/file-backing.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { mapFile } from 'memmap';

import { skip } from '../support/hooks.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { needsTools } from '../support/process/tools.mjs';

describe('a file on FUSE', () => {
  let behind;
  let mounted;

  // Before the directories around it are removed.
  after(() => {
    // Lazily: a test that failed may hold a file.
    if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
  });
  const file = temporaryFiles();

  before(function () {
    behind = file('behind');
    const at = file('mounted');
    mkdirSync(behind);
    mkdirSync(at);
    needsTools(this, 'bindfs');
    const { status, stderr } = spawnSync('bindfs', [behind, at], { encoding: 'utf8' });
    if (status !== 0) skip(this, `cannot mount one with bindfs: ${stderr.trim()}`);
    mounted = at;
  });

  it('is mapped, and named as what it is', () => {
    writeFileSync(join(behind, 'read'), 'through FUSE');
    const mapping = mapFile(join(mounted, 'read'));
    assert.equal(mapping.filesystem, 'fuse');
    assert.equal(mapping.bytes.toString(), 'through FUSE');
    mapping.close();
  });

  it('has after flush() what was written', () => {
    writeFileSync(join(behind, 'written'), 'before');
    const mapping = mapFile(join(mounted, 'written'), { access: 'read-write' });
    mapping.bytes.write('after ');
    mapping.flush();
    assert.equal(readFileSync(join(behind, 'written'), 'utf8'), 'after ');
    mapping.close();
  });

  it('grows with its blocks', () => {
    const mapping = mapFile(join(mounted, 'grown'), { access: 'read-write', create: true, size: 3 * 4096 });
    assert.equal(mapping.length, 3 * 4096);
    mapping.bytes[3 * 4096 - 1] = 1;
    mapping.flush();
    mapping.close();
    assert.equal(readFileSync(join(behind, 'grown')).at(-1), 1);
  });
});
