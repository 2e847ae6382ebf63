// FileId: which file a descriptor leads to. Anybody can close a number they know, and it is another
// file's soon: to map that one, or to make it longer, would be to show and to destroy what is not ours.
import { type Stats, fstatSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError } from './syscall.js';

const { errno } = constants;

export interface FileId {
  readonly device: number;
  readonly inode: number;
}

export function identify(fd: number): FileId {
  const { dev: device, ino: inode } = fstatSync(fd);
  return { device, inode };
}

/** Whether they are the file's. */
export function areOf(stats: Stats, file: FileId): boolean {
  return stats.ino === file.inode && stats.dev === file.device;
}

/** Whether the descriptor leads to the file still. */
export function leadsTo(fd: number, file: FileId): boolean {
  try {
    return areOf(fstatSync(fd), file);
  } catch {
    return false;
  }
}

/** The descriptor. @throws {SystemError} EBADF unless it leads to the file still */
export function verified(fd: number, file: FileId): number {
  if (leadsTo(fd, file)) return fd;
  const remedy = () => `Somebody has closed descriptor ${fd}, which is not theirs to close: it is not the file any more that was mapped. Map the memory again`;
  throw systemError(-errno.EBADF, 'fstat', { remedy });
}
