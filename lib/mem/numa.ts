// The NUMA nodes of the pages of a mapping: reports them, and sets them.
import { binding } from '../internal/binding.js';
import { CallFacts } from '../internal/call-facts.js';
import { MAX_NODE, nodesRemedy } from '../internal/nodes.js';
import type { Range, Span } from '../internal/range.js';
import { validateBoolean, validateInteger } from '../internal/validate.js';
import type { Pages } from './pages.js';
import { type BindPolicy, type MemoryPolicy, kernelPolicy, policyInWords } from './policy.js';
import { check } from '../internal/syscall.js';
import type { Resolved } from '../internal/resolved.js';

const { MPOL } = binding;

/** The result of {@link Mapping.migrate}, in pages. */
export interface Migration {
  /** On the node now, including those that were there before. */
  readonly moved: number;
  /** No page to move: not in memory, or only zeros have been read there. */
  readonly absent: number;
  /** Still on other nodes: also mapped by other processes, or in use by the kernel. */
  readonly failed: number;
}

function moveFlag(move: boolean | 'all'): number {
  if (move === 'all') return MPOL.MF_MOVE_ALL;
  validateBoolean(move, 'policy.move');
  return move ? MPOL.MF_MOVE : 0;
}

function bindRemedy(nodes: Int32Array | null, move: boolean | 'all'): (code: string) => string | undefined {
  return (code) => {
    if (code === 'EINVAL') return nodes === null ? undefined : nodesRemedy(nodes);
    if (code === 'EPERM' && move === 'all') return "move: 'all' needs CAP_SYS_NICE";
    if (code !== 'EIO') return undefined;
    return move !== false
      ? 'Some pages lie on other nodes and cannot be moved now'
      : 'Some pages lie on other nodes: move: true moves them';
  };
}

/** The range extended to whole pages: the kernel does not split huge pages. */
function wholePages(pages: Pages, range: Range | undefined): Span & { readonly count: number } {
  const { offset, length } = pages.span(range);
  const count = Math.ceil(length / pages.pageSize);
  return { offset, length: count * pages.pageSize, count };
}

export function bind(pages: Pages, policy: BindPolicy, range: Range | undefined): void {
  const { mode, nodes, feature } = kernelPolicy(policy, ['move', 'strict']);
  const { move = false, strict = false } = policy;
  validateBoolean(strict, 'policy.strict');
  const flags = moveFlag(move) | (strict ? MPOL.MF_STRICT : 0);
  const { offset, length } = wholePages(pages, range);
  const handle = pages.pinnedHandle();
  if (length === 0) return;
  check(binding.mbind(handle, offset, length, mode, nodes, flags), 'mbind', {
    feature,
    remedy: bindRemedy(nodes, move),
  });
}

export function nodesOf(pages: Pages, range: Range | undefined): Int32Array {
  const { offset, length, count } = wholePages(pages, range);
  const handle = pages.pinnedHandle();
  const nodes = new Int32Array(count);
  if (length === 0) return nodes;
  check(binding.nodesOf(handle, offset, length, pages.pageSize, nodes), 'move_pages', { feature: 'numa' });
  for (let i = 0; i < nodes.length; i++) if ((nodes[i] ?? 0) < 0) nodes[i] = -1;
  return nodes;
}

export function migrate(pages: Pages, node: number, range: Range | undefined): Migration {
  validateInteger(node, 'node', 0, MAX_NODE);
  const { offset, length } = wholePages(pages, range);
  const handle = pages.pinnedHandle();
  const counts = new CallFacts(binding.FACTS.migration);
  if (length > 0) {
    check(binding.migrate(handle, offset, length, pages.pageSize, node, counts.numbers), 'move_pages', {
      feature: 'numa',
      remedy: (code) => (code === 'ENODEV' || code === 'EACCES' ? nodesRemedy([node]) : undefined),
    });
  }
  return { moved: counts.get('moved'), absent: counts.get('absent'), failed: counts.get('failed') };
}

export function setHomeNode(pages: Pages, node: number, range: Range | undefined): void {
  validateInteger(node, 'node', 0, MAX_NODE);
  const { offset, length } = wholePages(pages, range);
  const handle = pages.pinnedHandle();
  if (length === 0) return;
  check(binding.setMempolicyHomeNode(handle, offset, length, node, 0), 'set_mempolicy_home_node', {
    feature: 'homeNode',
    remedy: (code) => {
      if (code === 'EINVAL') return nodesRemedy([node]);
      // Node's name for EOPNOTSUPP; and ENOENT, if nothing in the range has a policy.
      if (code !== 'ENOTSUP' && code !== 'ENOENT') return undefined;
      return "The range needs a policy of mode 'bind' or 'preferred-many' first: bind()";
    },
  });
}

export function policyAt(pages: Pages, offset: number): Resolved<MemoryPolicy> {
  validateInteger(offset, 'offset', 0, Math.max(0, pages.length - 1));
  const handle = pages.pinnedHandle();
  if (handle === 0) return { mode: 'default', nodes: [] };
  const address = binding.address(handle) + BigInt(pages.byteOffset + offset);
  return policyInWords(check(binding.getMempolicy(address, MPOL.F_ADDR), 'get_mempolicy', { feature: 'numa' }));
}
