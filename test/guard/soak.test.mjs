// npm run soak for some seconds: threads use files that another process truncates: test/soak/main.mjs,
// lib/mem/{mapping,faults}.ts, lib/file/file-mapping.ts, src-native/core/guard/fault_fixup.cc.
import assert from 'node:assert/strict';
import { run, runs } from '../support/process/run.mjs';

const SOAK = '../soak/main';

describe('files truncated at random under four threads', () => {
  it('neither end nor stop the process, every byte is what it has to be, and every zero that was read is a counted fault', async () => {
    const { stdout } = await runs(SOAK, ['--seconds', 20]);
    assert.match(stdout, /^sound$/m);
  });

  it('end it without the guard', async () => {
    const { code, signal } = await run(SOAK, ['--seconds', 20, '--no-guard']);
    assert.ok(code === null && ['SIGBUS', 'SIGSEGV'].includes(signal), `${code ?? signal}`);
  });
});
