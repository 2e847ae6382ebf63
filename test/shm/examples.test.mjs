// The examples of memmap/shm do what they say: examples/ipc-two-processes, examples/worker-pool, lib/shm/index.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

describe('examples/ipc-two-processes', () => {
  it('gets an answer to every question from the other process', () => {
    const output = execFileSync(process.execPath, ['examples/ipc-two-processes/main.mjs', '1000'], { encoding: 'utf8' });
    assert.match(output, /squared 1000 numbers in \d+\.\d+ s; their sum is 332833500$/m);
  });
});

describe('examples/worker-pool', () => {
  const pool = (...args) =>
    execFileSync(process.execPath, ['examples/worker-pool/main.mjs', '--rows', '200000', ...args], { encoding: 'utf8' });
  const ADDED = /each worker added (\d+\.\d) MiB$/m;

  it('answers every question, the same with one table as with a copy for each worker', () => {
    const [shared, copies] = [pool('--workers', '3'), pool('--workers', '2', '--copies')];
    assert.match(shared, /^100 questions about 200000 rows took 3 workers \d+\.\d+ s$/m);
    const answers = (output) => output.split('\n').filter((line) => line.startsWith('station-'));
    assert.equal(answers(shared).length, 3);
    assert.deepEqual(answers(shared), answers(copies));
    for (const output of [shared, copies]) assert.match(output, ADDED);
  });
});
