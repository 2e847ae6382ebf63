// docs/syscalls.md lists every function of src-native/sys and every feature of lib/internal/features.ts.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ORIGIN } from '../support/boundary/features.mjs';

const rows = readFileSync('docs/syscalls.md', 'utf8').split('\n').filter((line) => line.startsWith('| `') || line.startsWith('| /'));

/** What sys/ offers besides calls: questions about a signal or an address. */
const NO_CALLS = ['fault_access', 'fault_is_fetch', 'readable', 'writable'];

describe('docs/syscalls.md', () => {
  it('lists each function of src-native/sys, and no other', () => {
    const declared = readdirSync('src-native/sys').filter((name) => name.endsWith('.h')).flatMap((name) => {
      const header = readFileSync(join('src-native/sys', name), 'utf8');
      return [...header.matchAll(/^(?:Result<.+>|Errno|bool|void|pid_t|Access) ([a-z_0-9]+)\(/gm)].map(([, call]) => call);
    });
    const listed = rows.flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, call]) => call));
    assert.deepEqual([...new Set(listed)].toSorted(), [...new Set(declared)].filter((call) => !NO_CALLS.includes(call)).toSorted());
  });

  for (const [feature, { since }] of Object.entries(ORIGIN)) {
    it(`says that ${feature} is of Linux ${since}`, () => {
      const row = rows.find((line) => line.split('|')[2].includes(`\`${feature}\``));
      assert.ok(row !== undefined, 'no row names it');
      assert.ok(row.split('|')[3].includes(since), row);
    });
  }
});
