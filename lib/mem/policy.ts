// Memory policies in words, and that of a thread: set_mempolicy(2), get_mempolicy(2).
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { FeatureName } from '../internal/features.js';
import { POLICY_MODE, type PolicyMode } from '../internal/literals.js';
import { nodesRemedy, validateNodes } from '../internal/nodes.js';
import { invalidValue, validateOptions, validateWord } from '../internal/validate.js';
import { check } from '../internal/syscall.js';
import type { Resolved } from '../internal/resolved.js';

const { MPOL } = binding;
const MODE_FLAGS = MPOL.F_STATIC_NODES | MPOL.F_RELATIVE_NODES | MPOL.F_NUMA_BALANCING;

/** Which NUMA nodes memory comes from. */
export interface MemoryPolicy {
  /**
   * - `'default'`: the policy of the thread; of a thread, that of the system: the node it runs on
   * - `'local'`: the node that the thread runs on, then the nearest
   * - `'preferred'`: one node, then the nearest to it
   * - `'preferred-many'`: several nodes, then the others. Linux 5.15
   * - `'bind'`: these nodes only
   * - `'interleave'`: these nodes, page by page in turn
   * - `'weighted-interleave'`: in turn, each as often as the machine's weight for it. Linux 6.9
   */
  readonly mode: PolicyMode;
  /**
   * Their numbers, 0 to 1023; none for `'default'` and `'local'`. The kernel leaves out those
   * that have no memory or that the cpuset forbids, if others remain.
   */
  readonly nodes?: readonly number[] | undefined;
}

/** What `bind()` does with pages. */
export interface BindPolicy extends MemoryPolicy {
  /**
   * Move pages that lie elsewhere; `'all'`: also those that other processes have mapped,
   * which needs CAP_SYS_NICE. @default false
   */
  readonly move?: boolean | 'all' | undefined;
  /**
   * EIO if pages lie elsewhere. Without `move` the policy stays as it was then; with it it is
   * set, and what could be moved was: pages that others have mapped do not count. @default false
   */
  readonly strict?: boolean | undefined;
}

/** A policy as the kernel takes it. */
export interface KernelPolicy {
  readonly mode: number;
  readonly nodes: Int32Array | null;
  readonly feature: FeatureName;
}

/** Checks `policy`; `also`: options of the caller's. */
export function kernelPolicy(policy: unknown, also: readonly (keyof BindPolicy)[] = []): KernelPolicy {
  validateOptions<BindPolicy>(policy, ['mode', 'nodes', ...also], 'policy');
  const { mode: word, nodes = [] } = policy;
  validateWord(word, 'policy.mode', POLICY_MODE);
  const { mode, nodes: wanted, feature } = POLICY_MODE[word];
  const numbers = validateNodes(nodes, 'policy.nodes');
  if (wanted === 'none' && numbers.length > 0) throw invalidValue('policy.nodes', `must be empty with '${word}'`, nodes);
  if (wanted === 'one' && numbers.length !== 1) throw invalidValue('policy.nodes', `must be one node with '${word}'`, nodes);
  if (wanted === 'some' && numbers.length === 0) throw invalidValue('policy.nodes', `must name nodes with '${word}'`, nodes);
  return { mode, nodes: wanted === 'none' ? null : numbers, feature };
}

/** What getMempolicy() found, in words. */
export function policyInWords(found: Int32Array): Resolved<MemoryPolicy> {
  const [mode = 0, ...nodes] = found;
  const number = mode & ~MODE_FLAGS;
  // Before Linux 5.14 'local' was a preference for no node.
  if (number === MPOL.PREFERRED && nodes.length === 0) return { mode: 'local', nodes };
  for (const [word, known] of Object.entries(POLICY_MODE)) {
    if (known.mode === number) return { mode: word as PolicyMode, nodes };
  }
  throw new UnsupportedError('ERR_MEMMAP_UNSUPPORTED', `The memory policy ${number} has no name here; memmap/sys has get_mempolicy()`);
}

/** The memory policy of the calling thread: get_mempolicy(2). */
export function memoryPolicy(): Resolved<MemoryPolicy> {
  return policyInWords(check(binding.getMempolicy(0n, 0), 'get_mempolicy', { feature: 'numa' }));
}

/**
 * Sets the memory policy of the calling thread: set_mempolicy(2). It holds for all memory
 * that the thread touches first from now on, JavaScript's heap too, and has no other policy.
 * Worker threads and processes that this thread starts afterwards inherit it; other threads,
 * and pages that are there, stay as they are.
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
