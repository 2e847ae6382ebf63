// The code that the HTML page runs in the browser, lib/cli/picture/html/browser, is type-checked and linted.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { temporaryFiles } from '../../support/temp.mjs';

const require = createRequire(import.meta.url);
const programOf = (name) => join(dirname(require.resolve(`${name}/package.json`)), 'bin', name === 'typescript' ? 'tsc' : name);
const BROWSER = 'lib/cli/picture/html/browser';

describe('code of the browser', function () {
  this.timeout(60_000);
  const file = temporaryFiles();
  let root;

  beforeEach(() => {
    root = file('copy');
    cpSync('lib', join(root, 'lib'), { recursive: true });
    for (const name of ['package.json', 'tsconfig.json', '.oxlintrc.json']) cpSync(name, join(root, name));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Each line that the program prints on the code of the browser. */
  function run(name, ...args) {
    const { status, stdout } = spawnSync(process.execPath, [programOf(name), ...args], { cwd: root, encoding: 'utf8' });
    return { status, stdout };
  }

  const typeCheck = () => run('typescript', '-p', BROWSER);
  const lint = () => run('oxlint', '--deny-warnings', BROWSER);

  it('has no problem', () => {
    assert.deepEqual(typeCheck(), { status: 0, stdout: '' });
    const { status, stdout } = lint();
    assert.equal(status, 0, stdout);
  });

  it('is checked against the types of the browser, without those of Node', () => {
    writeFileSync(join(root, BROWSER, 'bad.ts'), 'document.title = 1;\nprocess.exit();\n');
    const { status, stdout } = typeCheck();
    assert.notEqual(status, 0);
    assert.match(stdout, /bad\.ts\(1,1\).*'number'.*'string'[^]*bad\.ts\(2,1\).*'process'/);
  });

  it('is linted', () => {
    writeFileSync(join(root, BROWSER, 'bad.ts'), 'debugger;\n');
    const { status, stdout } = lint();
    assert.notEqual(status, 0);
    assert.match(stdout, /no-debugger[^]*bad\.ts/);
  });
});
