// In an engine that forbids buffers over foreign memory, as Electron's, which is emulated:
// lib/internal/buffer.ts, src-native/napi/memory/buffer.cc.
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { skip } from '../support/hooks.mjs';
import { withoutExternalBuffers } from '../support/kernel/no-external-buffers.mjs';
import { run, runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

describe('an engine that forbids buffers over foreign memory', () => {
  const file = temporaryFiles();
  let env;

  before(async function () {
    if (process.env.LD_PRELOAD !== undefined) skip(this, 'a sanitizer has to come first, before the emulation');
    env = withoutExternalBuffers(dirname(file('any')));
    const { code, stderr } = await run('no-external-buffers', ['an ArrayBuffer', file('first')], { env });
    if (code === 3) skip(this, 'this dynamic linker does not take LD_AUDIT: glibc 2.35 and later does');
    assert.equal(code, 0, stderr);
  });

  for (const [name, title, nodeArgs = []] of [
    ['the default buffer', 'moves memory and files under buffers of its own'],
    ['a worker has it', 'shares them with workers'],
    ['an ArrayBuffer', "is told that buffer: 'array' cannot be had"],
    ['what cannot move', 'is told so of fixed addresses, huge pages, reservations and devices'],
    ['memmap/sys', 'has the calls 1:1 with { shared: true }, and is told so'],
    ['the guard', 'has the guard: counts, check(), guard(), listeners and refresh()'],
    ['a file of 5 GiB', 'reads a file longer than any buffer by windows'],
    ['channels and locks', 'has channels and locks'],
    ['channels without WebAssembly', 'has no channels without WebAssembly, and says so', ['--jitless']],
    ['a store', 'has stores'],
    ['sealed', 'is told to seal before there is a buffer'],
  ]) {
    it(title, async () => {
      await runs('no-external-buffers', [name, file(name.replaceAll(/\W/g, '-'))], { env, nodeArgs });
    });
  }
});
