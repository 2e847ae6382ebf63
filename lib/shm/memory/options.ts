// Options of SharedMemory.
import type { BufferKind, HugePages } from '../../internal/enums.js';
import type { Seal } from './seals.js';
import type { SharedAccess } from './shared-mapping.js';

/** Options of {@link SharedMemory.create}. */
export interface CreateOptions {
  /** Bytes, at least 1. With huge pages it is rounded up to whole ones. */
  readonly length: number;
  /** A name in /dev/shm, by which processes can open it. @default none: a memfd */
  readonly name?: string | undefined;
  /** Huge pages of a pool (`'2MB'`, `'1GB'`), or where the kernel can use them (`'transparent'`). @default none */
  readonly hugePages?: HugePages | undefined;
  /** Memory that the kernel itself does not map, never swapped or dumped: memfd_secret(2), Linux 5.14. @default false */
  readonly secret?: boolean | undefined;
}

/** Options of {@link SharedMemory.open}. */
export interface OpenOptions {
  /** Create it if the name does not exist; needs `length`. @default false */
  readonly create?: boolean | undefined;
  /** The bytes that existing memory must have at least, and that new memory gets. @default 1 */
  readonly length?: number | undefined;
  /** With `'read'` the descriptor is read-only too. @default 'read-write' */
  readonly access?: 'read' | 'read-write' | undefined;
}

/** Options of {@link SharedMemory.fromFd}. */
export interface FromFdOptions {
  /** Seals that it must have. With `['shrink']` no peer can truncate it, so accesses to a mapping cannot fault. @default [] */
  readonly require?: readonly Seal[] | undefined;
  /** The bytes that it must have at least. @default 1 */
  readonly length?: number | undefined;
}

/** Options of {@link SharedMemory.map}. */
export interface SharedMapOptions {
  /** After `'read'`, protect() cannot make it writable. `'copy-on-write'`: writes stay in this mapping. @default 'read-write' */
  readonly access?: SharedAccess | undefined;
  /** The type of `buffer`: see {@link MapOptions.buffer}. @default 'shared' */
  readonly buffer?: BufferKind | undefined;
}
