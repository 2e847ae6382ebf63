// The kernel as witness: what /proc says about this process's memory.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** The mappings of a process, as /proc/PID/maps lists them. Addresses are BigInts. */
export function maps(pid = 'self') {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n').map(parseMapsLine);
}

function parseMapsLine(line) {
  const [, start, end, permissions, offset, device, inode, path] =
    /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+) *(.*)$/.exec(line);
  return {
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    permissions,
    offset: Number.parseInt(offset, 16),
    device,
    inode: Number(inode),
    path,
  };
}

/** How many mappings of this process are of the file. */
export function countMaps(path) {
  return maps().filter((map) => map.path === path).length;
}

/** Whether this process maps the file, which may have been deleted. */
export function isMapped(path) {
  return maps().some((map) => map.path.startsWith(path));
}

/** The mapping that holds `address`, or undefined if nothing is mapped there. */
export function mapAt(address) {
  return maps().find(({ start, end }) => start <= address && address < end);
}

/** The smaps fields of the mapping that holds `address`: kB as numbers, VmFlags as an array. */
export function smapsAt(address) {
  let found;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const field = /^(\w+): +(.*)$/.exec(line);
    if (field === null) {
      if (found !== undefined) return found;
      if (line === '') continue;
      const { start, end } = parseMapsLine(line);
      if (start <= address && address < end) found = {};
    } else if (found !== undefined) {
      found[field[1]] = field[1] === 'VmFlags' ? field[2].trim().split(' ') : Number.parseInt(field[2], 10);
    }
  }
  return found;
}

/** A field of /proc/self/status: bytes for those in kB. */
export function status(field) {
  const [, value, unit] = new RegExp(`^${field}:\\s+(\\d+)( kB)?`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(value) * (unit === undefined ? 1 : 1024);
}

/**
 * The line of /proc/self/numa_maps for the mapping that starts at `address`, or before it:
 * its policy in the kernel's words, and how many pages lie on which node.
 */
export function numaMapAt(address) {
  let found;
  for (const line of readFileSync('/proc/self/numa_maps', 'utf8').trimEnd().split('\n')) {
    const [, start, rest] = /^([0-9a-f]+) (.*)$/.exec(line);
    if (BigInt(`0x${start}`) > address) break;
    found = rest;
  }
  // "weighted interleave:0-2 anon=1 dirty=1 N0=1": what has an equals sign is no policy.
  const [policy] = /^.*?(?=$| (?:file|anon|dirty|mapped|heap|stack|huge|N\d+)(?:=|$| ))/.exec(found);
  const pages = {};
  for (const [, node, count] of found.matchAll(/ N(\d+)=(\d+)/g)) pages[node] = Number(count);
  return { policy, pages };
}

/**
 * The entries of /proc/self/pagemap for `count` pages of `pageSize` bytes from `address` on:
 * [{ present, swapped }].
 */
export function pagemapAt(address, count, pageSize) {
  const entries = Buffer.alloc(8 * count);
  const fd = openSync('/proc/self/pagemap', 'r');
  try {
    const length = readSync(fd, entries, 0, entries.length, Number(address / BigInt(pageSize)) * 8);
    if (length !== entries.length) throw new Error(`pagemap ends after ${length} bytes`);
  } finally {
    closeSync(fd);
  }
  return Array.from({ length: count }, (_, page) => {
    const top = entries[8 * page + 7];
    return { present: (top & 0x80) !== 0, swapped: (top & 0x40) !== 0 };
  });
}
