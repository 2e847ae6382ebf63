// The package as users get it, prebuilt, packed and installed without scripts: package.json,
// scripts/{prebuild,compile}.mjs, lib/internal/binding.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyCheckout } from '../../scripts/checkout.mjs';
import { temporaryFiles } from '../support/temp.mjs';

describe('the packed package', function () {
  this.timeout(300_000);
  const file = temporaryFiles();
  let project;
  let contents;

  const inProject = (command, ...args) => execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: 'pipe' });

  before(() => {
    // A copy of the checkout: the prebuild must not disturb the build that runs these tests.
    const checkout = file('checkout');
    copyCheckout(checkout);
    symlinkSync(join(process.cwd(), 'node_modules'), join(checkout, 'node_modules'));
    execFileSync('npm', ['run', 'prebuild'], { cwd: checkout, stdio: 'pipe' });
    const packed = JSON.parse(execFileSync('npm', ['pack', '--json'], { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));
    const [{ filename, files }] = Array.isArray(packed) ? packed : Object.values(packed);
    contents = files.map(({ path }) => path);

    project = file('project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
    inProject('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', join(checkout, filename));
  });

  it("runs the README's first example as pasted", () => {
    const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'));
    writeFileSync(join(project, 'example.mjs'), example);
    const output = inProject(process.execPath, 'example.mjs');
    assert.match(output, /<Buffer 7f 45 4c 46>/);
  });

  it('is required from CommonJS', () => {
    writeFileSync(
      join(project, 'example.cjs'),
      "const { mapFile } = require('memmap'); const { PAGE_SIZE } = require('memmap/sys');\n" +
        "console.log(mapFile(process.execPath).bytes.subarray(1, 4).toString(), PAGE_SIZE);\n",
    );
    assert.match(inProject(process.execPath, '--no-warnings', 'example.cjs'), /^ELF \d+\n$/);
  });

  it('gives TypeScript its types', () => {
    symlinkSync(join(process.cwd(), 'node_modules/@types'), join(project, 'node_modules/@types'));
    writeFileSync(
      join(project, 'example.ts'),
      "import { mapFile } from 'memmap';\nimport { PROT } from 'memmap/sys';\n" +
        "export const size: number = mapFile('x', { access: 'read' }).length + PROT.READ;\n" +
        "// @ts-expect-error: no such access\nmapFile('x', { access: 'write' });\n",
    );
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    inProject(join(process.cwd(), 'node_modules/.bin/tsc'), ...options, 'example.ts');
  });

  it('has the command, executable, which needs nothing but what was installed, and its manual page', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.equal(inProject('node_modules/.bin/memmap', '--version'), `${version}\n`);
    readFileSync(join(project, 'package.json')); // it has been there for a while
    assert.match(inProject('node_modules/.bin/memmap', 'presence', 'package.json'), /1 of 1 pages in memory/);
    assert.match(inProject('node_modules/.bin/memmap', 'completion', 'bash'), /complete -o default -F _memmap memmap/);
    assert.ok(contents.includes('docs/memmap.1'));
  });

  it('holds what runs and what builds, and nothing else', () => {
    assert.ok(contents.some((path) => path.startsWith('prebuilds/linux-')), 'no prebuild');
    for (const path of ['dist/index.js', 'dist/index.d.ts', 'binding.gyp', 'src-native/addon.cc', 'README.md', 'LICENSE']) {
      assert.ok(contents.includes(path), path);
    }
    const stray = contents.filter((path) => !/^(dist|prebuilds|src-native|docs)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp)$/.test(path));
    assert.deepEqual(stray, []);
  });
});
