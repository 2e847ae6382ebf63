// npm run soak, for some seconds: threads that map, read, write, protect and close files
// that another process truncates and regrows.
import assert from 'node:assert/strict';
import { run, runs } from '../support/run.mjs';

const SOAK = '../soak/main';

describe('files truncated at random under four threads', () => {
  it('neither end nor stop the process, and every zero that was read is a counted fault', async () => {
    const { stdout } = await runs(SOAK, ['--seconds', 5]);
    assert.match(stdout, /^sound$/m);
  });

  it('end it without the guard', async () => {
    const { code, signal } = await run(SOAK, ['--seconds', 20, '--no-guard']);
    assert.ok(code === null && ['SIGBUS', 'SIGSEGV'].includes(signal), `${code ?? signal}`);
  });
});
