// What calls on the placement of memory need, and wrong arguments for them: see surface.mjs.
import { MPOL, PAGE_SIZE } from 'memmap/sys';
import * as zoo from './zoo.mjs';

const { TYPE, VALUE, RANGE, each, flags, integer, optional, options, where } = zoo;
const LENGTH = 4 * PAGE_SIZE;
const MAX_NODE = 1023;

const within = [...optional(zoo.bytes), ...each(RANGE, [LENGTH + 1, 2 ** 32 + 4096])];
const node = integer(0, MAX_NODE);
const pid = integer(0, 2 ** 31 - 1);

/** Nodes that are wrong as a whole, or one of them; null is right where there may be no mask. */
const mask = [
  ...each(TYPE, [undefined, 0, 1n, '', '0', true, {}, new Set([0]), new Int32Array(1), Symbol('zoo'), () => [0]]),
  ...node.map(([value, code]) => [[0, value], code]),
  [[,], TYPE], // eslint-disable-line no-sparse-arrays
];
const addresses = [
  ...each(TYPE, [undefined, null, 4096, 4096n, 'x', {}, new Set(), new Uint8Array(8), new BigInt64Array(1)]),
  ...zoo.hint.map(([value, code]) => [[value], code]),
];

export const SYS_NUMA = {
  mbind: [({ memory }) => [memory, LENGTH, MPOL.DEFAULT, null, 0], [where, within, flags, mask, optional(flags)]],
  get_mempolicy: [({ memory }) => [memory, MPOL.F_ADDR], [optional(zoo.hint), optional(flags)]],
  set_mempolicy: [() => [MPOL.DEFAULT, null], [flags, mask]],
  move_pages: [({ memory }) => [0, [memory], null, 0], [
    pid, addresses, [...mask, ...each(RANGE, [[], [0, 0]])], flags,
  ]],
  migrate_pages: [() => [0, [0], [0]], [pid, [...mask, [null, TYPE]], [...mask, [null, TYPE]]]],
  set_mempolicy_home_node: [({ memory }) => [memory, LENGTH, 0, 0], [where, within, node, optional(flags)]],
};

/** Right ones that the kernel refuses: nothing there has a policy. */
export const NUMA_REFUSED = { 'sys.set_mempolicy_home_node': 'ENOENT' };

function policies(more = {}) {
  const bind = { mode: 'bind', nodes: [0] };
  return [
    [undefined, TYPE],
    ...options({ mode: zoo.word, nodes: [...mask, [null, TYPE]], ...more }, bind),
    ...each(VALUE, [
      {}, { nodes: [0] }, { mode: 'default', nodes: [0] }, { mode: 'local', nodes: [0] },
      { mode: 'preferred' }, { mode: 'preferred', nodes: [] }, { mode: 'preferred', nodes: [0, 0] },
      { mode: 'bind' }, { mode: 'interleave', nodes: [] }, { mode: 'preferred-many' }, { mode: 'weighted-interleave' },
    ]),
  ];
}

export const FACADE_NUMA = {
  memoryPolicy: [() => [], []],
  setMemoryPolicy: [() => [{ mode: 'default' }], [policies()]],
};

const inside = zoo.range(LENGTH);

export const MAPPING_NUMA = {
  bind: [() => [{ mode: 'bind', nodes: [0] }, {}], [policies({ move: zoo.boolean, strict: zoo.boolean }), inside]],
  policy: [() => [0], [optional(integer(0, LENGTH - 1))]],
  nodes: [() => [{}], [inside]],
  migrate: [() => [0, {}], [node, inside]],
  homeNode: [() => [0, { length: 0 }], [node, inside]],
};
