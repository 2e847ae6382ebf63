// A process killed at any instant while it writes a store: lib/store/{recovery,open}.ts,
// lib/store/log/log-reader.ts.
import assert from 'node:assert/strict';
import { kills } from '../support/store/store-kills.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const ROUNDS = Number(process.env.STORE_KILL_ROUNDS ?? 40);

describe('a store whose writer is killed', function () {
  this.timeout(60_000 + ROUNDS * 2000);
  const file = temporaryFiles();

  it(`has all that was done, and all or nothing of what was under way, ${ROUNDS} times`, async () => {
    const { operations, between, read } = await kills(file('killed'), { seed: 1, rounds: ROUNDS });
    assert.ok(operations > ROUNDS, 'something was done');
    assert.ok(between > 0, 'some were killed while they did something');
    assert.ok(read > 0, 'the reader has read');
  });
});
