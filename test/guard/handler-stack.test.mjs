// How much of an alternate stack the guard's handler takes: src-native/core/guard/{guard,fault_fixup}.cc.
import assert from 'node:assert/strict';
import { crashing } from '../support/process/crash-addon.mjs';
import { skip } from '../support/hooks.mjs';
import { run } from '../support/process/run.mjs';

/** Bytes that the guard may take, beyond what a handler that does nothing takes. */
const MOST = 2048;
/** SIGSTKSZ, as it was for long. */
const COMMON = 8192;

describe("the guard's handler", () => {
  const built = crashing();

  /** Bytes used of a stack of `size` by the first fault of a process, and by an empty handler. */
  async function used(kind, size) {
    const { code, signal, stdout, stderr } = await run('handler-stack', [built.addon, kind, size], { timeout: 30_000 });
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
    return JSON.parse(stdout);
  }

  for (const kind of ['truncated', 'unlinked', 'read-only', 'no access', 'closed']) {
    it(`takes at most ${MOST} bytes of stack more than an empty one, at the first fault: ${kind}`, async function () {
      const { empty, guard } = await used(kind, 2 ** 16);
      assert.ok(guard - empty <= MOST, `${guard - empty} bytes more`);
    });
    it(`works on an alternate stack of ${COMMON} bytes: ${kind}`, async function () {
      const { empty } = await used(kind, 2 ** 16);
      if (empty + MOST > COMMON) skip(this, `an empty handler takes ${empty} bytes here`);
      await used(kind, COMMON);
    });
  }
});
