// Every kind of fault, met by every kind of access, each in a process of its own, ends none of them:
// src-native/core/guard/{guard,fault_cause,fault_fixup}.cc.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { FATAL, READS, WRITES } from '../support/guard/accesses.mjs';
import { FAULTS } from '../support/guard/faults.mjs';
import { fillFileSystem, smallTmpfs } from '../support/kernel/mount.mjs';
import { run } from '../support/process/run.mjs';

const TABLES = { reads: READS, writes: WRITES };
/** Processes at a time. */
const AT_ONCE = 2;

/** Runs the fixture for each access; returns those that did not end as expected. */
async function failures(name, accesses, expected, directory, args = []) {
  const table = TABLES[FAULTS[name].does];
  const failed = [];
  const next = accesses.values();
  const lane = async () => {
    for (const access of next) {
      const { nodeArgs } = table[access];
      const { code, signal, stderr } = await run('fault', [name, access, directory, ...args], { nodeArgs });
      if (!expected.includes(signal ?? code)) failed.push(`${access}: ${signal ?? code} ${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return failed;
}

function accessesOf({ does, code }) {
  const names = Object.keys(TABLES[does]);
  // A closed mapping has no methods left.
  return code === 'ERR_MEMMAP_CLOSED' ? names.filter((name) => TABLES[does][name].ofMapping !== true) : names;
}

function describeFault(name, directory) {
  const fault = FAULTS[name];
  describe(name, () => {
    it('ends no process, whatever the access', async () => {
      assert.deepEqual(await failures(name, accessesOf(fault), [0], directory()), []);
    });

    const ending = fault.dies === undefined ? 'is not counted' : `is ${fault.dies}`;
    it(`${ending} without the guard`, async () => {
      const expected = [fault.dies ?? 0];
      assert.deepEqual(await failures(name, FATAL[fault.does], expected, directory(), ['unguarded']), []);
    });
  });
}

describe('an access that the memory cannot serve', () => {
  for (const name of Object.keys(FAULTS)) {
    if (FAULTS[name].full !== true) describeFault(name, tmpdir);
  }

  describe('on a full disk', () => {
    const path = smallTmpfs(2 ** 20);
    before(() => fillFileSystem(path('filler')));
    for (const name of Object.keys(FAULTS)) {
      if (FAULTS[name].full === true) describeFault(name, () => dirname(path('filler')));
    }
  });
});
