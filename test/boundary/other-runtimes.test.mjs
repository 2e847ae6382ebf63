// Deno and Bun map files, share memory, connect and keep stores as Node does: lib/internal/descriptors/calls.ts,
// lib/store/file/rehearsal.ts, lib/shm/channel/handshake.ts.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { needsPackage, runtimeCommand } from '../support/process/packages.mjs';
import { fixture, runProgram } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { skip } from '../support/hooks.mjs';

/** Whether the dynamic linker loads nothing else first, which is for this Node. */
const isPlain = process.env.LD_AUDIT === undefined && process.env.LD_PRELOAD === undefined;

describe('what the package opens and closes', () => {
  const file = temporaryFiles();

  for (const name of ['Node', 'Bun', 'Deno']) {
    it(`is the same on ${name}`, async function () {
      if (name !== 'Node' && !isPlain) skip(this, `${name} is not for a preloaded library`);
      const [program, ...args] = name === 'Node' ? [process.execPath] : needsPackage(this, name, runtimeCommand(name));
      const { code, signal, stdout, stderr } = await runProgram(program, [...args, fixture('other-runtime'), mkdtempSync(file(`${name}-`))]);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
      const { results, left } = JSON.parse(stdout);
      assert.deepEqual(Object.entries(results).filter(([, error]) => error !== null), []);
      assert.deepEqual(left, []);
      assert.equal(Object.keys(results).length, 10);
    });
  }
});
