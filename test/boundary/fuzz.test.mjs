// npm run fuzz for a moment, over every function of the addon and the package: test/fuzz/main.mjs,
// lib/index.ts, lib/internal/binding.ts, src-native/addon.cc.
import assert from 'node:assert/strict';
import { run, runs } from '../support/process/run.mjs';

const CALLS = 20_000;

describe('Random calls of every function with hostile values', () => {
  it('end in a value or in an error with a code, and leave nothing behind', async function () {
    this.timeout(300_000);
    const seed = process.env.MEMMAP_SEED === undefined ? [] : ['--seed', process.env.MEMMAP_SEED];
    await runs('../fuzz/main', ['--calls', CALLS, '--jobs', 1, ...seed]);
  });

  it('are found to be unsound where a function is: the tool can fail', async () => {
    // Native code that ends the process, a call that does not end, descriptors and memory that stay.
    for (const [fault, said] of [['crash', /ended by SIG(SEGV|ABRT|BUS)/], ['hang', /hangs/], ['leak', /descriptors grew/], ['memory', /resident grew/]]) {
      const { code, stderr } = await run('../fuzz/main', ['--calls', 2000, '--jobs', 1, '--seed', 1, '--match', '^planted', '--plant', fault]);
      assert.equal(code, 1, fault);
      assert.match(stderr, said, fault);
    }
  });
});
