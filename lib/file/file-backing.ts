// FileBacking: the file behind a mapping. It is opened again by its path whenever a descriptor is needed, unless
// the mapping was made of a descriptor, of which it keeps a duplicate.
import { closeSync } from 'node:fs';
import { fstat } from '../internal/descriptors/calls.js';
import { constants } from 'node:os';
import type { FaultErrorKind } from '../errors.js';
import { type Handle, binding } from '../internal/binding.js';
import { PROTECTION, type Protection } from '../internal/enums.js';
import { shownPath } from '../internal/path.js';
import { check, systemError } from '../internal/syscall.js';
import { FileLease, type Lease } from '../mem/lease/file-lease.js';
import { type Backing, type MappedMemory, type Place, leaseOfDescriptor } from '../mem/mapped-memory.js';
import type { Pages } from '../mem/pages.js';
import { readOnlyFile } from '../mem/protections.js';
import type { FileBehind } from '../mem/residency.js';
import { FileIdentity } from './file-identity.js';
import { KeptDescriptor } from './kept-descriptor.js';
import { LayeredFile } from './layered-file.js';
import { type FilePages, type FileSource, openFile } from './open-file.js';

const { errno } = constants;
const { MAP, O, PROT } = binding;

export class FileBacking implements Backing {
  /** Without a descriptor, which the caller may close. */
  readonly source: FileSource;
  readonly filesystem: string;
  readonly identity: FileIdentity;
  readonly #regular: boolean;
  readonly #ofDescriptor: boolean;
  /** While the mapping is empty: it has no pages that keep one. */
  #kept: KeptDescriptor | undefined;
  readonly #layered: LayeredFile | undefined;
  /** Mappings of parts of a mapping that is too long for one buffer. */
  readonly parts: () => readonly MappedMemory[];
  readonly locate: (offset: number, length: number) => Place;

  constructor(
    found: FilePages,
    source: FileSource,
    parts: () => readonly MappedMemory[],
    locate: (offset: number, length: number) => Place,
  ) {
    this.source = { ...source, fd: undefined };
    this.#ofDescriptor = source.fd !== undefined;
    if (source.fd !== undefined && found.handle === 0) this.#kept = new KeptDescriptor(source.fd, source.path);
    this.filesystem = found.filesystem;
    this.identity = new FileIdentity(source.path, found);
    this.#regular = found.regular;
    // One that is open for writing is in the upper layer, where it stays.
    const layered = found.filesystem === 'overlay' && found.regular && !this.writable;
    this.#layered = layered ? new LayeredFile(source.path, this.identity, found.changed) : undefined;
    this.parts = parts;
    this.locate = locate;
  }

  get writable(): boolean {
    return (this.source.openFlags & O.RDWR) !== 0;
  }

  /** The descriptor of the file that the mapping keeps, or -1. */
  descriptor(pages: Pages): number {
    const { descriptor } = pages;
    return this.#kept === undefined ? descriptor : this.#kept.fd;
  }

  /** Maps `length` bytes of the file after the mapping was empty. */
  mapAgain(length: number, prot: number): Handle {
    const found = openFile({ ...this.source, fd: this.#kept?.fd, prot, length });
    this.#layered?.mapped(found.changed);
    this.close();
    return found.handle;
  }

  /** Unmaps all pages, and keeps the descriptor that they kept. */
  unmap(pages: Pages, handle: Handle): void {
    const kept = this.#ofDescriptor ? new KeptDescriptor(pages.descriptor, this.source.path) : undefined;
    const result = binding.close(handle);
    if (result < 0) kept?.close();
    check(result, 'mmap');
    this.#kept = kept;
  }

  /** Closes the descriptor of an empty mapping. */
  close(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  /** Whether writing may make the file longer: never a device. */
  canGrow(pages: Pages): boolean {
    return this.writable && this.identity.stat(this.descriptor(pages)).isFile();
  }

  /** Calls `act` with `lost` if the file has been replaced or removed. */
  withFile<T>(pages: Pages, act: (file: FileBehind) => T): T {
    const descriptor = this.descriptor(pages);
    let fd = descriptor;
    try {
      if (fd < 0 && this.#regular) fd = this.identity.openAgain('r');
    } catch {
      return act({ fd: -1, offset: 0, lost: true });
    }
    try {
      const offset = this.#start(pages);
      return act(this.filesystem === 'hugetlbfs' ? { fd, offset, hugeSize: fstat(fd).blksize } : { fd, offset });
    } finally {
      if (fd !== descriptor) closeSync(fd);
    }
  }

  backed(pages: Pages): number {
    const fd = pages.descriptor;
    const size = fd >= 0 ? this.identity.size(fd) : (this.identity.sizeOf(pages.address) ?? Infinity);
    return Math.max(0, Math.min(pages.length, size - this.source.offset));
  }

  /** Undefined if the bytes are not those of the file, or no path leads to it. */
  lease(pages: Pages): Lease | undefined {
    const { copies, offset, path } = this.source;
    if (copies || !this.#regular) return undefined;
    if (pages.descriptor >= 0 && this.#layered === undefined) return leaseOfDescriptor(pages, offset);
    try {
      // On overlayfs the descriptor may be of the layer below.
      const way = this.#layered === undefined ? undefined : this.identity.reach(pages.descriptor, pages.address);
      return new FileLease(this.identity.openAgain('r', way), closeSync, offset, shownPath(path));
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
    const { path, flags, copies } = this.source;
    this.identity.open(pages.descriptor, this.writable ? 'r+' : 'r', (fd) => {
      check(binding.restore(handle, fd, this.#start(pages), prot, flags & ~MAP.POPULATE, copies), 'mmap', { path });
    });
    // The descriptor may be of an older layer than the path.
    this.#layered?.forget();
    try {
      this.renew(pages, prot);
    } catch (error) {
      // Other accesses have faulted meanwhile: check() continues to throw, and the next repair tries again.
      if (pages.fixedUp === -1) throw error;
    }
  }

  /** How often the pages were mapped anew because the file may have been in another layer. */
  get renewals(): number {
    return this.#layered?.renewals ?? 0;
  }

  renew(pages: Pages, prot: number): void {
    const handle = pages.pinnedHandle();
    if (this.#layered === undefined || handle === 0) return;
    const { flags, copies } = this.source;
    this.#layered.renew(pages.descriptor, pages.address, (fd) =>
      binding.renew(handle, fd, this.#start(pages), prot, flags & ~MAP.POPULATE, copies),
    );
  }

  /** Where the first page lies: bytes into the file. */
  #start(pages: Pages): number {
    return this.source.offset - pages.byteOffset;
  }
}
