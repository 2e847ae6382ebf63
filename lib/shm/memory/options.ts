// Options of SharedMemory.
import type { BufferKind, HugePages } from '../../internal/literals.js';
import type { Seal } from './seals.js';
import type { SharedAccess } from './shared-mapping.js';

/** Options of {@link SharedMemory.create}. */
export interface CreateOptions {
  /** Bytes, at least 1. Huge pages round it up to whole ones. */
  readonly length: number;
  /** A name in /dev/shm, for processes to find it by. @default none: a memfd */
  readonly name?: string | undefined;
  /** Huge pages of a pool (`'2MB'`, `'1GB'`), or as the kernel finds them. @default none */
  readonly hugePages?: HugePages | undefined;
  /** Memory that the kernel itself does not map, never swapped or dumped: memfd_secret(2). Linux 5.14. */
  readonly secret?: boolean | undefined;
}

/** Options of {@link SharedMemory.open}. */
export interface OpenOptions {
  /** Make it if nothing has the name; needs `length`. @default false */
  readonly create?: boolean | undefined;
  /** Bytes it must have at least; of new memory, bytes it gets. */
  readonly length?: number | undefined;
  /** `'read'`: the descriptor, too, allows no more. @default 'read-write' */
  readonly access?: 'read' | 'read-write' | undefined;
}

/** Options of {@link SharedMemory.fromFd}. */
export interface FromFdOptions {
  /** Seals it must have. `['shrink']`: no access to a mapping can then meet the end of the memory. */
  readonly require?: readonly Seal[] | undefined;
  /** Bytes it must have at least. @default 1 */
  readonly length?: number | undefined;
}

/** Options of {@link SharedMemory.map}. */
export interface SharedMapOptions {
  /** `'read'`: protect() makes it writable no more. @default 'read-write' */
  readonly access?: SharedAccess | undefined;
  /** The type of `buffer`. @default 'shared' */
  readonly buffer?: BufferKind | undefined;
}
