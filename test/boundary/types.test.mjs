// The declarations of all entry points, as TypeScript sees them, in test/boundary/types: lib/index.ts,
// lib/errors.ts, lib/{http,shm,store,sys}/index.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** Whose compiler, and what it compiles: without the types of lib dom, with them, and with the first TypeScript that knows the buffer of a typed array. */
const PROJECTS = [
  ['package.json', 'tsconfig.json'],
  ['package.json', 'dom/tsconfig.json'],
  ['test/boundary/types/oldest/package.json', 'dom/oldest.json'],
];

describe('Types', () => {
  for (const [owner, project] of PROJECTS) {
    const compiler = createRequire(resolve(owner)).resolve('typescript/package.json');
    const { version } = JSON.parse(readFileSync(compiler, 'utf8'));
    it(`accept right use and refuse wrong use, line by line: TypeScript ${version}, ${project}`, function () {
      this.timeout(120_000);
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(dirname(compiler), 'bin/tsc'), '-p', join('test/boundary/types', project)],
        { encoding: 'utf8' },
      );
      assert.equal(stdout, '');
      assert.equal(status, 0);
    });
  }
});
