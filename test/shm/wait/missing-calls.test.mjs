// What waits also works where the kernel lacks futex_waitv(2) or io_uring(7), or a filter refuses them:
// lib/shm/wait/futex.ts, src-native/core/wait/{waiter,futex_ring}.cc.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { compiled, start } from '../../support/process/program.mjs';

const { ENOSYS, EPERM } = constants.errno;
const SOURCE = new URL('../../fixtures/kernel/without-calls.c', import.meta.url);
const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const PLAIN = ['--no-config', '--require', 'test/support/hooks.mjs', '--reporter', 'dot', '--timeout', '60000', '--exit'];

/** Test files, and which of their tests. */
const TESTS = {
  'test/shm/channel/channel.test.mjs': '',
  'test/shm/lock/locks.test.mjs': '',
  'test/shm/channel/duplex-channel.test.mjs': '',
  'test/shm/channel/channel-death.test.mjs': 'killed at a spsc .*(noticed|waits)',
};

for (const [kernel, error] of [['an older kernel', ENOSYS], ['a filter of system calls', EPERM]]) {
  describe(`under ${kernel}`, function () {
    this.timeout(200_000);
    const program = compiled(readFileSync(SOURCE, 'utf8'));
    const without = (args) => start(program(), [error, process.execPath, ...args]).ended;

    it('there is no ring, and a message is waited for all the same', async () => {
      const { stdout, stderr } = await without(['test/fixtures/shm/last-message.mjs', 'rings']);
      assert.equal(stdout, '0 rings\nlast\n', stderr);
    });

    for (const [file, which] of Object.entries(TESTS)) {
      it(`${file} passes`, async () => {
        const { code, stdout, stderr } = await without([MOCHA, ...PLAIN, '--grep', which, file]);
        assert.equal(code, 0, `${stdout}\n${stderr}`);
        assert.match(stdout, /^ +[1-9]\d* passing/m);
      });
    }
  });
}
