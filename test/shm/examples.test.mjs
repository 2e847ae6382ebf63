// The examples of memmap/shm do what they say.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

describe('examples/ipc-two-processes', () => {
  it('gets an answer to every question from the other process', () => {
    const output = execFileSync(process.execPath, ['examples/ipc-two-processes/main.mjs', '1000'], { encoding: 'utf8' });
    assert.match(output, /squared 1000 numbers in \d+\.\d+ s; their sum is 332833500$/m);
  });
});
