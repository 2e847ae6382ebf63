// A thread or process may end with mappings in every state: lib/mem/pages.ts, src-native/napi/environment.cc,
// src-native/napi/memory/buffer.cc.
import assert from 'node:assert/strict';
import { run } from '../support/process/run.mjs';

const STEPS = ['map', 'buffer', 'view', 'lock', 'flush', 'populate', 'lines', 'worker', 'close'];
const CODES = { natural: 0, exit: 7, throw: 1 };

/** Processes at a time. */
const AT_ONCE = 4;

async function exits(where, ending, nodeArgs) {
  const prefixes = STEPS.map((_, i) => ['import', ...STEPS.slice(0, i + 1)]);
  const next = prefixes.values();
  const lane = async () => {
    for (const steps of next) {
      const { code, signal, stderr } = await run('exits', [where, ending, ...steps], { nodeArgs });
      assert.deepEqual({ code, signal }, { code: CODES[ending], signal: null }, `${steps}: ${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

for (const [where, title] of [['main', 'the process'], ['worker', 'a worker']]) {
  describe(`${title} may end after any step`, () => {
    it('by itself', () => exits(where, 'natural', []));
    it('by process.exit', () => exits(where, 'exit', []));
    it('by an exception nobody catches', () => exits(where, 'throw', []));
    it('by process.exit, after a collection', () => exits(where, 'exit', ['--expose-gc']));
  });
}
