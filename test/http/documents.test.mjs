// The examples in docs/http.md do what they say: lib/http/{serve,respond}.ts.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { needsPackage, packageFolder } from '../support/process/packages.mjs';
import { start } from '../support/process/program.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** What each example prints, in the order of the document, and the packages it uses. */
const EXAMPLES = [
  { prints: /^200 text\/markdown; charset=utf-8 true\n206 bytes 2-7 memmap\n304\n$/ },
  { uses: ['fastify'], prints: /^image\/svg\+xml\n$/ },
  { uses: ['express'], prints: /^image\/svg\+xml\n$/ },
  { uses: ['hono', '@hono/node-server'], prints: /^image\/svg\+xml true\n$/ },
];

describe('docs/http.md', () => {
  const file = temporaryFiles();
  const examples = [...readFileSync('docs/http.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

  it('has as many examples as this test expects', () => {
    assert.equal(examples.length, EXAMPLES.length);
  });

  for (const [number, { uses = [], prints }] of EXAMPLES.entries()) {
    it(`example ${number + 1} runs as it stands, and prints what it should`, async function () {
      const packages = { memmap: resolve('.') };
      for (const name of uses) {
        needsPackage(this, name);
        packages[name] = packageFolder(name);
      }
      const program = file(join(`example-${number}`, 'main.mjs'));
      for (const [name, folder] of Object.entries(packages)) {
        const link = join(dirname(program), 'node_modules', name);
        mkdirSync(dirname(link), { recursive: true });
        symlinkSync(folder, link);
      }
      writeFileSync(program, examples[number]);
      const { code, stdout, stderr } = await start(process.execPath, [program]).ended;
      assert.equal(code, 0, stderr);
      assert.match(stdout, prints);
      assert.equal(stderr, '');
    });
  }
});
