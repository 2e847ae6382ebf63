// A fault at an address that is not the guard's stays a crash, or a trap of the engine:
// src-native/core/guard/fault_fixup.cc, src-native/core/extent/{vma,backing}.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { foreignAddon } from '../support/process/addon.mjs';
import { skip } from '../support/hooks.mjs';
import { fixture, run } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const cases = execFileSync(process.execPath, [fixture('not-ours'), 'list'], { encoding: 'utf8' }).trim().split('\n');

describe('a fault at an address that is not ours', () => {
  const addon = foreignAddon();
  const file = temporaryFiles();
  for (const name of cases) {
    // Nothing is placed where no buffer lies over what must stay.
    (/placed/.test(name) ? itExternal : it)(name, async function () {
      const { code, signal, stderr } = await run('not-ours', [name, addon(), file('f')], { nodeArgs: ['--expose-gc'] });
      if (code === 3) skip(this, 'the engine keeps the addresses of the buffer');
      const expected = name === 'wasm traps' ? { code: 0, signal: null } : { code: null, signal: 'SIGSEGV' };
      assert.deepEqual({ code, signal }, expected, stderr);
    });
  }
});
