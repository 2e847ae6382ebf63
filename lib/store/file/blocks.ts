// Blocks: which blocks of the file are free. Only the writer knows, which collects the used ones when
// it opens the store.
import { StateError } from '../../errors.js';
import type { StoreFile } from './store-file.js';
import { BLOCK, IN_WINDOW, MOST_BLOCKS, WINDOW_BLOCKS } from './layout.js';

interface Run {
  block: number;
  blocks: number;
}

export class Blocks {
  readonly #disk: StoreFile;
  /** Ascending; adjacent runs are merged. */
  #free: Run[] = [];
  /** How many blocks the file has. */
  #total: number;

  /** @param used runs that are in use, in any order */
  constructor(disk: StoreFile, used: readonly Run[]) {
    this.#disk = disk;
    this.#total = Math.ceil(disk.size() / BLOCK);
    let next = 0;
    for (const { block, blocks } of used.toSorted((a, b) => a.block - b.block)) {
      if (block > next) this.#free.push({ block: next, blocks: block - next });
      next = Math.max(next, block + blocks);
    }
    if (next < this.#total) this.#free.push({ block: next, blocks: this.#total - next });
    this.#total = Math.max(this.#total, next);
  }

  get total(): number {
    return this.#total;
  }
  get free(): readonly Readonly<Run>[] {
    return this.#free;
  }

  /**
   * Takes consecutive blocks, and allocates them on the disk. Their bytes can be anything.
   *
   * @param crossing whether they may reach into another window
   * @throws {SystemError} ENOSPC, and nothing has changed
   */
  take(blocks: number, crossing = false): number {
    const fits = (block: number): boolean => crossing || (block & IN_WINDOW) + blocks <= WINDOW_BLOCKS;
    for (const run of this.#free) {
      const block = fits(run.block) ? run.block : (run.block | IN_WINDOW) + 1;
      if (block - run.block + blocks > run.blocks) continue;
      this.#disk.allocate(block * BLOCK, blocks * BLOCK);
      this.#remove(run, block, blocks);
      return block;
    }
    return this.#extend(blocks, fits);
  }

  #extend(blocks: number, fits: (block: number) => boolean): number {
    // If the file ends in free blocks, they become the first of the new run.
    const last = this.#free.at(-1);
    const tail = last !== undefined && last.block + last.blocks === this.#total ? last.block : this.#total;
    const block = fits(tail) ? tail : Math.max(tail, (tail | IN_WINDOW) + 1);
    if (blocks > MOST_BLOCKS - block) throw new StateError('ERR_MEMMAP_STORE_FULL', `A store can have at most 1 TiB, and ${blocks * BLOCK} more bytes do not fit: compact() it`);
    this.#disk.allocate(block * BLOCK, blocks * BLOCK);
    const before = this.#total;
    this.#total = block + blocks;
    if (block < before && last !== undefined) last.blocks -= before - block;
    if (last?.blocks === 0) this.#free.pop();
    if (block > before) this.give(before, block - before);
    return block;
  }

  #remove(run: Run, block: number, blocks: number): void {
    const at = this.#free.indexOf(run);
    const parts = [
      { block: run.block, blocks: block - run.block },
      { block: block + blocks, blocks: run.block + run.blocks - block - blocks },
    ];
    this.#free.splice(at, 1, ...parts.filter((part) => part.blocks > 0));
  }

  /** Marks blocks as free. */
  give(block: number, blocks: number): void {
    let at = this.#free.findIndex((run) => run.block > block);
    if (at === -1) at = this.#free.length;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const joins = before !== undefined && before.block + before.blocks === block;
    const joined = after !== undefined && block + blocks === after.block;
    if (joins) before.blocks += blocks;
    else if (joined) Object.assign(after, { block, blocks: after.blocks + blocks });
    else this.#free.splice(at, 0, { block, blocks });
    if (joins && joined) {
      before.blocks += after.blocks;
      this.#free.splice(at, 1);
    }
  }
}
