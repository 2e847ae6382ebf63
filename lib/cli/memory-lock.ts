// Whether this process may lock so many bytes: RLIMIT_MEMLOCK, CAP_IPC_LOCK, and the machine's memory.
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { formatBytes } from './sizes.js';

/** Its bit in the sets of capabilities. */
const CAP_IPC_LOCK = 14n;

/** Bytes; Infinity: as many as there are. */
function lockLimit(): number {
  const [, soft = 'unlimited'] = /^Max locked memory +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === 'unlimited' ? Infinity : Number(soft);
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '0';
}

/** Why `bytes`, whole pages, cannot be locked, and what to do; undefined if nothing speaks against it. */
export function lockObstacle(bytes: number): string | undefined {
  if (bytes > totalmem()) return `${formatBytes(bytes)} are to be locked, and the machine has ${formatBytes(totalmem())} of memory`;
  const status = readFileSync('/proc/self/status', 'utf8');
  if (((BigInt(`0x${field(status, 'CapEff')}`) >> CAP_IPC_LOCK) & 1n) === 1n) return undefined;
  const needed = bytes + 1024 * Number(field(status, 'VmLck'));
  const limit = lockLimit();
  if (needed <= limit) return undefined;
  return (
    `${formatBytes(bytes)} are to be locked (${needed} bytes), and this process may lock ${formatBytes(limit)}: RLIMIT_MEMLOCK = ${limit}. ` +
    `Raise it: LimitMEMLOCK=${needed} in a systemd unit, ulimit -l ${Math.ceil(needed / 1024)} in a shell as far as the hard limit goes, ` +
    'memlock in /etc/security/limits.conf; or give the process CAP_IPC_LOCK'
  );
}
