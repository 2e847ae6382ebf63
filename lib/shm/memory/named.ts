// Memory with a name: the files of /dev/shm.
import { type Stats, lstatSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { binding } from '../../internal/binding.js';
import { demandAccess } from '../../internal/path.js';
import { invalidType, invalidValue } from '../../internal/validate.js';
import { check } from '../../internal/syscall.js';

const FOLDER = '/dev/shm';
const MAX_BYTES = 255;

/** Named memory, from {@link SharedMemory.list}. */
export interface Segment {
  /** The name, for {@link SharedMemory.open}. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  /** The user ID of its owner. */
  readonly uid: number;
  /** When it was last modified. */
  readonly modified: Date;
  /**
   * Process IDs that have it open or mapped. Root sees all processes of this container; other users, only
   * their own. If empty, it was probably left behind.
   */
  readonly usedBy: readonly number[];
}

/** The name without the leading '/' that shm_open(3) permits. */
export function resolveName(name: unknown, what = 'name'): string {
  if (typeof name !== 'string') throw invalidType(what, 'of type string', name);
  const rest = name.startsWith('/') ? name.slice(1) : name;
  const wrong = rest === '' || rest === '.' || rest === '..' || /[/\0]/.test(rest);
  if (wrong || Buffer.byteLength(rest) > MAX_BYTES) {
    throw invalidValue(what, `must be a name of at most ${MAX_BYTES} bytes, without null bytes, and without '/' except a leading one`, name);
  }
  return rest;
}

export function pathOf(name: string): string {
  return join(FOLDER, name);
}

/** Device and inode as /proc/PID/maps writes them. */
function fileOf({ dev, ino }: Stats): string {
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const hex = (part: number): string => part.toString(16).padStart(2, '0');
  return `${hex(major)}:${hex(minor)} ${ino}`;
}

/** The result of `read`; undefined if it throws, because files and processes come and go. */
function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** 'device inode' of each file of /dev/shm that a process has open or maps -> the processes. */
function users(): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  const add = (file: string, pid: number): void => {
    found.set(file, (found.get(file) ?? new Set()).add(pid));
  };
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const maps = tryRead(() => readFileSync(`/proc/${pid}/maps`, 'latin1')) ?? '';
    for (const [, file = ''] of maps.matchAll(/^\S+ \S+ \S+ (\S+ [1-9]\d*) +\/dev\/shm\//gm)) add(file, pid);
    for (const fd of tryRead(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const path = `/proc/${pid}/fd/${fd}`;
      if (tryRead(() => readlinkSync(path))?.startsWith(`${FOLDER}/`) !== true) continue;
      const stats = tryRead(() => statSync(path));
      if (stats !== undefined) add(fileOf(stats), pid);
    }
  }
  return found;
}

export function list(): Segment[] {
  const names = tryRead(() => readdirSync(FOLDER)) ?? [];
  const pids = users();
  return names.flatMap((name) => {
    const stats = tryRead(() => lstatSync(pathOf(name)));
    if (stats?.isFile() !== true) return [];
    const usedBy = [...(pids.get(fileOf(stats)) ?? [])];
    return [{ name, length: stats.size, uid: stats.uid, modified: stats.mtime, usedBy }];
  });
}

export function unlink(name: string): void {
  demandAccess(pathOf(name), 'fs.write');
  check(binding.shmUnlink(name), 'shm_unlink', { path: name });
}
