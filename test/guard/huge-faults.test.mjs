// Faults in huge pages, and in memory that breaks: src-native/core/guard/{fault_cause,fault_fixup}.cc.
import assert from 'node:assert/strict';
import { skip } from '../support/hooks.mjs';
import { hugePagePool, withHugePages } from '../support/kernel/huge-pages.mjs';
import { mountHugetlbfs } from '../support/kernel/mount.mjs';
import { run, runs } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const HUGE = 2 ** 21;

async function dies(name, path, signal = 'SIGBUS') {
  const result = await run('huge-fault', [name, path, 'unguarded']);
  assert.equal(result.signal ?? result.code, signal, result.stderr);
}

describe('the guard over huge pages', () => {
  hugePagePool(HUGE, 4);
  const path = mountHugetlbfs();
  for (const [name, title, signal] of [
    ['truncated', 'mends the lost end of a file on hugetlbfs, and refresh() restores it'],
    ['all truncated', 'mends a file on hugetlbfs that has nothing left'],
    ['memfd', 'mends the lost end of shared memory'],
    ['read-only', 'keeps a write to a read-only mapping out of the file', 'SIGSEGV'],
    ['closed', 'lets views read zeros after close()', 0],
  ]) {
    itExternal(title, async () => {
      await runs('huge-fault', [name, path('file')]);
      await dies(name, path('file'), signal);
    });
  }
});

describe('the guard over an empty pool of huge pages', () => {
  itExternal('gives memory of small pages', async function () {
    await withHugePages(this, HUGE, 0, async () => {
      await runs('huge-fault', ['an empty pool', '']);
      await dies('an empty pool', '');
    });
  });
});

describe('the guard over memory that breaks', () => {
  it('gives zeros for the page that is lost, and keeps the others', async function () {
    const { stdout } = await runs('huge-fault', ['poison', '']);
    if (stdout.includes('skip')) skip(this, 'this kernel cannot break memory on request (MADV_HWPOISON)');
    await dies('poison', '');
  });
});
