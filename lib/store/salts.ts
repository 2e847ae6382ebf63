// Salts: the salt of the extent that a record lies in, which its sum depends on.
import type { Header } from './header.js';
import { BLOCK_SHIFT, WINDOW_SHIFT } from './layout.js';

export class Salts {
  readonly #header: Header;
  /** By block; 0: not known. */
  #table: Int32Array = new Int32Array(1024);

  constructor(header: Header) {
    this.#header = header;
  }

  /** Of what begins at a word of a window. 0 if no extent is there. */
  of(window: number, at: number): number {
    const block = (window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT);
    const table = this.#table;
    const salt = block < table.length ? (table[block] as number) : 0;
    if (salt !== 0) return salt;
    this.refresh();
    return this.#table[block] ?? 0;
  }

  /** Reads the catalog again: blocks get another use. */
  refresh(): void {
    const extents = this.#header.extents();
    const end = extents.reduce((most, { block, blocks }) => Math.max(most, block + blocks), 0);
    if (end > this.#table.length) this.#table = new Int32Array(2 * end);
    else this.#table.fill(0);
    for (const { block, blocks, salt } of extents) this.#table.fill(salt, block, block + blocks);
  }
}
