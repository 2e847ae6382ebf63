// Before a store's file is made: whether the process can have what opening it takes, so that a store that
// cannot be opened is not begun. Nobody may remove the file again: another process may wait for it.
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { binding } from '../../internal/binding.js';
import { check, systemError } from '../../internal/syscall.js';
import { bootId } from './header.js';

const { errno } = constants;

/** Descriptors open at a time, besides those that the guard keeps: the file's, and another, of the guard, a folder or a copy. */
const DESCRIPTORS = 2;

/** @throws {SystemError} EMFILE, ENFILE; of the guard, what it lacks */
export function rehearse(path: string): void {
  if (binding.guardEnabled()) check(binding.missingOfGuard(), 'mmap', { path });
  const held: number[] = [];
  try {
    while (held.length < DESCRIPTORS) held.push(placeholder(path));
    bootId();
  } finally {
    for (const fd of held) if (fd >= 0) closeSync(fd);
  }
}

/** A descriptor of nothing; -1 where no more can be told. */
function placeholder(path: string): number {
  const fd = binding.memfdCreate('memmap-rehearsal', binding.MFD.CLOEXEC);
  if (fd === -errno.EMFILE || fd === -errno.ENFILE) throw systemError(fd, 'open', { path });
  return Math.max(fd, -1);
}
