// What cannot be guarded is not mapped, and a process survives its limits: src-native/core/guard/guard.cc,
// src-native/core/replacement/{headroom,spare_mappings}.cc, lib/mem/guard.ts.
import assert from 'node:assert/strict';
import { foreignAddon } from '../support/process/addon.mjs';
import { skip } from '../support/hooks.mjs';
import { fillFileSystem, smallTmpfs } from '../support/kernel/mount.mjs';
import { fixture, run, runProgram, runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

describe('the first map', () => {
  const file = temporaryFiles();
  for (const free of [0, 1, 2]) {
    it(`with ${free} descriptors free throws and names them, or holds`, async () => {
      const script = `ulimit -n 128; exec "$0" "$@"`;
      const { code, signal, stderr } = await runProgram('sh', ['-c', script, process.execPath, fixture('unguarded'), 'descriptors', file('f'), String(free)]);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
    });
  }

  it('without /proc throws and says how to mount it, before anything happens to the file', async function () {
    if (process.env.LD_PRELOAD !== undefined) skip(this, 'a sanitizer reads its options from /proc');
    const script = 'mount -t tmpfs none /proc && exec "$0" "$@"';
    const { code, signal, stderr } = await runProgram('unshare', ['-m', 'sh', '-c', script, process.execPath, fixture('unguarded'), 'proc', file('f')]);
    if (/unshare|mount/.test(stderr) && !/Error/.test(stderr)) skip(this, `no mount namespace: ${stderr.trim()}`);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });

  it('is not needed for features() to tell of the guard', () => runs('unguarded', ['features', file('f')]));
});

describe('at the limit of mappings', () => {
  const addon = foreignAddon();
  const file = temporaryFiles();
  it('what others have filled, close() never throws and a fault never kills', async function () {
    if (process.env.LD_PRELOAD !== undefined) skip(this, 'a sanitizer ends the process where it gets no mapping');
    await runs('at-the-limit', [addon(), file('f')]);
  });
});

describe('many small pieces on a full file system', () => {
  const tmpfs = smallTmpfs('24m');
  it('leave the process mappings enough to go on', async () => {
    fillFileSystem(tmpfs('filler'));
    const { code, signal, stderr } = await run('many-pieces', [tmpfs('')]);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });
});
