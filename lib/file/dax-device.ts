// Persistent memory as a character device, devdax: its length and alignment. The kernel checks these
// only when a page is accessed, or returns EINVAL without a reason.
import { statSync } from 'node:fs';
import { fstat } from '../internal/descriptors/calls.js';
import type { PathName } from '../internal/path.js';
import { readNumber } from '../internal/kernel-files.js';

/** A devdax device. All in bytes. */
export interface DaxDevice {
  readonly size: number;
  /** Bytes in a page: offsets and lengths must be whole pages. */
  readonly align: number;
}

/** Numbers of a device as makedev(3) packs them, which can be more than 32 bits. */
export function numbersOf(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** Undefined for any other file, or if sysfs is not mounted. */
export function daxDevice(file: PathName | number): DaxDevice | undefined {
  const stats = typeof file === 'number' ? fstat(file, { bigint: true }) : statSync(file, { bigint: true });
  if (!stats.isCharacterDevice()) return undefined;
  const folder = `/sys/dev/char/${numbersOf(stats.rdev)}`;
  const [size, align] = [readNumber(`${folder}/size`), readNumber(`${folder}/align`)];
  return size > 0 && align > 0 ? { size, align } : undefined;
}
