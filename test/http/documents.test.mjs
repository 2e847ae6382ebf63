// The examples in docs/http.md do what they say: lib/http/{serve,respond}.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { start } from '../support/process/program.mjs';

/** What each example prints, in the order of the document. */
const PRINTS = [
  /^200 text\/markdown; charset=utf-8 true\n206 bytes 2-7 memmap\n304\n$/,
  /^image\/svg\+xml\n$/,
  /^image\/svg\+xml\n$/,
  /^image\/svg\+xml true\n$/,
];

describe('docs/http.md', () => {
  const examples = [...readFileSync('docs/http.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

  it('has as many examples as this test expects', () => {
    assert.equal(examples.length, PRINTS.length);
  });

  for (const [number, expected] of PRINTS.entries()) {
    it(`example ${number + 1} runs as it stands, and prints what it should`, async () => {
      const { code, stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', examples[number]]).ended;
      assert.equal(code, 0, stderr);
      assert.match(stdout, expected);
      assert.equal(stderr, '');
    });
  }
});
