// Whether this process may lock so many bytes: RLIMIT_MEMLOCK, CAP_IPC_LOCK, and the machine's memory.
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { features } from '../../index.js';
import { formatBytes } from '../common/units.js';

/** Why `bytes`, whole pages, cannot be locked, and what to do; undefined if nothing speaks against it. */
export function lockObstacle(bytes: number): string | undefined {
  if (bytes > totalmem()) return `${formatBytes(bytes)} are to be locked, and the machine has ${formatBytes(totalmem())} of memory`;
  const { lockLimit: limit } = features();
  const [, locked = '0'] = /^VmLck:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const needed = bytes + 1024 * Number(locked);
  if (needed <= limit) return undefined;
  return (
    `${formatBytes(bytes)} are to be locked (${needed} bytes), and this process may lock ${formatBytes(limit)}: RLIMIT_MEMLOCK = ${limit}. ` +
    `Raise it: LimitMEMLOCK=${needed} in a systemd unit, ulimit -l ${Math.ceil(needed / 1024)} in a shell as far as the hard limit goes, ` +
    'memlock in /etc/security/limits.conf; or give the process CAP_IPC_LOCK'
  );
}
