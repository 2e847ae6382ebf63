// Reads the facts of this machine and of this process, whose limits its children inherit.
import { readFileSync, realpathSync, statfsSync } from 'node:fs';
import { features, hugePagePools, numaNodes } from '../../index.js';
import { messageOf } from '../common/exit.js';
import { pathNamed, textOf } from '../common/names.js';
import type { Facts, GroupFact, PlaceFact } from './checks/facts.js';

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readNumber(path: string): number {
  return Number.parseInt(readText(path), 10);
}

/** A file `Name:   123 kB`: bytes. */
function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1] ?? NaN) * 1024;
}

/** The word in brackets: 'always [madvise] never'. */
function chosen(file: string): string {
  return /\[([^\]]+)\]/.exec(readText(`/sys/kernel/mm/transparent_hugepage/${file}`))?.[1] ?? '';
}

const CAP_IPC_LOCK = 14n;

function lockFact(): Facts['lock'] {
  const [, soft = '', hard = ''] = /^Max locked memory\s+(\S+)\s+(\S+)/m.exec(readText('/proc/self/limits')) ?? [];
  const held = /^CapEff:\s+([0-9a-f]+)$/m.exec(readText('/proc/self/status'))?.[1] ?? '0';
  const bytes = (text: string): number => (text === 'unlimited' ? Infinity : Number.parseInt(text, 10));
  return { soft: bytes(soft), hard: bytes(hard), capable: ((BigInt(`0x${held}`) >> CAP_IPC_LOCK) & 1n) === 1n };
}

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Decodes the octal escapes that the kernel writes for blanks in paths. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** proc_pid_mountinfo(5). */
function mounts(): Mount[] {
  return readText('/proc/self/mountinfo').split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , , point, options = ''] = before.split(' ');
    const [type = '', , whole = ''] = after.split(' ');
    return point === undefined ? [] : [{ point: unescape(point), type, options: [...options.split(','), ...whole.split(',')] }];
  });
}

/** The mount that a path is on; of several at the same place the last. */
function mountOf(path: string, all: readonly Mount[]): Mount | undefined {
  const holds = ({ point }: Mount): boolean => point === '/' || path === point || path.startsWith(`${point}/`);
  return all.filter(holds).reduce<Mount | undefined>((best, one) => (best === undefined || one.point.length >= best.point.length ? one : best), undefined);
}

const NOWHERE = { type: '', magic: 0, mount: '', readOnly: false, dax: false, size: 0, free: 0, inodes: 0, freeInodes: 0 };

function placeFact(name: string, all: readonly Mount[], path = name): PlaceFact {
  try {
    const { type: magic, bsize, blocks, bavail, files, ffree } = statfsSync(pathNamed(name));
    const mount = mountOf(textOf(realpathSync(pathNamed(name), 'buffer')), all);
    const options = mount?.options ?? [];
    return {
      path,
      type: mount?.type ?? '',
      magic: magic >>> 0,
      mount: mount?.point ?? '',
      readOnly: options.includes('ro'),
      dax: options.includes('dax') || options.includes('dax=always'),
      size: bsize * blocks,
      free: bsize * bavail,
      inodes: files,
      freeInodes: ffree,
    };
  } catch (error) {
    return { path, ...NOWHERE, error: messageOf(error).replace(/, statfs '.*$/s, '') };
  }
}

/** Larger than any machine: version 1 uses such a number for no limit. */
const NO_LIMIT = 2 ** 60;

/** The facts of a group, from its folder; undefined if it has no limit. */
function groupAt(folder: string, name: string, version: 1 | 2): GroupFact | undefined {
  const files = version === 2 ? (['memory.max', 'memory.current'] as const) : (['memory.limit_in_bytes', 'memory.usage_in_bytes'] as const);
  const limit = readNumber(`${folder}/${files[0]}`);
  if (Number.isNaN(limit) || limit >= NO_LIMIT) return undefined;
  const stat = readText(`${folder}/memory.stat`);
  const field = (key: string): number => Number(new RegExp(`^${version === 1 ? 'total_' : ''}${key} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  return { name, version, limit, current: readNumber(`${folder}/${files[1]}`), cache: field('active_file') + field('inactive_file') };
}

/** The control group with the least room: that of this process or one that contains it; undefined if none has a limit. */
function groupFact(): GroupFact | undefined {
  const lines = readText('/proc/self/cgroup').trim().split('\n').map((line) => line.split(':'));
  const first = lines.find(([, controllers = '']) => controllers.split(',').includes('memory'));
  const path = (first ?? lines.find(([number]) => number === '0'))?.[2] ?? '/';
  const [root, version] = first === undefined ? (['/sys/fs/cgroup', 2] as const) : (['/sys/fs/cgroup/memory', 1] as const);
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  const found: GroupFact[] = [];
  for (let depth = parts.length; depth >= 0; depth--) {
    const name = `/${parts.slice(0, depth).join('/')}`;
    const group = groupAt(`${root}${name === '/' ? '' : name}`, name, version);
    if (group !== undefined) found.push(group);
  }
  return found.reduce<GroupFact | undefined>((least, one) => (least === undefined || one.limit - one.current < least.limit - least.current ? one : least), undefined);
}

/** Reads all facts, including those of the file systems of these paths. `shown`: how findings name them. */
export function readFacts(paths: readonly string[], shown: (path: string) => string): Facts {
  const meminfo = readText('/proc/meminfo');
  const all = mounts();
  const { guard, kernel, supports } = features();
  return {
    kernel,
    root: process.geteuid?.() === 0,
    maxMapCount: readNumber('/proc/sys/vm/max_map_count'),
    overcommit: {
      mode: readNumber('/proc/sys/vm/overcommit_memory'),
      ratio: readNumber('/proc/sys/vm/overcommit_ratio'),
      limit: kilobytes(meminfo, 'CommitLimit'),
      committed: kilobytes(meminfo, 'Committed_AS'),
    },
    lock: lockFact(),
    memory: { total: kilobytes(meminfo, 'MemTotal'), available: kilobytes(meminfo, 'MemAvailable') },
    swap: { total: kilobytes(meminfo, 'SwapTotal'), free: kilobytes(meminfo, 'SwapFree'), swappiness: readNumber('/proc/sys/vm/swappiness') },
    pools: hugePagePools().map(({ size, total, free, reserved, overcommit }) => ({ size, total, free, reserved, overcommit })),
    transparent: { enabled: chosen('enabled'), defrag: chosen('defrag'), shmem: chosen('shmem_enabled') },
    numa: {
      nodes: numaNodes().map(({ id, cpus, memory }) => ({ id, cpus: cpus.length, total: memory.total, free: memory.free })),
      balancing: readNumber('/proc/sys/kernel/numa_balancing'),
      zoneReclaim: readNumber('/proc/sys/vm/zone_reclaim_mode'),
    },
    shm: placeFact('/dev/shm', all),
    group: groupFact(),
    supports,
    guard,
    ringsDisabled: readNumber('/proc/sys/kernel/io_uring_disabled'),
    places: paths.map((path) => placeFact(path, all, shown(path))),
  };
}
