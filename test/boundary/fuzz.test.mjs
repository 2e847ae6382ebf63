import assert from 'node:assert/strict';
import { run } from '../support/run.mjs';

const CASES = 2000;

describe('Random calls with random arguments', () => {
  it('end in a value or in an error with a code, never in a signal', async function () {
    this.timeout(300_000);
    const seed = Number(process.env.MEMMAP_SEED ?? Date.now() % 2 ** 31);
    const { code, signal, stderr } = await run('fuzz', [seed, CASES]);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `MEMMAP_SEED=${seed}\n${stderr}`);
  });
});
