// FileBacking: the file behind a mapping, opened again whenever a descriptor is needed.
import { closeSync, fstatSync } from 'node:fs';
import { constants } from 'node:os';
import type { FaultErrorKind } from '../errors.js';
import { type Handle, binding } from '../internal/binding.js';
import { PROTECTION, type Protection } from '../internal/enums.js';
import { check, systemError } from '../internal/syscall.js';
import { FileLease, type Lease } from '../internal/lease.js';
import { type Backing, type MappedMemory, type Place, leaseOfDescriptor } from '../mem/mapped-memory.js';
import type { Pages } from '../mem/pages.js';
import { readOnlyFile } from '../mem/protections.js';
import type { FileBehind } from '../mem/residency.js';
import { FileIdentity } from './file-identity.js';
import type { FilePages, FileSource } from './open-file.js';

const { errno } = constants;
const { MAP, O, PROT } = binding;

export class FileBacking implements Backing {
  readonly source: FileSource;
  readonly filesystem: string;
  readonly identity: FileIdentity;
  readonly #regular: boolean;
  /** Mappings of parts of a mapping that is too long for one buffer. */
  readonly parts: () => readonly MappedMemory[];
  readonly locate: (offset: number, length: number) => Place;

  constructor(
    found: FilePages,
    source: FileSource,
    parts: () => readonly MappedMemory[],
    locate: (offset: number, length: number) => Place,
  ) {
    this.source = source;
    this.filesystem = found.filesystem;
    this.identity = new FileIdentity(source.path, found);
    this.#regular = found.regular;
    this.parts = parts;
    this.locate = locate;
  }

  get writable(): boolean {
    return (this.source.openFlags & O.RDWR) !== 0;
  }

  /** Calls `act` with `lost` if the file has been replaced or removed. */
  withFile<T>(pages: Pages, act: (file: FileBehind) => T): T {
    const { descriptor } = pages;
    let fd = descriptor;
    try {
      if (fd < 0 && this.#regular) fd = this.identity.openAgain('r');
    } catch {
      return act({ fd: -1, offset: 0, lost: true });
    }
    try {
      const offset = this.source.offset - pages.byteOffset;
      return act(this.filesystem === 'hugetlbfs' ? { fd, offset, hugeSize: fstatSync(fd).blksize } : { fd, offset });
    } finally {
      if (fd !== descriptor) closeSync(fd);
    }
  }

  backed(pages: Pages): number {
    const fd = pages.descriptor;
    const size = fd >= 0 ? fstatSync(fd).size : (this.identity.sizeOf(pages.address) ?? Infinity);
    return Math.max(0, Math.min(pages.length, size - this.source.offset));
  }

  /** Undefined if the bytes are not those of the file, or no path leads to it. */
  lease(pages: Pages): Lease | undefined {
    const { copies, offset, path } = this.source;
    if (copies || !this.#regular) return undefined;
    if (pages.descriptor >= 0) return leaseOfDescriptor(pages, offset);
    try {
      return new FileLease(this.identity.openAgain('r'), closeSync, offset, path);
    } catch {
      return undefined;
    }
  }

  left(address: bigint): number {
    return Math.max(0, (this.identity.sizeOf(address) ?? Infinity) - this.source.offset);
  }

  /** On file systems in memory, reading a hole needs a page too. */
  unreachable(writes: boolean): FaultErrorKind {
    const inMemory = this.filesystem === 'tmpfs' || this.filesystem === 'hugetlbfs';
    return writes || inMemory ? 'no-space' : 'memory-failure';
  }

  /** A private mapping of the file would accept writes, but not write them to the file. */
  permit(access: Protection): void {
    const { path, flags, copies } = this.source;
    const writes = (PROTECTION[access] & PROT.WRITE) !== 0;
    if (!writes || this.writable || (flags & MAP.PRIVATE) === 0 || copies) return;
    throw systemError(-errno.EACCES, 'mprotect', { path, remedy: readOnlyFile });
  }

  restore(pages: Pages, handle: Handle, prot: number): void {
    const { path, flags, offset, copies } = this.source;
    this.identity.open(pages.descriptor, this.writable ? 'r+' : 'r', (fd) => {
      const start = offset - pages.byteOffset;
      check(binding.restore(handle, fd, start, prot, flags & ~MAP.POPULATE, copies), 'mmap', { path });
    });
  }
}
