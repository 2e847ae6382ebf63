// ExtentTable: the salt, the end and the number of the extent in which a record lies. The record's checksum
// depends on the salt.
import type { Header } from '../file/header.js';
import { BLOCK, BLOCK_SHIFT, WINDOW_SHIFT } from '../file/layout.js';
import { byteOf } from './record.js';

export class ExtentTable {
  readonly #header: Header;
  /** Salts by block; 0: not known. */
  #table: Int32Array = new Int32Array(1024);
  /** By block: the block after the last of the extent. */
  #ends: Int32Array = new Int32Array(1024);
  /** By block: the number of the extent. */
  #numbers: Int32Array = new Int32Array(1024);

  constructor(header: Header) {
    this.#header = header;
  }

  /** The salt at a word of a window. 0 if no extent is there. */
  of(window: number, at: number): number {
    const block = (window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT);
    const table = this.#table;
    const salt = block < table.length ? (table[block] as number) : 0;
    if (salt !== 0) return salt;
    this.refresh();
    return this.#table[block] ?? 0;
  }

  /** Bytes from a word of a window to the end of its extent; 0 if no extent is there. */
  room(window: number, at: number): number {
    if (this.of(window, at) === 0) return 0;
    const block = (window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT);
    return (this.#ends[block] as number) * BLOCK - byteOf(window, at);
  }

  /** The number of the extent at a word of a window; 0 if no extent is there. */
  numberAt(window: number, at: number): number {
    return this.of(window, at) === 0 ? 0 : (this.#numbers[(window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT)] as number);
  }

  /** Reads the catalog again, because blocks are reused. */
  refresh(): void {
    const extents = this.#header.extents();
    const end = extents.reduce((most, { block, blocks }) => Math.max(most, block + blocks), 0);
    if (end > this.#table.length) {
      this.#table = new Int32Array(2 * end);
      this.#ends = new Int32Array(2 * end);
      this.#numbers = new Int32Array(2 * end);
    } else {
      this.#table.fill(0);
    }
    for (const { block, blocks, salt, sequence } of extents) {
      this.#table.fill(salt, block, block + blocks);
      this.#ends.fill(block + blocks, block, block + blocks);
      this.#numbers.fill(sequence, block, block + blocks);
    }
  }
}
