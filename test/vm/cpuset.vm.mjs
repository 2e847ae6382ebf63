// NUMA placement of processes that may not use every node or CPU: lib/mem/policy.ts, lib/internal/nodes.ts.
import assert from 'node:assert/strict';
import { inCpuset } from '../support/kernel/cpuset.mjs';
import { skip } from '../support/hooks.mjs';

/** Prints what `calls` came to: a value, or the error's code and message. */
const program = (calls) => `
  import { mapAnonymous, memoryPolicy, setMemoryPolicy } from 'memmap';
  import { MPOL, PAGE_SIZE, get_mempolicy } from 'memmap/sys';
  const memory = mapAnonymous({ length: 8 * PAGE_SIZE, advice: 'nohugepage' });
  const results = [${calls.map((call) => `() => ${call}`).join()}].map((call) => {
    try {
      return call() ?? null;
    } catch ({ code, message }) {
      return { code, message };
    }
  });
  console.log(JSON.stringify(results));`;

describe('A process in a cpuset', () => {
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
  });

  for (const cpu of [0, 1]) {
    it(`'local' is node ${cpu} on CPU ${cpu}, against the policy of the thread`, () => {
      const [, , nodes, mode] = inCpuset({ cpus: String(cpu) }, program([
        `setMemoryPolicy({ mode: 'preferred', nodes: [2] })`,
        `memory.bind({ mode: 'local' })`,
        `(memory.bytes.fill(1), [...memory.nodes()])`,
        `memory.policy().mode`,
      ]));
      assert.deepEqual(nodes, Array(8).fill(cpu));
      assert.equal(mode, 'local');
    });
  }

  it('is told that the cpuset forbids a node', () => {
    const [allowed, bound, bind, thread, migrate, part] = inCpuset({ mems: '0' }, program([
      `get_mempolicy(null, MPOL.F_MEMS_ALLOWED).nodes`,
      `memory.bytes.fill(1).length`,
      `memory.bind({ mode: 'bind', nodes: [1, 2] })`,
      `setMemoryPolicy({ mode: 'preferred', nodes: [1] })`,
      `memory.migrate(1)`,
      `(memory.bind({ mode: 'bind', nodes: [0, 1] }), memory.policy())`,
    ]));
    assert.deepEqual(allowed, [0]);
    assert.ok(bound > 0);
    const forbids = (nodes) => new RegExp(`NUMA nodes that the cpuset allows, cpuset\\.mems: 0\\. Not among them: ${nodes}$`);
    assert.equal(bind.code, 'EINVAL');
    assert.match(bind.message, forbids('1, 2'));
    assert.equal(thread.code, 'EINVAL');
    assert.match(thread.message, forbids('1'));
    assert.equal(migrate.code, 'EACCES');
    assert.match(migrate.message, forbids('1'));
    assert.deepEqual(part, { mode: 'bind', nodes: [0] });
  });

  it('a node without memory is named as that, not as forbidden', () => {
    const [bind] = inCpuset({ mems: '0' }, program([`memory.bind({ mode: 'bind', nodes: [1, 7] })`]));
    assert.match(bind.message, /^EINVAL: invalid argument, mbind\. NUMA nodes with memory here: 0-2\. Not among them: 7$/);
  });
});
