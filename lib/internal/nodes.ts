// NUMA nodes by number: the check of arguments, and why the kernel refused one.
import { binding } from './binding.js';
import { parseList, readText } from './kernel-files.js';
import { invalidType, validateInteger } from './validate.js';

/** The highest number of a node: no kernel is built for more. */
export const MAX_NODE: number = binding.LIMIT.NODES - 1;

/** The numbers of nodes, for the addon. Duplicates and order do not matter. */
export function validateNodes(value: unknown, name: string): Int32Array {
  if (!Array.isArray(value)) throw invalidType(name, 'an array of node numbers', value);
  const nodes = new Int32Array(value.length);
  for (const [i, node] of (value as unknown[]).entries()) {
    validateInteger(node, `${name}[${i}]`, 0, MAX_NODE);
    nodes[i] = node;
  }
  return nodes;
}

/** The list in a file of the kernel, or undefined where it is hidden, or there is no NUMA. */
function readList(path: string, pattern: RegExp): string | undefined {
  return pattern.exec(readText(path) ?? '')?.[1];
}

/** Those of `nodes` that are not in the list. */
function missing(nodes: Iterable<number>, list: string | undefined): number[] {
  if (list === undefined) return [];
  const there = new Set(parseList(list));
  return [...new Set(nodes)].filter((node) => !there.has(node));
}

/** The remedy for a call that the kernel refused because of the nodes it named. */
export function nodesRemedy(nodes: Iterable<number>): string | undefined {
  const memory = readList('/sys/devices/system/node/has_memory', /^([\d,-]+)$/m);
  const absent = missing(nodes, memory);
  if (absent.length > 0) return `NUMA nodes with memory here: ${memory}. Not among them: ${absent.join(', ')}`;
  const allowed = readList('/proc/thread-self/status', /^Mems_allowed_list:\s*([\d,-]+)$/m);
  const forbidden = missing(nodes, allowed);
  if (forbidden.length === 0) return undefined;
  return `NUMA nodes that the cpuset allows, cpuset.mems: ${allowed}. Not among them: ${forbidden.join(', ')}`;
}
