// Checks, before the file of a store is created, whether the process has what it takes to open it. A file that
// was created cannot be removed again: another process may wait for it.
import { constants } from 'node:os';
import { binding } from '../../internal/binding.js';
import { check, systemError } from '../../internal/syscall.js';
import { bootId } from './header.js';

const { errno } = constants;

/** Descriptors that are open at a time, besides those that the guard keeps: that of the file, and one other. */
const DESCRIPTORS = 2;

/** @throws {SystemError} EMFILE, ENFILE; or the error of what the guard lacks */
export function rehearse(path: string): void {
  if (binding.guardEnabled()) check(binding.missingOfGuard(), 'mmap', { path });
  const held: number[] = [];
  try {
    while (held.length < DESCRIPTORS) held.push(placeholder(path));
    bootId();
  } finally {
    for (const fd of held) if (fd >= 0) binding.closeFd(fd);
  }
}

/** A descriptor of a memfd, which the thread holds; -1 if there is none for another reason than a limit. */
function placeholder(path: string): number {
  const fd = binding.createSharedMemory(null, binding.MFD.CLOEXEC, false, 1, new Float64Array(1));
  if (fd === -errno.EMFILE || fd === -errno.ENFILE) throw systemError(fd, 'open', { path });
  return Math.max(fd, -1);
}
