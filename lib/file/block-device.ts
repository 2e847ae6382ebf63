// Block devices: disks, their partitions and loop devices. fstat(2) gives them no length.
import { statSync } from 'node:fs';
import { fstat } from '../internal/descriptors/calls.js';
import { readNumber } from '../internal/kernel-files.js';
import type { PathName } from '../internal/path.js';
import { numbersOf } from './dax-device.js';

/** Bytes in a unit of the size in sysfs, whatever the device's own sectors are. */
const SECTOR = 512;

/** Bytes in a block device, the number of BLKGETSIZE64; undefined for any other file, or if sysfs is not mounted. */
export function blockDeviceSize(file: PathName | number): number | undefined {
  const stats = typeof file === 'number' ? fstat(file, { bigint: true }) : statSync(file, { bigint: true });
  if (!stats.isBlockDevice()) return undefined;
  const sectors = readNumber(`/sys/dev/block/${numbersOf(stats.rdev)}/size`);
  return Number.isNaN(sectors) ? undefined : sectors * SECTOR;
}
