// System calls for NUMA placement, 1:1. Nodes are arrays of their numbers, 0 to 1023, in place of
// the bit masks of C. https://man7.org/linux/man-pages/man7/numa.7.html
import { isBigUint64Array } from '../internal/realms/kinds.js';
import { constants } from 'node:os';
import { binding } from '../internal/binding.js';
import { MAX_NODE, nodesRemedy, validateNodes } from '../internal/nodes.js';
import { invalidType, outOfRange, validateInteger, validatePid } from '../internal/validate.js';
import { type Where, addressOf, locate } from './where.js';
import { check } from '../internal/syscall.js';

const MAX_FLAGS = 2 ** 32 - 1;
const { EAGAIN } = constants.errno;

/** The result of {@link get_mempolicy}. */
export interface Mempolicy {
  /** A mode of MPOL with its flags; with MPOL.F_NODE the number of a node. */
  readonly mode: number;
  /** In ascending order. */
  readonly nodes: number[];
}

function maskOf(nodes: readonly number[] | null, name = 'nodes'): Int32Array | null {
  return nodes === null ? null : validateNodes(nodes, name);
}

function remedyOf(nodes: Int32Array | null): (code: string) => string | undefined {
  return (code) => {
    if (code === 'EPERM') return 'The call needs CAP_SYS_NICE, or a sandbox forbids it';
    const refused = code === 'EINVAL' || code === 'ENODEV' || code === 'EACCES';
    return refused && nodes !== null ? nodesRemedy(nodes) : undefined;
  };
}

/**
 * mbind(2): sets the policy of whole pages. `mode` of MPOL, with MPOL.F_STATIC_NODES and the like;
 * `flags`: MPOL.MF_STRICT, MF_MOVE, MF_MOVE_ALL. MPOL.PREFERRED_MANY needs Linux 5.15,
 * MPOL.WEIGHTED_INTERLEAVE 6.9. The kernel ignores nodes that are absent or forbidden.
 *
 * @throws {SystemError} EINVAL if no node remains; EIO with MF_STRICT; EPERM for MF_MOVE_ALL without CAP_SYS_NICE
 */
export function mbind(
  addr: Where,
  length: number | undefined,
  mode: number,
  nodes: readonly number[] | null,
  flags = 0,
): void {
  validateInteger(mode, 'mode', 0, MAX_FLAGS);
  const mask = maskOf(nodes);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const range = locate(addr, length);
  check(binding.mbind(range.target, 0, range.length, mode, mask, flags), 'mbind', { remedy: remedyOf(mask) });
}

/**
 * get_mempolicy(2): the policy of this thread, or with MPOL.F_ADDR that of the page at `addr`. MPOL.F_ADDR |
 * MPOL.F_NODE gives the node of the page, and reads the page into memory; MPOL.F_MEMS_ALLOWED gives the nodes
 * that the cpuset allows. The memory need not be memmap's.
 *
 * @throws {SystemError} EFAULT if nothing is mapped at `addr`, EINVAL, ENOSYS without NUMA
 */
export function get_mempolicy(addr: Where | null = null, flags = 0): Mempolicy {
  const address = addressOf(addr);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const [mode = 0, ...nodes] = check(binding.getMempolicy(address, flags), 'get_mempolicy');
  return { mode, nodes };
}

/** set_mempolicy(2): sets the policy of this thread. Threads that it starts inherit it. @throws {SystemError} EINVAL */
export function set_mempolicy(mode: number, nodes: readonly number[] | null): void {
  validateInteger(mode, 'mode', 0, MAX_FLAGS);
  const mask = maskOf(nodes);
  check(binding.setMempolicy(mode, mask), 'set_mempolicy', { remedy: remedyOf(mask) });
}

/**
 * move_pages(2): moves pages of the process `pid` (0: this one), each to the node at the same index of
 * `nodes`. With null it moves nothing and only reports. `flags`: MPOL.MF_MOVE, or MF_MOVE_ALL, which
 * needs CAP_SYS_NICE.
 *
 * @returns for each page its node, or a negative errno: -ENOENT or -EFAULT if it is not in
 * memory, -EFAULT if only zeros have been read there, -EACCES if other processes map it too,
 * -EAGAIN if the kernel stopped before it, or could not say
 * @throws {SystemError} ENODEV, EACCES, EPERM, ESRCH
 */
export function move_pages(
  pid: number,
  addresses: readonly Where[] | BigUint64Array,
  nodes: readonly number[] | null,
  flags: number,
): Int32Array {
  validatePid(pid, 'pid', 0);
  if (!Array.isArray(addresses) && !isBigUint64Array(addresses)) {
    throw invalidType('addresses', 'an array of addresses or a BigUint64Array', addresses);
  }
  const pages = isBigUint64Array(addresses)
    ? addresses
    : BigUint64Array.from(addresses as readonly Where[], (where) => addressOf(where));
  const to = maskOf(nodes);
  if (to !== null && to.length !== pages.length) {
    throw outOfRange('nodes.length', `${pages.length}, one for each address`, to.length);
  }
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  // The kernel leaves the entries of pages that it does not get to unchanged.
  const status = new Int32Array(pages.length).fill(-EAGAIN);
  check(binding.movePages(pid, pages, to, status, flags), 'move_pages', { remedy: remedyOf(to) });
  return status;
}

/**
 * migrate_pages(2): moves all pages of the process `pid` (0: this one) on the nodes `from` to the
 * nodes `to`.
 *
 * @returns how many pages could not be moved
 * @throws {SystemError} EINVAL, EPERM, ESRCH
 */
export function migrate_pages(pid: number, from: readonly number[], to: readonly number[]): number {
  validatePid(pid, 'pid', 0);
  const source = validateNodes(from, 'from');
  const target = validateNodes(to, 'to');
  return check(binding.migratePages(pid, source, target), 'migrate_pages', { remedy: remedyOf(target) });
}

/**
 * set_mempolicy_home_node(2), Linux 5.17: sets which node comes first for pages whose policy is
 * MPOL.BIND or MPOL.PREFERRED_MANY.
 *
 * @throws {SystemError} EOPNOTSUPP (Node: ENOTSUP) or ENOENT without such a policy; EINVAL; ENOSYS on an older kernel
 */
export function set_mempolicy_home_node(addr: Where, length: number | undefined, node: number, flags = 0): void {
  validateInteger(node, 'node', 0, MAX_NODE);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const range = locate(addr, length);
  check(binding.setMempolicyHomeNode(range.target, 0, range.length, node, flags), 'set_mempolicy_home_node', {
    remedy: remedyOf(Int32Array.of(node)),
  });
}
