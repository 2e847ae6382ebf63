// Placed: where the pages of a mapping are, and what keeps them there.
import { binding } from '../internal/binding.js';
import { type Range, resolveRange } from '../internal/range.js';
import { lockRemedy } from '../internal/remedy.js';
import { validateBoolean, validateOptions } from '../internal/validate.js';
import { Guarded } from './guarded.js';
import { type Migration, bind, migrate, nodesOf, policyAt, setHomeNode } from './numa.js';
import type { BindPolicy, MemoryPolicy } from './policy.js';
import { type FileBehind, type Residency, residency } from './residency.js';
import { check } from '../internal/syscall.js';

const { MLOCK } = binding;

/** Options of {@link Mapping.lock}. */
export interface LockOptions extends Range {
  /** Lock each page when it is first touched instead of reading all in now. Linux 4.4. */
  readonly onFault?: boolean;
}

/** The base of {@link Mapping}: its pages in memory, in swap and on NUMA nodes. */
export abstract class Placed extends Guarded {
  /** Keeps pages in memory until `unlock()` or `close()`: mlock(2). */
  lock(options: LockOptions = {}): void {
    validateOptions<LockOptions>(options, ['offset', 'length', 'onFault']);
    const { onFault = false, ...range } = options;
    validateBoolean(onFault, 'options.onFault');
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length === 0) return;
    if (onFault) {
      check(binding.mlock2(handle, offset, length, MLOCK.ONFAULT), 'mlock2', { feature: 'lockOnFault', remedy: lockRemedy });
    } else {
      check(binding.mlock(handle, offset, length), 'mlock', { remedy: lockRemedy });
    }
  }

  /** Undoes `lock()`: munlock(2). */
  unlock(range?: Range): void {
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length > 0) check(binding.munlock(handle, offset, length), 'munlock');
  }

  /**
   * Which pages are in memory, mapped, swapped, dirty: as much as this kernel tells, and
   * whether it can be relied on (`trust`). Reads nothing in. Looks at every page: a GiB of
   * small ones takes some milliseconds, and much longer if they are a patchwork.
   */
  residency(range?: Range): Residency {
    const span = resolveRange(range, this.pages.length);
    this.pages.open();
    return this.withFile((file) => residency(this.pages, span, file));
  }

  /** @internal Whether the kernel calls all pages resident without having looked. */
  protected claimed(): boolean {
    const { length } = this.pages;
    return length > 0 && this.residency({ length: 1 }).trust === 'claimed';
  }

  /** @internal Runs `act` with the file behind the pages. */
  protected withFile<T>(act: (file: FileBehind) => T): T {
    return act({ fd: this.pages.descriptor, offset: 0 });
  }

  /**
   * Sets which NUMA nodes the pages around the range come from: mbind(2). It holds for pages
   * yet to come, `policy.move` moves those that are there. Shared memory keeps it for all who
   * map it; the kernel ignores it for pages of files in the page cache. Linux 2.6.7.
   *
   * @throws {SystemError} EINVAL if none of the nodes has memory, or the cpuset forbids them;
   * EIO with `strict`; EPERM for `move: 'all'` without CAP_SYS_NICE
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for the mode
   */
  bind(policy: BindPolicy, range?: Range): void {
    bind(this.pages, policy, range);
  }

  /** The policy that `bind()` gave the page at `offset`, or `'default'`: get_mempolicy(2). Linux 2.6.7. */
  policy(offset = 0): Required<MemoryPolicy> {
    return policyAt(this.pages, offset);
  }

  /**
   * For each page the range touches, of the machine or huge, the NUMA node it lies on; -1
   * where this process has no page yet, or but read zeros. move_pages(2), Linux 2.6.18.
   */
  nodes(range?: Range): Int32Array {
    return nodesOf(this.pages, range);
  }

  /**
   * Moves the pages of the range that are in memory to a NUMA node: move_pages(2), 2.6.18.
   *
   * @throws {SystemError} ENODEV if the node has no memory, EACCES if the cpuset forbids it
   */
  migrate(node: number, range?: Range): Migration {
    return migrate(this.pages, node, range);
  }

  /**
   * Which node comes first, not the nearest, in a range bound by `'bind'` or
   * `'preferred-many'`: set_mempolicy_home_node(2). Linux 5.17.
   *
   * @throws {SystemError} ENOTSUP or ENOENT without such a policy; EINVAL if there is no such node
   */
  homeNode(node: number, range?: Range): void {
    setHomeNode(this.pages, node, range);
  }
}
