// The examples in docs/{shared-memory,placement,channels}.md do what they say: lib/shm/index.ts,
// lib/mem/{residency,numa,policy}.ts.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { start } from '../support/process/program.mjs';

/** What each example prints, in the order of the document. */
const PRINTS = {
  'docs/shared-memory.md': [
    /^42\n$/,
    /^4096 true \S+ \[ \d+ \]\n$/,
    /^from the child\n$/,
    /^take this hello true\n$/,
    /^EBADF\nEACCES\nEPERM\n$/,
  ],
  'docs/placement.md': [
    /^(\d+ \[[^\]]*\] \d+ .*\n)+$/,
    /^\{ mode: 'bind', nodes: \[ 0 \] \} true\n\{ moved: \d+, absent: 0, failed: 0 \}\n$/,
    /^\d+ of \d+ pages in memory, \d+ mapped, (0|undefined) dirty \(exact\)\n(absent \d+ \d+\n)*\d+\n$/,
    /^\d+ pages are on the disk only\n$/,
    undefined, // takes persistent memory: test/vm/dax.vm.mjs
    /^(cachestat\(2\) needs Linux 6.5\n)?$/,
    /^(\d+ of \d+ are to be had\n(on node \d+: \d+\n)+)?$/,
    /^\d+ of \d+ mappings, \d+ with memory of memmap\n\d+ \[\s[\s\S]*\]\n$/,
  ],
  'docs/channels.md': [/^hello\n$/, /^65536\n$/, /^hello\n$/, new RegExp(`^${statSync('README.md').size}\n$`)],
};

for (const [document, prints] of Object.entries(PRINTS)) {
  describe(document, () => {
    const examples = [...readFileSync(document, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

    it('has as many examples as this test expects', () => {
      assert.equal(examples.length, prints.length);
    });

    for (const [number, expected] of prints.entries()) {
      if (expected === undefined) continue;
      it(`example ${number + 1} runs as it stands, and prints what it should`, async () => {
        const { code, stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', examples[number]]).ended;
        assert.equal(code, 0, stderr);
        assert.match(stdout, expected);
        assert.equal(stderr, '');
      });
    }
  });
}
