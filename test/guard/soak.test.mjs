// npm run soak, for some seconds: threads that map, read, write, protect, place, post and close files
// that another process truncates and regrows, and are terminated while they do.
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
