// A store whose machine loses power at any moment keeps what was committed, each transaction as a whole:
// lib/store/recovery.ts, lib/store/log/{log,log-reader,record}.ts, lib/store/file/store-file.ts.

// Of each page the disk has any version that is not older than what was last made durable. What is left must
// be what the store had after some step: none before the last commit(), none half, none without those before.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashes } from '../support/store/power-histories.mjs';
import { withoutSums } from '../support/store/power-loss.mjs';

const STATES = Number(process.env.STORE_POWER_STATES ?? 400);
/** Nothing here has to reach a disk. */
const MEMORY = '/dev/shm';
const SEED = Number(process.env.STORE_POWER_SEED ?? 1);

describe('a store after a loss of power', function () {
  this.timeout(60_000 + STATES * 200);
  let folder;
  before(() => {
    folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'memmap-power-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it(`has what it had at some moment since the last commit, in ${STATES} states`, async () => {
    const { states, second } = await crashes(folder, { seed: SEED, states: STATES });
    assert.ok(states >= STATES);
    assert.ok(second > states / 4, 'crashes after crashes');
  });

  for (const lie of ['sync', 'syncAll']) {
    it(`would be found to lose something if ${lie}() did nothing`, () =>
      assert.rejects(() => crashes(folder, { seed: SEED, states: 2000, lies: [lie] }), /none of the models|does not match|missing|open\(\)/));
  }

  it('would be found to be torn if nobody looked at checksums', () =>
    assert.rejects(() => withoutSums(() => crashes(folder, { seed: SEED, states: 2000 })), /none of the models|does not match|open\(\)|Invalid|out of range/i));
});
