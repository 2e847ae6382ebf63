import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

describe('Types', () => {
  it('accept right use and refuse wrong use, line by line', function () {
    this.timeout(120_000);
    const root = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(root, 'bin/tsc'), '-p', 'test/boundary/types/tsconfig.json'],
      { encoding: 'utf8' },
    );
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });
});
