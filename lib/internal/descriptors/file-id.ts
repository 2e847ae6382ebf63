// FileId: which file a descriptor refers to. Other code can close a descriptor by its number, and the kernel
// soon gives the number to another file: to map that file would expose it, and to grow it would damage it.
import type { Stats } from 'node:fs';
import { fstat } from './calls.js';
import { constants } from 'node:os';
import { systemError } from '../syscall.js';

const { errno } = constants;

export interface FileId {
  readonly device: number;
  readonly inode: number;
}

export function identify(fd: number): FileId {
  const { dev: device, ino: inode } = fstat(fd);
  return { device, inode };
}

/** Whether `stats` are those of the file. */
export function areOf(stats: Stats, file: FileId): boolean {
  return stats.ino === file.inode && stats.dev === file.device;
}

/** Whether the descriptor still refers to the file. */
export function leadsTo(fd: number, file: FileId): boolean {
  try {
    return areOf(fstat(fd), file);
  } catch {
    return false;
  }
}

/** Returns the descriptor. @throws {SystemError} EBADF unless it still refers to the file */
export function verified(fd: number, file: FileId): number {
  if (leadsTo(fd, file)) return fd;
  const remedy = () => `Descriptor ${fd} belongs to memmap but was closed by other code: it no longer refers to its file. Map the memory again`;
  throw systemError(-errno.EBADF, 'fstat', { remedy });
}
