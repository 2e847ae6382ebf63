// The declarations of all entry points, as TypeScript sees them: test/boundary/types.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Without the types of lib dom, with them, and with the first TypeScript that knows the buffer of a typed array. */
const PROJECTS = [
  ['typescript', 'tsconfig.json'],
  ['typescript', 'dom/tsconfig.json'],
  ['typescript-5.7', 'dom/oldest.json'],
];

describe('Types', () => {
  for (const [compiler, project] of PROJECTS) {
    it(`accept right use and refuse wrong use, line by line: ${compiler}, ${project}`, function () {
      this.timeout(120_000);
      const root = dirname(createRequire(import.meta.url).resolve(`${compiler}/package.json`));
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(root, 'bin/tsc'), '-p', join('test/boundary/types', project)],
        { encoding: 'utf8' },
      );
      assert.equal(stdout, '');
      assert.equal(status, 0);
    });
  }
});
