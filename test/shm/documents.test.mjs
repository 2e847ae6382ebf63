import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { start } from '../support/program.mjs';

const DOCUMENT = 'docs/shared-memory.md';

/** What each example prints, in the order of the document. */
const PRINTS = [
  /^42\n$/,
  /^4096 true \S+ \[ \d+ \]\n$/,
  /^from the child\n$/,
  /^take this hello true\n$/,
  /^EBADF\nEACCES\nEPERM\n$/,
];

describe(DOCUMENT, () => {
  const examples = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

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
