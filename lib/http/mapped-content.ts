// MappedContent: the bytes of a mapping that no file has, or no path leads to, for one request.
import type { FileMapping } from '../file/file-mapping.js';
import type { Lease } from '../mem/lease/file-lease.js';
import { memoryOf } from '../mem/mapping.js';
import { leaseOf } from '../mem/stream.js';
import type { Content } from './content.js';

export class MappedContent implements Content {
  readonly path: string | Buffer;
  readonly size: number;
  readonly etag = undefined;
  readonly modified = undefined;
  readonly viewable = 0;
  readonly #lease: Lease;

  constructor(mapping: FileMapping) {
    this.path = mapping.path;
    this.size = mapping.length;
    this.#lease = leaseOf(memoryOf(mapping), { offset: 0, length: this.size });
  }

  read(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#lease.read(bytes, offset);
  }

  view(): Uint8Array {
    return new Uint8Array();
  }

  verify(): void {}

  release(): void {
    this.#lease.release();
  }
}
