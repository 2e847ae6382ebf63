// The NUMA nodes of the machine: where its memory is, and how far from its CPUs.
// https://docs.kernel.org/admin-guide/mm/numaperf.html
import { constants, cpus as cpusOf, freemem, totalmem } from 'node:os';
import { NODES, kilobytesIn, numbersIn, onlineNodes, parseList, readNumber, readText } from '../../internal/kernel-files.js';
import { hugePagePools, hugePagesOf } from './huge-page-pools.js';
import { failure } from '../../internal/syscall.js';

/** Huge pages of one size that a node has. */
export interface HugePagesOfNode {
  /** Bytes in a page. */
  readonly size: number;
  /** Pages. */
  readonly total: number;
  /** Unused pages. Some may be reserved: only {@link HugePagePool.reserved} of the whole machine is known. */
  readonly free: number;
  /** Of `total`, pages beyond the pool's size. */
  readonly surplus: number;
}

/** The performance of a node's memory according to the firmware, from the nodes nearest to it: ACPI HMAT. */
export interface NodeAccess {
  /** The nodes these numbers are for, ascending. */
  readonly initiators: readonly number[];
  /** Nanoseconds. Undefined, like the fields below, if the firmware does not say. */
  readonly readLatency: number | undefined;
  readonly writeLatency: number | undefined;
  /** Megabytes a second. */
  readonly readBandwidth: number | undefined;
  readonly writeBandwidth: number | undefined;
}

/** A NUMA node. */
export interface NumaNode {
  /** Its number, for NUMA policies. Numbers can have gaps. */
  readonly id: number;
  /** The CPUs of the node that are online, ascending. */
  readonly cpus: readonly number[];
  /** Bytes. A node with CPUs only has a total of 0. */
  readonly memory: { readonly total: number; readonly free: number };
  /**
   * Node -> distance, as ACPI gives it: 10 to the node itself, 20 is twice as far. Has all nodes
   * that are online, including this one.
   */
  readonly distances: ReadonlyMap<number, number>;
  /** Whether it has memory but no CPU online: a CXL expander, high-bandwidth or persistent memory used as RAM. */
  readonly memoryOnly: boolean;
  /**
   * The memory tier: memory with a higher number is slower, and receives the pages that the kernel
   * demotes. Undefined before Linux 6.1, and for nodes without memory.
   */
  readonly tier: number | undefined;
  /** Undefined before Linux 5.2, or if the firmware has no HMAT. */
  readonly access: NodeAccess | undefined;
  /** Its huge pages, by ascending size. */
  readonly hugePages: readonly HugePagesOfNode[];
}

/** How often to read again because nodes came or went meanwhile. */
const ATTEMPTS = 16;
const ITSELF = 10;

/**
 * The NUMA nodes of this machine that are online, by ascending number. They are read at each call,
 * so memory and nodes added meanwhile appear. A kernel without NUMA has one node, 0.
 *
 * ```js
 * for (const { id, cpus, memory, memoryOnly } of numaNodes()) { ... }
 * const near = node.distances.get(1) ?? Infinity;
 * ```
 *
 * A cpuset may restrict the process to some of them: cpuset(7).
 *
 * @throws {SystemError} EAGAIN if nodes come and go faster than they can be read
 */
export function numaNodes(): NumaNode[] {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const ids = onlineNodes();
    if (ids === undefined) return [wholeMachine()];
    const nodes = readNodes(ids);
    if (nodes !== undefined) return nodes;
  }
  throw failure(-constants.errno.EAGAIN, 'read', { path: NODES });
}

/** Undefined if a node has come or gone. */
function readNodes(ids: readonly number[]): NumaNode[] | undefined {
  const tiers = readTiers();
  const nodes: NumaNode[] = [];
  for (const id of ids) {
    const folder = `${NODES}/node${id}`;
    const meminfo = readText(`${folder}/meminfo`);
    const cpulist = readText(`${folder}/cpulist`);
    // One distance for each node that is online at this moment.
    const row = readText(`${folder}/distance`)?.trim().split(/\s+/).map(Number);
    if (meminfo === undefined || cpulist === undefined || row?.length !== ids.length) return undefined;
    const cpus = parseList(cpulist);
    const total = kilobytesIn(meminfo, 'MemTotal');
    nodes.push({
      id,
      cpus,
      memory: { total, free: kilobytesIn(meminfo, 'MemFree') },
      distances: new Map(ids.map((other, place) => [other, row[place] ?? NaN])),
      memoryOnly: cpus.length === 0 && total > 0,
      tier: tiers.get(id),
      access: readAccess(folder),
      hugePages: hugePagesOf(id),
    });
  }
  return nodes;
}

const TIERS = '/sys/devices/virtual/memory_tiering';

/** Node -> number of its tier. */
function readTiers(): Map<number, number> {
  const tiers = new Map<number, number>();
  for (const tier of numbersIn(TIERS, 'memory_tier')) {
    for (const node of parseList(readText(`${TIERS}/memory_tier${tier}/nodelist`) ?? '')) tiers.set(node, tier);
  }
  return tiers;
}

function readAccess(node: string): NodeAccess | undefined {
  const folder = `${node}/access0/initiators`;
  const initiators = numbersIn(folder, 'node');
  const read = (name: string): number | undefined => {
    const value = readNumber(`${folder}/${name}`);
    return value > 0 ? value : undefined;
  };
  const access = {
    initiators,
    readLatency: read('read_latency'),
    writeLatency: read('write_latency'),
    readBandwidth: read('read_bandwidth'),
    writeBandwidth: read('write_bandwidth'),
  };
  return initiators.length > 0 || access.readLatency !== undefined ? access : undefined;
}

function wholeMachine(): NumaNode {
  const meminfo = readText('/proc/meminfo');
  const online = readText('/sys/devices/system/cpu/online');
  return {
    id: 0,
    cpus: online === undefined ? [...cpusOf().keys()] : parseList(online),
    memory: meminfo === undefined
      ? { total: totalmem(), free: freemem() }
      : { total: kilobytesIn(meminfo, 'MemTotal'), free: kilobytesIn(meminfo, 'MemFree') },
    distances: new Map([[0, ITSELF]]),
    memoryOnly: false,
    tier: undefined,
    access: undefined,
    hugePages: hugePagePools().map(({ size, total, free, surplus }) => ({ size, total, free, surplus })),
  };
}
