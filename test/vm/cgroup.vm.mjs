// Limits of control groups, those that become an error and those that cannot: lib/internal/remedy.ts,
// src-native/core/guard/fault_fixup.cc.
import assert from 'node:assert/strict';
import { PAGE_SIZE } from 'memmap/sys';
import { inGroup } from '../support/kernel/cgroup.mjs';
import { skip } from '../support/hooks.mjs';
import { freeHugePages } from '../support/kernel/huge-pages.mjs';

const HUGE = 2 ** 21;
const MIB = 2 ** 20;
/** Node's own memory, with room. */
const NODE = 128 * MIB;
const succeeds = ({ code, signal, stderr }) => assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);

describe('A process in a control group', () => {
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
  });

  it('meets a guarded fault at the huge page that is one too many', async () => {
    assert.ok(freeHugePages(HUGE) >= 4);
    succeeds(await inGroup({ 'hugetlb.2MB.max': HUGE }, 'no-huge-page', ['limit of the group', '']));
    const { signal, stderr } = await inGroup({ 'hugetlb.2MB.max': HUGE }, 'no-huge-page', ['limit of the group', '', 'unguarded']);
    assert.equal(signal, 'SIGBUS', stderr);
  });

  it('cannot reserve more huge pages than it may, and is told which limit', async () => {
    const result = await inGroup({ 'hugetlb.2MB.rsvd.max': 2 * HUGE }, 'group-limits', ['reserved', 3 * HUGE]);
    succeeds(result);
    const { code, syscall, message } = JSON.parse(result.stdout);
    assert.deepEqual([code, syscall], ['ENOMEM', 'mmap']);
    assert.match(message, /32 pages: 32 free, 0 of them reserved\. .*control group .*hugetlb\.2MB\.rsvd\.max/);
  });

  it('knows what of its memory is in swap', async () => {
    const limits = { 'memory.max': NODE, 'memory.swap.max': 'max' };
    const result = await inGroup(limits, 'group-limits', ['swapped', 160 * MIB]);
    succeeds(result);
    const { pages, before, found, after } = JSON.parse(result.stdout);
    assert.equal(pages, (160 * MIB) / PAGE_SIZE);
    assert.ok(found > (32 * MIB) / PAGE_SIZE, `${found} pages`);
    assert.ok(found >= Math.min(before, after) && found <= Math.max(before, after), `${before} <= ${found} <= ${after}`);
  });

  it('is killed where there is no memory, and no swap: nobody can guard that', async () => {
    const limits = { 'memory.max': NODE, 'memory.swap.max': 0 };
    const { signal, stdout } = await inGroup(limits, 'group-limits', ['filled', 160 * MIB]);
    assert.equal(signal, 'SIGKILL');
    assert.equal(stdout, 'mapped\n');
  });
});
