// The memory policy of a thread: lib/mem/policy.ts, lib/internal/nodes.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { memoryPolicy, setMemoryPolicy } from 'memmap';
import { MPOL, PAGE_SIZE, get_mempolicy } from 'memmap/sys';
import { inWorker, keeper, memoryOf } from '../support/kernel/numa.mjs';
import { ABSENT_NODE } from '../support/boundary/numa-errors.mjs';
import { numaMapAt } from '../support/kernel/proc.mjs';
import { itExternal } from '../support/process/runtime.mjs';

describe('The memory policy of a thread', () => {
  const keep = keeper();
  afterEach(() => setMemoryPolicy({ mode: 'default' }));

  describe('arguments', () => {
    it('the policy of a thread moves nothing', () => {
      assert.throws(() => setMemoryPolicy({ mode: 'local', move: true }), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.throws(() => setMemoryPolicy({ mode: 'local', strict: true }), { code: 'ERR_INVALID_ARG_VALUE' });
    });
  });

  describe('behaviour', () => {
    itExternal('is that of memory without one, as /proc/self/numa_maps says', () => {
      const before = memoryPolicy();
      assert.deepEqual(before, { mode: 'default', nodes: [] });
      setMemoryPolicy({ mode: 'interleave', nodes: [0] });
      assert.deepEqual(memoryPolicy(), { mode: 'interleave', nodes: [0] });
      const mapping = keep(memoryOf(PAGE_SIZE));
      assert.equal(numaMapAt(mapping.address).policy, 'interleave:0');
      assert.equal(mapping.policy().mode, 'default');
      setMemoryPolicy(before);
      assert.deepEqual(get_mempolicy(), { mode: MPOL.DEFAULT, nodes: [] });
      assert.equal(numaMapAt(mapping.address).policy, 'default');
    });

    it('passes to processes that it starts afterwards', () => {
      setMemoryPolicy({ mode: 'bind', nodes: [0] });
      const [line] = execFileSync('cat', ['/proc/self/numa_maps'], { encoding: 'utf8' }).split('\n');
      assert.match(line, /^[0-9a-f]+ bind:0( |$)/);
    });

    it('passes to worker threads that it starts afterwards, and is then their own', async () => {
      setMemoryPolicy({ mode: 'bind', nodes: [0] });
      const [inherited, own] = await inWorker((memmap) => {
        const before = memmap.memoryPolicy();
        memmap.setMemoryPolicy({ mode: 'preferred', nodes: [0] });
        return [before, memmap.memoryPolicy()];
      });
      assert.deepEqual(inherited, { mode: 'bind', nodes: [0] });
      assert.deepEqual(own, { mode: 'preferred', nodes: [0] });
      assert.deepEqual(memoryPolicy(), { mode: 'bind', nodes: [0] });
    });

    it('only of nodes that are not there is EINVAL, which says which are', () => {
      const there = readFileSync('/sys/devices/system/node/has_memory', 'latin1').trim();
      assert.throws(() => setMemoryPolicy({ mode: 'bind', nodes: [ABSENT_NODE] }), {
        code: 'EINVAL', syscall: 'set_mempolicy', message: new RegExp(`memory here: ${there}\\.`),
      });
      assert.deepEqual(memoryPolicy(), { mode: 'default', nodes: [] });
    });
  });
});
