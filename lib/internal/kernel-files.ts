// Reads the kernel's files in /proc and /sys. Nothing is cached: memory, CPUs and mappings
// come and go.
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';

/** The text of a small file; undefined if it does not exist or may not be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** The number that a file consists of. NaN if there is none. */
export function readNumber(path: string): number {
  return Number.parseInt(readText(path) ?? '', 10);
}

/** The numbers N of the entries `${prefix}N${suffix}` of a folder, ascending; none without the folder. */
export function numbersIn(folder: string, prefix: string, suffix = ''): number[] {
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  const numbers: number[] = [];
  for (const entry of entries) {
    if (!entry.startsWith(prefix) || !entry.endsWith(suffix)) continue;
    const digits = entry.slice(prefix.length, entry.length - suffix.length);
    if (/^\d+$/.test(digits)) numbers.push(Number(digits));
  }
  return numbers.toSorted((a, b) => a - b);
}

/** Bytes, from a line `Name:   123 kB` or `Node 0 Name:   123 kB`. NaN without that line. */
export function kilobytesIn(text: string, name: string): number {
  const found = new RegExp(`^(?:Node \\d+ )?${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1];
  return Number(found ?? NaN) * 1024;
}

/** RLIMIT_MEMLOCK: bytes, or 'unlimited'. Undefined without /proc. */
export function memoryLockLimit(): string | undefined {
  return /^Max locked memory\s+(\S+)/m.exec(readText('/proc/self/limits') ?? '')?.[1];
}

/** The numbers of a list as in cpuset(7), ascending: '0-3,5' is 0, 1, 2, 3, 5. */
export function parseList(text: string): number[] {
  const numbers: number[] = [];
  const list = text.trim();
  if (list === '') return numbers;
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined) throw new SyntaxError(`'${list}' is not a list of numbers such as '0-3,5'`);
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number);
  }
  return numbers;
}

const CHUNK = 2 ** 16;
const NEWLINE = 10;

/**
 * Gives each line of a file of /proc to `take`, until that returns false. The kernel hands out a
 * page or so at a time, and each line whole. False if the process of /proc/PID/maps or smaps has
 * ended, or runs another program now: lines may be missing at the end.
 */
export function readLines(path: string, take: (line: string) => boolean): boolean {
  const fd = openSync(path, 'r');
  try {
    let bytes = Buffer.allocUnsafe(CHUNK);
    let filled = 0;
    for (;;) {
      const got = readSync(fd, bytes, filled, bytes.length - filled, null);
      filled += got;
      if (got > 0 && filled < bytes.length) continue;
      const end = got === 0 ? filled : bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
      if (!eachLine(bytes.toString('utf8', 0, end), take)) return true;
      // The kernel also reports the end of the file once the process's memory is gone. Then a read from the start is empty.
      if (got === 0) return readSync(fd, bytes, 0, 1, 0) > 0;
      if (end === 0) bytes = Buffer.concat([bytes, Buffer.allocUnsafe(bytes.length)]);
      bytes.copyWithin(0, end, filled);
      filled -= end;
    }
  } finally {
    closeSync(fd);
  }
}

function eachLine(text: string, take: (line: string) => boolean): boolean {
  let from = 0;
  while (from < text.length) {
    let end = text.indexOf('\n', from);
    if (end === -1) end = text.length;
    if (!take(text.slice(from, end))) return false;
    from = end + 1;
  }
  return true;
}

/** Mappings that one process may have: vm.max_map_count. NaN if /proc/sys is not there. */
export function mappingLimit(): number {
  return readNumber('/proc/sys/vm/max_map_count');
}

/** Whether a mapping of that name counts against the limit. These two are pages of the kernel, the same in all processes. */
export function countsAsMapping(name: string | undefined): boolean {
  return name !== '[vsyscall]' && name !== '[vectors]';
}

/** Mappings of this process that count against vm.max_map_count. */
export function mappingCount(): number {
  let count = 0;
  readLines('/proc/self/maps', (line) => {
    if (countsAsMapping(line.slice(line.lastIndexOf(' ') + 1))) count += 1;
    return true;
  });
  return count;
}

/** Bytes in a page of each pool of huge pages that this kernel has, ascending. */
export function hugePageSizes(): number[] {
  return numbersIn(POOLS, 'hugepages-', 'kB').map((kilobytes) => kilobytes * 1024);
}

/** The folder of a pool: of the machine, or of one node. */
export function hugePageFolder(size: number, node?: number): string {
  return `${node === undefined ? POOLS : `${NODES}/node${node}/hugepages`}/hugepages-${size / 1024}kB`;
}

const POOLS = '/sys/kernel/mm/hugepages';

/** Where the kernel reports NUMA nodes. */
export const NODES = '/sys/devices/system/node';

/** The nodes of the machine, ascending; undefined if this kernel was built without NUMA. */
export function onlineNodes(): number[] | undefined {
  const text = readText(`${NODES}/online`);
  return text === undefined ? undefined : parseList(text);
}
