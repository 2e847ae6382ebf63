// The example of memmap/store does what it says: examples/session-store, lib/store/store.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

describe('examples/session-store', () => {
  it('loses no acknowledged write and tears no answer, whoever is killed', () => {
    // Lots decide whom it kills, some four times a second: that the writer is never drawn does not happen in so long.
    const output = execFileSync(process.execPath, ['examples/session-store/main.mjs', '6'], { encoding: 'utf8' });
    assert.match(output, /^[1-9]\d* reads and [1-9]\d* acknowledged writes in 6 s$/m);
    assert.match(output, /^[1-9]\d* times the writer was killed, \d+ times a worker/m);
    assert.match(output, /^[1-9]\d* sessions are there, 0 writes were lost, 0 answers were torn$/m);
  });
});
