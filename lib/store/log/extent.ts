// The header of an extent: its place, the salt of its records, and the end of the previous extent.
import { randomInt } from 'node:crypto';
import type { Blocks } from '../file/blocks.js';
import { xxh32 } from '../file/checksum.js';
import type { Extent, Header } from '../file/header.js';
import {
  EXTENT_BEFORE, EXTENT_BEFORE_END, EXTENT_BLOCKS, EXTENT_COPY, EXTENT_MAGIC, EXTENT_SALT, EXTENT_SEQUENCE, EXTENT_SUM, EXTENT_UNITS,
  EXTENT_USED, EXTENT_WORDS, RECORD_WORDS,
} from '../file/layout.js';
import type { MappedFile } from '../file/mapped-file.js';

/**
 * Begins an extent.
 *
 * @param before the number of the previous extent of the log, which ended at the unit `end`
 * @throws {SystemError} ENOSPC, and nothing has changed
 */
export function startExtent(
  { windows, header, blocks: free }: { windows: MappedFile; header: Header; blocks: Blocks },
  blocks: number,
  crossing: boolean,
  before: number,
  end: number,
): Extent {
  header.reserve();
  const block = free.take(blocks, crossing);
  const extent: Extent = { block, blocks, sequence: header.sequence + 1, salt: randomInt(1, 2 ** 32) | 0 };
  const { words, at } = windows.block(block);
  words.fill(0, at, at + EXTENT_WORDS + RECORD_WORDS);
  words[at] = EXTENT_MAGIC;
  words[at + EXTENT_BLOCKS] = blocks;
  words[at + EXTENT_SEQUENCE] = extent.sequence;
  words[at + EXTENT_SALT] = extent.salt;
  words[at + EXTENT_BEFORE] = before;
  words[at + EXTENT_BEFORE_END] = end | 0;
  words[at + EXTENT_BEFORE_END + 1] = Math.floor(end / 2 ** 32);
  words[at + EXTENT_SUM] = extentSum(words, at, block, header.seed);
  words.copyWithin(at + EXTENT_COPY, at, at + EXTENT_USED);
  words[at + EXTENT_USED] = EXTENT_UNITS;
  header.sequence = extent.sequence;
  header.enter(extent);
  return extent;
}

/** The checksum of an extent's header. It depends on the block, so that a copy elsewhere is not valid. */
export function extentSum(words: Int32Array, at: number, block: number, seed: number): number {
  return xxh32(words, at, 4 * EXTENT_SUM, seed ^ block);
}
