// What the runtime under test can do.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';

const [major, minor] = process.versions.node.split('.').map(Number);

/** Whether a buffer may lie over memory that is not the engine's: not with fixtures/no-external-buffers.c. */
export const hasExternalBuffers = !(process.env.LD_AUDIT ?? '').includes('no-external-buffers');

/** Since which release of each line Node-API can put a SharedArrayBuffer over any address. */
const EXTERNAL_SHARED = { 22: 23, 24: 16, 26: 1 };

/** Whether buffers need no pages of the engine's own, onto which the mapping is moved. */
export const hasExternalShared = hasExternalBuffers && (major > 26 || minor >= (EXTERNAL_SHARED[major] ?? Infinity));

/**
 * it(), for what takes an ArrayBuffer over mapped memory, or a buffer over memory that cannot move.
 * Where there are none, the test has to end in the error that says so: its own, or a fixture's.
 */
export function itExternal(title, test) {
  if (hasExternalBuffers) {
    it(title, test);
    return;
  }
  it(`${title}: not in this runtime, which says so`, async function refused() {
    await assert.rejects(
      async () => test.call(this),
      // In an assertion's `actual`, too, or in what a fixture printed.
      (error) => /ERR_MEMMAP_NO_EXTERNAL_BUFFER|allows no buffer over memory/.test(inspect(error) + inspect(error.actual)) || assert.fail(error),
    );
  });
}
