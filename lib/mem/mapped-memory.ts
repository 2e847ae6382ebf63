// MappedMemory: the internal part of a Mapping, which its users do not see.
import { fstat } from '../internal/descriptors/calls.js';
import { type FaultErrorKind } from '../errors.js';
import { type Handle, binding } from '../internal/binding.js';
import { BUFFER_LIMIT } from '../internal/buffer.js';
import type { Protection } from '../internal/enums.js';
import type { Span } from '../internal/range.js';
import { check } from '../internal/syscall.js';
import { type Fault, type Faults, addFaults } from './faults.js';
import { FileLease, type Lease } from './lease/file-lease.js';
import { maps } from './maps/maps.js';
import { Pages, type PagesOptions } from './pages.js';
import { type Access, Protections } from './protections.js';
import type { FileBehind } from './residency.js';

const { MAP } = binding;

/** What is behind the pages of a mapping: a file, or none. */
export interface Backing {
  /** Memory that no system call can copy: memfd_secret(2). */
  readonly secret?: boolean;
  /** Throws if the memory may not have this access, though the kernel would give it. */
  permit?(access: Protection): void;
  /** Maps the right pages again where the guard has replaced them. */
  restore(pages: Pages, handle: Handle, prot: number): void;
  /** Maps the file anew if the mapping may show an older one. */
  renew?(pages: Pages, prot: number): void;
  /** How many bytes of the mapping have memory or a file behind them now. If absent: all. */
  backed?(pages: Pages): number;
  /** Why a checked copy failed in memory that exists and may be accessed. If absent: the kernel is asked. */
  unreachable?(writes: boolean): FaultErrorKind;
  /** Runs `act` with the file behind the pages. If absent: with the descriptor. */
  withFile?<T>(pages: Pages, act: (file: FileBehind) => T): T;
  /** A lease that needs no page of the mapping. If absent or undefined: a lease of the pages. */
  lease?(pages: Pages): Lease | undefined;
  /** How many bytes of the mapping have a file behind them now, by the address of its pages. If absent: leases of the pages end with it. */
  left?(address: bigint): number;
  /** Mappings of parts, if the whole is too long for one buffer. */
  parts?(): readonly MappedMemory[];
  /** As {@link MappedMemory.locate}, if the whole is too long for one buffer. If absent: there are no buffers of parts. */
  locate?(offset: number, length: number): Place;
}

/** The buffer that holds a part of a mapping, and where in it the part starts, in bytes. */
export interface Place {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly byteOffset: number;
}

/** A lease of the descriptor that the mapping keeps, if it does, and has the bytes from `start` on. */
export function leaseOfDescriptor(pages: Pages, start = 0): Lease | undefined {
  const { descriptor } = pages;
  const fd = descriptor < 0 ? -1 : binding.dupFd(descriptor);
  return fd < 0 ? undefined : new FileLease(fd, (own) => binding.closeFd(own), start, pages.path);
}

/** Memory without a file, or whose only file is a memfd. */
export const ANONYMOUS: Backing = {
  backed(pages) {
    const fd = pages.descriptor;
    return fd < 0 ? pages.length : Math.min(pages.length, fstat(fd).size);
  },
  lease: leaseOfDescriptor,
  restore(pages, handle, prot) {
    check(binding.restore(handle, pages.descriptor, 0, prot, MAP.SHARED, false), 'mmap');
  },
};

const NONE = addFaults([]);

export class MappedMemory {
  readonly pages: Pages;
  readonly protections: Protections;
  readonly backing: Backing;
  /** The parts that were closed last: views of them may still exist. */
  #formerParts: readonly MappedMemory[] = [];
  /** The counts of parts closed before those. */
  #earlier = NONE;

  constructor(pages: PagesOptions, access: Access, backing: Backing) {
    this.pages = new Pages(pages);
    this.protections = new Protections(this.pages, access);
    this.backing = backing;
  }

  get #parts(): readonly MappedMemory[] {
    return this.backing.parts?.() ?? [];
  }

  get faults(): Faults {
    const parts = [...this.#parts, ...this.#formerParts].map((part) => part.faults);
    return addFaults([this.pages.log.faults, this.#earlier, ...parts]);
  }

  on(listener: (fault: Fault) => void): void {
    const { log } = this.pages;
    log.on(listener);
    for (const part of this.#parts) part.pages.log.tellThroughThatOf(log);
  }

  off(listener: (fault: Fault) => void): void {
    this.pages.log.off(listener);
  }

  /** Protects a part that has just been mapped as the whole is, and has it report to the same listeners. */
  adopt(part: MappedMemory): void {
    for (const { access, span } of this.protections.asSet()) this.#protectIn(part, access, span);
    part.pages.log.tellThroughThatOf(this.pages.log);
  }

  /** Called before the parts are closed, to keep their counts. */
  dismiss(parts: readonly MappedMemory[]): void {
    this.#earlier = addFaults([this.#earlier, ...this.#formerParts.map((part) => part.faults)]);
    this.#formerParts = parts;
  }

  #protectIn(part: MappedMemory, access: Protection, { offset, length }: Span): void {
    const from = part.pages.within - this.pages.within;
    const start = Math.max(0, offset - from);
    const end = Math.min(offset + length - from, part.pages.extent);
    if (start < end) part.protect(access, { offset: start, length: end - start });
  }

  check(): void {
    this.pages.open();
    this.pages.refuseDetached();
    this.pages.log.check();
    for (const part of this.#parts) part.check();
  }

  /** `span`: whole pages. */
  protect(access: Protection, span: Span): void {
    this.pages.pinnedHandle();
    if (span.length === 0) return;
    this.backing.permit?.(access);
    this.repair();
    this.protections.set(access, span);
    for (const part of this.#parts) this.#protectIn(part, access, span);
  }

  /** Puts pages that the guard has replaced back in place. */
  repair(): void {
    for (const part of this.#parts) part.repair();
    const { pages } = this;
    if (pages.fixedUp === -1) return;
    const { prot } = this.protections;
    const handle = pages.pinnedHandle();
    // Faults of other threads from here on may come after the repair: they are not forgiven.
    const counts = pages.log.counted();
    // First without the file: pages that were replaced because of stray writes. Then those that need the file.
    check(binding.restore(handle, -1, 0, prot, 0, false), 'mprotect');
    if (pages.fixedUp !== -1) this.backing.restore(pages, handle, prot);
    // If some pages remain lost, check() continues to throw.
    if (pages.fixedUp === -1) pages.log.forgive(counts);
  }

  /** Maps a file anew that may be in another layer now. */
  renew(): void {
    for (const part of this.#parts) part.renew();
    this.backing.renew?.(this.pages, this.protections.prot);
  }

  /** As {@link Pages.resize}. */
  resize(length: number, resized: () => Handle): void {
    const before = this.pages.extent;
    this.pages.resize(length, resized);
    this.protections.follow(before);
  }

  /** Where to find the bytes of a part, in place. */
  locate(offset: number, length: number): Place {
    const { pages, backing } = this;
    if (pages.extent > BUFFER_LIMIT && backing.locate !== undefined) return backing.locate(offset, length);
    return { buffer: pages.buffer, byteOffset: pages.byteOffset + offset };
  }

  backed(): number {
    return this.backing.backed?.(this.pages) ?? this.pages.length;
  }

  unreachable(writes: boolean, offset: number): FaultErrorKind {
    const { pages, backing } = this;
    if (backing.unreachable !== undefined) return backing.unreachable(writes);
    const [entry] = maps({ at: pages.address + BigInt(offset) }).mappings;
    if (entry === undefined || !(writes ? entry.writable : entry.readable)) return 'no-access';
    return pages.pageSize === binding.pageSize ? 'memory-failure' : 'no-space';
  }

  withFile<T>(act: (file: FileBehind) => T): T {
    const { pages, backing } = this;
    return backing.withFile === undefined ? act({ fd: pages.descriptor, offset: 0 }) : backing.withFile(pages, act);
  }
}
