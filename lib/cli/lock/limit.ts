// Checks whether this process may lock a number of bytes: RLIMIT_MEMLOCK, CAP_IPC_LOCK, and the machine's memory.
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { features } from '../../index.js';
import { formatBytes } from '../common/units.js';

/** Why `bytes`, whole pages, cannot be locked, and what to do; undefined if they can. */
export function lockObstacle(bytes: number): string | undefined {
  if (bytes > totalmem()) return `The files need ${formatBytes(bytes)} of locked memory, but the machine has only ${formatBytes(totalmem())}`;
  const { lockLimit: limit } = features();
  const [, locked = '0'] = /^VmLck:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const needed = bytes + 1024 * Number(locked);
  if (needed <= limit) return undefined;
  return (
    `The files need ${formatBytes(bytes)} of locked memory (${needed} bytes), but this process may lock only ${formatBytes(limit)}: RLIMIT_MEMLOCK = ${limit}. ` +
    `Raise the limit: LimitMEMLOCK=${needed} in a systemd unit, ulimit -l ${Math.ceil(needed / 1024)} in a shell up to the hard limit, ` +
    'memlock in /etc/security/limits.conf; or give the process CAP_IPC_LOCK'
  );
}
