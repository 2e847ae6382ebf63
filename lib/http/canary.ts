// Canary: tells whether a file has ever shrunk since it was mapped, even if it has its old length again.
import { binding } from '../internal/binding.js';
import type { FileMapping } from '../file/file-mapping.js';
import { mapFile } from '../file/map-file.js';

/** Bytes of the mark. */
const LENGTH = 16;

/**
 * A private copy of the last page of the file. When the kernel cuts off a page of a file, it drops the private copies
 * of it and of all pages after it before it clears any byte. While the mark is there, no byte before the page has been
 * anything other than a byte of the file.
 */
export class Canary {
  readonly #mapping: FileMapping;
  readonly #page: Uint32Array;
  readonly #mark: Uint32Array;
  /** Bytes of the file before the page. */
  readonly guarded: number;

  /** @param size - of the file, at least 16 bytes */
  constructor(fd: number, size: number) {
    this.guarded = Math.floor((size - LENGTH) / binding.pageSize) * binding.pageSize;
    this.#mapping = mapFile(fd, { access: 'copy-on-write', offset: this.guarded, length: LENGTH });
    this.#page = this.#mapping.view(Uint32Array);
    this.#mark = crypto.getRandomValues(new Uint32Array(this.#page.length));
    this.#page.set(this.#mark);
  }

  get lives(): boolean {
    const [page, mark] = [this.#page, this.#mark];
    return page[0] === mark[0] && page[1] === mark[1] && page[2] === mark[2] && page[3] === mark[3];
  }

  close(): void {
    this.#mapping.close();
  }
}
