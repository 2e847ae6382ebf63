// PagesLeases: the pages of a mapping, which outlive it while a stream needs them.
import { type Handle, binding } from '../../internal/binding.js';
import type { Lease } from './file-lease.js';

const { MREMAP } = binding;

/** The leases of the pages of one mapping. */
export class PagesLeases {
  readonly held: Set<Lease> = new Set();
  readonly #outlive: boolean;
  /** Where the pages are after close(). 0: still in the mapping, or gone with it. */
  moved: Handle = 0;
  /** Bytes from the first page to the first byte of the mapping. */
  byteOffset = 0;

  /** @param outlive - whether the pages move elsewhere when the mapping closes */
  constructor(outlive: boolean) {
    this.#outlive = outlive;
  }

  delete(lease: Lease): void {
    this.held.delete(lease);
    if (this.held.size > 0 || this.moved === 0) return;
    binding.release(this.moved);
    this.moved = 0;
  }

  /** Takes the pages of a mapping that is about to close. Where the kernel cannot move them, the streams end with an error. */
  takeOver(handle: Handle, byteOffset: number): void {
    if (!this.#outlive || this.held.size === 0) return;
    const length = binding.mappedLength(handle);
    const space = binding.reserve(length);
    if (space < 0) return;
    // The range lives as long as the pages in it.
    this.moved = Math.max(0, binding.mremap(handle, 0, length, length, MREMAP.MAYMOVE | MREMAP.FIXED, binding.address(space)));
    this.byteOffset = byteOffset;
    binding.release(space);
  }
}
