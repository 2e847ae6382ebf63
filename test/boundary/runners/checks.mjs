// The checks of test/fixtures/boundary/vm-checks.mjs as tests of whatever runner this is.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import vm from 'node:vm';
import { CHECKS } from '../../fixtures/boundary/vm-checks.mjs';

/** jest and vitest give a context some of the main one's classes. */
const { 'the context has classes of its own, and Node makes what is not of them': _, ...checks } = CHECKS;

const main = vm.runInThisContext('({ Symbol, asyncFunction: async (f) => f() })');

/** Call it in each file: some runners evaluate this one once for all. */
export function checkHere() {
  describe('the package in this runner', () => {
    let folder;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'memmap-runner-'));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    for (const [name, check] of Object.entries(checks)) it(name, () => check((file) => join(folder, file), main));
  });
}
