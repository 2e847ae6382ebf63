// The calls on the placement of memory, 1:1: lib/sys/numa.ts, src-native/sys/numa.cc,
// src-native/napi/memory/numa.cc.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import * as sys from 'memmap/sys';
import { hole } from '../support/kernel/addresses.mjs';
import { ABSENT_NODE, withoutCapabilities } from '../support/boundary/numa-errors.mjs';
import { numaMapAt, smapsAt } from '../support/kernel/proc.mjs';

const { MAP, MPOL, PAGE_SIZE, PROT } = sys;
const PAGES = 4;
const LENGTH = PAGES * PAGE_SIZE;
const { ENOENT, EFAULT, EINVAL, EPERM, ESRCH } = constants.errno;

/** Linux 6.1 has one status for pages that are absent and for zeros that were read, 6.12 has two. */
const isAbsent = (status) => status === -ENOENT || status === -EFAULT;

describe('calls on the placement of memory', () => {
  const mapped = new Set();
  afterEach(() => {
    for (const buffer of mapped) sys.munmap(buffer);
    mapped.clear();
    sys.set_mempolicy(MPOL.DEFAULT, null);
  });

  function at() {
    const address = hole(LENGTH);
    const buffer = sys.mmap(address, LENGTH, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS);
    mapped.add(buffer);
    return { address, buffer, bytes: new Uint8Array(buffer) };
  }

  describe('mbind', () => {
    it('gives pages a policy, with its flags', () => {
      const { address, buffer } = at();
      for (const [mode, nodes, policy] of [
        [MPOL.BIND, [0], 'bind:0'],
        [MPOL.PREFERRED, [0], 'prefer:0'],
        [MPOL.PREFERRED, [], 'local'],
        [MPOL.INTERLEAVE | MPOL.F_STATIC_NODES, [0], 'interleave=static:0'],
        [MPOL.BIND | MPOL.F_RELATIVE_NODES, [0], 'bind=relative:0'],
        [MPOL.LOCAL, null, 'local'],
        [MPOL.DEFAULT, null, 'default'],
      ]) {
        sys.mbind(buffer, LENGTH, mode, nodes, 0);
        assert.equal(numaMapAt(address).policy, policy);
      }
    });

    it('acts on the pages of a view, and on a bare address that is memmap\'s', () => {
      const { address, bytes } = at();
      sys.mbind(bytes.subarray(PAGE_SIZE, 2 * PAGE_SIZE), undefined, MPOL.BIND, [0]);
      sys.mbind(address + BigInt(3 * PAGE_SIZE), PAGE_SIZE, MPOL.BIND, [0]);
      const modes = [0, 1, 2, 3].map((page) => sys.get_mempolicy(address + BigInt(page * PAGE_SIZE), MPOL.F_ADDR).mode);
      assert.deepEqual(modes, [MPOL.DEFAULT, MPOL.BIND, MPOL.DEFAULT, MPOL.BIND]);
    });

    it('touches no memory of others', () => {
      const heap = new Uint8Array(PAGE_SIZE);
      for (const where of [heap, 4096n]) {
        assert.throws(() => sys.mbind(where, PAGE_SIZE, MPOL.BIND, [0]), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
        assert.throws(() => sys.set_mempolicy_home_node(where, PAGE_SIZE, 0), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
      }
    });

    it('EINVAL for what the kernel does not know, with the nodes if it is them', () => {
      const { buffer, bytes } = at();
      const error = { code: 'EINVAL', errno: -EINVAL, syscall: 'mbind' };
      assert.throws(() => sys.mbind(buffer, LENGTH, 99, [0]), error);
      assert.throws(() => sys.mbind(buffer, LENGTH, MPOL.BIND, [0], 2 ** 31), error);
      assert.throws(() => sys.mbind(buffer, LENGTH, MPOL.BIND, null), error);
      assert.throws(() => sys.mbind(buffer, LENGTH, MPOL.DEFAULT, [0]), error);
      assert.throws(() => sys.mbind(bytes.subarray(1), undefined, MPOL.BIND, [0]), error);
      assert.throws(() => sys.mbind(buffer, LENGTH, MPOL.BIND, [ABSENT_NODE]), { ...error, message: /Not among them: 1023/ });
    });

    it('MF_MOVE_ALL needs CAP_SYS_NICE', () => {
      const { buffer } = at();
      assert.throws(() => withoutCapabilities(() => sys.mbind(buffer, LENGTH, MPOL.BIND, [0], MPOL.MF_MOVE_ALL)), {
        code: 'EPERM', errno: -EPERM, message: /CAP_SYS_NICE/,
      });
    });
  });

  describe('get_mempolicy', () => {
    it('the policy of the thread, and of an address', () => {
      const { buffer } = at();
      sys.set_mempolicy(MPOL.INTERLEAVE, [0]);
      sys.mbind(buffer, LENGTH, MPOL.BIND, [0]);
      assert.deepEqual(sys.get_mempolicy(), { mode: MPOL.INTERLEAVE, nodes: [0] });
      assert.deepEqual(sys.get_mempolicy(buffer, MPOL.F_ADDR), { mode: MPOL.BIND, nodes: [0] });
    });

    it('with F_NODE and F_ADDR the node of a page, which is in memory then', () => {
      const { buffer } = at();
      assert.ok(isAbsent(sys.move_pages(0, [buffer], null, 0)[0]));
      const { mode } = sys.get_mempolicy(buffer, MPOL.F_NODE | MPOL.F_ADDR);
      assert.ok(sys.get_mempolicy(null, MPOL.F_MEMS_ALLOWED).nodes.includes(mode));
    });

    it('with F_NODE the next node of a thread that interleaves', () => {
      sys.set_mempolicy(MPOL.INTERLEAVE, [0]);
      assert.equal(sys.get_mempolicy(null, MPOL.F_NODE).mode, 0);
      sys.set_mempolicy(MPOL.DEFAULT, null);
      assert.throws(() => sys.get_mempolicy(null, MPOL.F_NODE), { code: 'EINVAL', syscall: 'get_mempolicy' });
    });

    it('with F_MEMS_ALLOWED the nodes of the cpuset', () => {
      assert.ok(sys.get_mempolicy(null, MPOL.F_MEMS_ALLOWED).nodes.includes(0));
    });

    it('reads of memory of others too, and EFAULT where there is none', () => {
      assert.equal(sys.get_mempolicy(Buffer.alloc(4 * PAGE_SIZE), MPOL.F_ADDR).mode, MPOL.DEFAULT);
      assert.throws(() => sys.get_mempolicy(hole(LENGTH), MPOL.F_ADDR), { code: 'EFAULT', syscall: 'get_mempolicy' });
    });
  });

  describe('move_pages', () => {
    it('tells where pages are, of addresses and views in any order', () => {
      const { address, buffer, bytes } = at();
      sys.mbind(buffer, LENGTH, MPOL.BIND, [0]);
      bytes[PAGE_SIZE] = 1;
      void bytes[2 * PAGE_SIZE];
      const second = bytes.subarray(PAGE_SIZE);
      const third = Number(address) + 2 * PAGE_SIZE;
      const statuses = sys.move_pages(0, [second, buffer, third, address + BigInt(PAGE_SIZE)], null, 0);
      assert.ok(statuses instanceof Int32Array);
      const [present, absent, zeros, again] = statuses;
      // Some kernels give a page of its own to who only reads, too.
      const haveOneEach = smapsAt(address).Rss * 1024 === 2 * PAGE_SIZE;
      assert.deepEqual([present, zeros, again], [0, haveOneEach ? 0 : -EFAULT, 0]);
      assert.ok(isAbsent(absent));
      assert.deepEqual([...sys.move_pages(0, BigUint64Array.of(address + BigInt(PAGE_SIZE)), null, 0)], [0]);
      assert.equal(sys.move_pages(0, [], null, 0).length, 0);
    });

    it('moves: here every page is where it shall go', () => {
      const { buffer, bytes } = at();
      bytes.fill(7);
      assert.deepEqual([...sys.move_pages(process.pid, [buffer, bytes.subarray(PAGE_SIZE)], [0, 0], MPOL.MF_MOVE)], [0, 0]);
      assert.ok(bytes.every((byte) => byte === 7));
    });

    it('ENODEV for a node that is not there, EINVAL for flags, ESRCH for a process', () => {
      const { buffer, bytes } = at();
      bytes[0] = 1;
      assert.throws(() => sys.move_pages(0, [buffer], [ABSENT_NODE], MPOL.MF_MOVE), { code: 'ENODEV', message: /Not among them: 1023/ });
      assert.throws(() => sys.move_pages(0, [buffer], [0], 1), { code: 'EINVAL', syscall: 'move_pages' });
      assert.throws(() => sys.move_pages(2 ** 31 - 1, [buffer], null, 0), { code: 'ESRCH', errno: -ESRCH });
    });
  });

  describe('migrate_pages', () => {
    it('moves the pages of a process, and returns how many stayed', () => {
      assert.equal(sys.migrate_pages(0, [0], [0]), 0);
      assert.equal(sys.migrate_pages(process.pid, [], [0]), 0);
    });

    it('EINVAL if none of the nodes is there, ESRCH without the process', () => {
      assert.throws(() => sys.migrate_pages(0, [0], [ABSENT_NODE]), {
        code: 'EINVAL', syscall: 'migrate_pages', message: /Not among them: 1023/,
      });
      assert.throws(() => sys.migrate_pages(2 ** 31 - 1, [0], [0]), { code: 'ESRCH', syscall: 'migrate_pages' });
    });
  });

  describe('set_mempolicy_home_node', () => {
    it('is for memory that is bound', () => {
      const { buffer } = at();
      const error = { syscall: 'set_mempolicy_home_node' };
      assert.throws(() => sys.set_mempolicy_home_node(buffer, LENGTH, 0), { code: /ENOENT|ENOSYS/, ...error });
      sys.mbind(buffer, LENGTH, MPOL.BIND, [0]);
      try {
        sys.set_mempolicy_home_node(buffer, LENGTH, 0, 0);
      } catch ({ code }) {
        assert.equal(code, 'ENOSYS');
        return;
      }
      assert.throws(() => sys.set_mempolicy_home_node(buffer, LENGTH, ABSENT_NODE), { code: 'EINVAL', ...error });
      assert.throws(() => sys.set_mempolicy_home_node(buffer, LENGTH, 0, 1), { code: 'EINVAL', ...error });
    });
  });
});
