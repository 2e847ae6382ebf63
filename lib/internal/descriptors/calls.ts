// Calls on descriptors that the addon has opened. Deno's node:fs knows only those that it has opened itself, and throws EBADF for
// others; the kernel knows them all by /proc/self/fd.
import { type BigIntStats, type Stats, chmodSync, fchmodSync, fstatSync, statSync } from 'node:fs';

const isDeno = process.versions['deno'] !== undefined;

/** fstat(2). */
export function fstat(fd: number): Stats;
export function fstat(fd: number, options: { readonly bigint: true }): BigIntStats;
export function fstat(fd: number, options: { readonly bigint?: boolean } = {}): Stats | BigIntStats {
  return isDeno ? (statSync(`/proc/self/fd/${fd}`, options) as Stats | BigIntStats) : fstatSync(fd, options);
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): void {
  if (isDeno) chmodSync(`/proc/self/fd/${fd}`, mode);
  else fchmodSync(fd, mode);
}
