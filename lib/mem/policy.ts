// Memory policies by name, and the policy of a thread: set_mempolicy(2), get_mempolicy(2).
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { FeatureName } from '../internal/features.js';
import { POLICY_MODE, type PolicyMode } from '../internal/enums.js';
import { nodesRemedy, validateNodes } from '../internal/nodes.js';
import { invalidValue, validateOptions, validateEnum } from '../internal/validate.js';
import { check } from '../internal/syscall.js';
import type { Resolved } from '../internal/resolved.js';

const { MPOL } = binding;
const MODE_FLAGS = MPOL.F_STATIC_NODES | MPOL.F_RELATIVE_NODES | MPOL.F_NUMA_BALANCING;

/** Which NUMA nodes memory comes from. */
export interface MemoryPolicy {
  /**
   * - `'default'`: for a mapping, the policy of the thread; for a thread, that of the system: the node it runs on
   * - `'local'`: the node that the thread runs on, then the nearest
   * - `'preferred'`: one node, then the nearest to it
   * - `'preferred-many'`: several nodes, then the others. Linux 5.15
   * - `'bind'`: these nodes only
   * - `'interleave'`: these nodes, page by page in turn
   * - `'weighted-interleave'`: these nodes in turn, each as many pages as its weight in sysfs. Linux 6.9
   */
  readonly mode: PolicyMode;
  /**
   * The numbers of the nodes, 0 to 1023; none for `'default'` and `'local'`. The kernel ignores nodes
   * that have no memory or that the cpuset forbids, if others remain.
   */
  readonly nodes?: readonly number[] | undefined;
}

/** The policy of `bind()`, and what it does with existing pages. */
export interface BindPolicy extends MemoryPolicy {
  /**
   * Move pages that are on other nodes; `'all'`: also those that other processes map,
   * which needs CAP_SYS_NICE. @default false
   */
  readonly move?: boolean | 'all' | undefined;
  /**
   * Throw EIO if pages are on other nodes. Without `move` the policy is then not changed. With `move` it is
   * set, and pages that could be moved were; pages that other processes map do not count. @default false
   */
  readonly strict?: boolean | undefined;
}

/** A policy as the kernel takes it. */
export interface KernelPolicy {
  readonly mode: number;
  readonly nodes: Int32Array | null;
  readonly feature: FeatureName;
}

/** Checks `policy`. `also`: further options that the caller permits. */
export function kernelPolicy(policy: unknown, also: readonly (keyof BindPolicy)[] = []): KernelPolicy {
  validateOptions<BindPolicy>(policy, ['mode', 'nodes', ...also], 'policy');
  const { mode: word, nodes = [] } = policy;
  validateEnum(word, 'policy.mode', POLICY_MODE);
  const { mode, nodes: wanted, feature } = POLICY_MODE[word];
  const numbers = validateNodes(nodes, 'policy.nodes');
  if (wanted === 'none' && numbers.length > 0) throw invalidValue('policy.nodes', `must be empty with '${word}'`, nodes);
  if (wanted === 'one' && numbers.length !== 1) throw invalidValue('policy.nodes', `must be one node with '${word}'`, nodes);
  if (wanted === 'some' && numbers.length === 0) throw invalidValue('policy.nodes', `must name nodes with '${word}'`, nodes);
  return { mode, nodes: wanted === 'none' ? null : numbers, feature };
}

/** The result of getMempolicy(), by name. */
export function policyInWords(found: Int32Array): Resolved<MemoryPolicy> {
  const [mode = 0, ...nodes] = found;
  const number = mode & ~MODE_FLAGS;
  // Before Linux 5.14 'local' was a preference for no node.
  if (number === MPOL.PREFERRED && nodes.length === 0) return { mode: 'local', nodes };
  for (const [word, known] of Object.entries(POLICY_MODE)) {
    if (known.mode === number) return { mode: word as PolicyMode, nodes };
  }
  throw new UnsupportedError('ERR_MEMMAP_UNSUPPORTED', `Unknown memory policy ${number}; get_mempolicy() of memmap/sys returns the numbers`);
}

/** The memory policy of the calling thread: get_mempolicy(2). @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED without NUMA */
export function memoryPolicy(): Resolved<MemoryPolicy> {
  return policyInWords(check(binding.getMempolicy(0n, 0), 'get_mempolicy', { feature: 'numa' }));
}

/**
 * Sets the memory policy of the calling thread: set_mempolicy(2). It applies to pages that the thread
 * touches first from now on, including JavaScript's heap, unless they have a policy from `bind()`.
 * Worker threads and processes that this thread starts afterwards inherit it; other threads and
 * existing pages do not change.
 *
 * @throws {SystemError} EINVAL if none of the nodes has memory, or the cpuset forbids them
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for the mode
 */
export function setMemoryPolicy(policy: MemoryPolicy): void {
  const { mode, nodes, feature } = kernelPolicy(policy);
  check(binding.setMempolicy(mode, nodes), 'set_mempolicy', {
    feature,
    remedy: (code) => (code === 'EINVAL' && nodes !== null ? nodesRemedy(nodes) : undefined),
  });
}
