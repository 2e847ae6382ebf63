// Memory that is placed on NUMA nodes, and where it lies.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { mapAnonymous } from 'memmap';
import { MPOL, PAGE_SIZE, get_mempolicy, move_pages } from 'memmap/sys';
import { hole } from './addresses.mjs';
import { numaMapAt } from './proc.mjs';

/** For the calling describe block: keep(resource) closes it after each test. */
export function keeper() {
  const open = [];
  afterEach(() => {
    for (const resource of open.splice(0)) resource.close();
  });
  return (resource) => {
    open.push(resource);
    return resource;
  };
}

/** Memory of small pages, unless told otherwise, that the kernel merges with nothing. */
export function memoryOf(length, options = {}) {
  return mapAnonymous({ length, address: hole(length), placement: 'hint', advice: 'nohugepage', ...options });
}

/** Touches every page with a byte of its own. */
export function fill(mapping) {
  for (let page = 0; page * PAGE_SIZE < mapping.length; page++) mapping.bytes[page * PAGE_SIZE] = 1 + (page % 200);
}
/** Maps every page, as populate() does, which takes Linux 5.14. */
export function readAll(mapping) {
  for (let offset = 0; offset < mapping.length; offset += PAGE_SIZE) void mapping.bytes[offset];
}
export function isFilled(mapping) {
  for (let page = 0; page * PAGE_SIZE < mapping.length; page++) {
    if (mapping.bytes[page * PAGE_SIZE] !== 1 + (page % 200)) return false;
  }
  return true;
}

/** How many pages lie on which node. */
export function count(nodes) {
  const pages = {};
  for (const node of nodes) if (node >= 0) pages[node] = (pages[node] ?? 0) + 1;
  return pages;
}

/**
 * The node of each page, of which all are in memory. get_mempolicy(2), move_pages(2) and
 * /proc/self/numa_maps agree, and nodes() with them.
 */
export function lie(mapping) {
  const addresses = Array.from({ length: mapping.length / PAGE_SIZE }, (_, page) => mapping.address + BigInt(page * PAGE_SIZE));
  const nodes = [...move_pages(0, addresses, null, 0)];
  assert.deepEqual(addresses.map((address) => get_mempolicy(address, MPOL.F_NODE | MPOL.F_ADDR).mode), nodes);
  assert.deepEqual([...mapping.nodes()], nodes);
  assert.deepEqual(numaMapAt(mapping.address).pages, count(nodes));
  return nodes;
}

/** What `act(memmap)` returns in a worker thread: it is text there, and needs nothing from here. */
export async function inWorker(act) {
  const worker = new Worker(
    `import('memmap').then((memmap) => require('node:worker_threads').parentPort.postMessage((${act})(memmap)));`,
    { eval: true },
  );
  const exit = once(worker, 'exit');
  const [result] = await once(worker, 'message');
  await exit;
  return result;
}
