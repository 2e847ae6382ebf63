// Growth of the index: a full segment is replaced by two, or by one without the slots of deleted keys.
// The new segments are complete before the directory points to them. The directory is changed entry by
// entry; the header records the change, so that the next writer can complete it after a crash.
import { StateError } from '../../errors.js';
import type { Blocks } from '../file/blocks.js';
import { type HashIndex, homeOf, segments } from './hash-index.js';
import type { Header } from '../file/header.js';
import type { Key } from '../log/key.js';
import { BLOCK, BLOCK_WORDS, EMPTY, FULL, TOMBSTONE, MOST_DEPTH, SLOTS, TAG } from '../file/layout.js';
import type { MappedFile } from '../file/mapped-file.js';

/** Bytes of an entry of the directory. */
const ENTRY = 8;

const directoryBlocks = (depth: number): number => Math.ceil((2 ** depth * ENTRY) / BLOCK);

interface IndexSegment {
  readonly words: Int32Array;
  readonly at: number;
}

function empty(windows: MappedFile, block: number): IndexSegment {
  const segment = windows.block(block);
  segment.words.fill(0, segment.at, segment.at + BLOCK_WORDS);
  return segment;
}

/** Puts a slot into a segment that readers do not use yet. */
function insert({ words, at: base }: IndexSegment, mark: number, low: number): void {
  let slot = homeOf(mark & TAG);
  while (words[base + 2 * slot + 1] !== EMPTY) slot = (slot + 1) & (SLOTS - 1);
  words[base + 2 * slot] = mark;
  words[base + 2 * slot + 1] = low;
}

/** How many slots of a segment point to records. */
export function liveSlots(windows: MappedFile, block: number): number {
  const { words, at: base } = windows.block(block);
  let live = 0;
  for (let at = base + 1; at < base + BLOCK_WORDS; at += 2) {
    // 1 unless EMPTY or TOMBSTONE, without an unpredictable branch.
    const rest = (words[at] as number) >>> 1;
    live += (rest | -rest) >>> 31;
  }
  return live;
}

export class IndexGrowth {
  readonly #index: HashIndex;
  readonly #windows: MappedFile;
  readonly #header: Header;
  readonly #blocks: Blocks;

  constructor(index: HashIndex, blocks: Blocks) {
    this.#index = index;
    this.#windows = index.windows;
    this.#header = index.header;
    this.#blocks = blocks;
  }

  /** Makes an empty index in new blocks. Does not free the previous ones. */
  static make(windows: MappedFile, header: Header, blocks: Blocks): void {
    const directory = blocks.take(directoryBlocks(0));
    const segment = blocks.take(1);
    empty(windows, segment);
    const { words, at: base } = empty(windows, directory);
    words[base] = segment;
    header.setSplit(false);
    header.setDirectory(directory, 0);
    header.advance();
  }

  /** The blocks of the index. */
  *blocks(): Generator<{ block: number; blocks: number }> {
    const { block, depth } = this.#header.directory;
    yield { block, blocks: directoryBlocks(depth) };
    for (const segment of segments(this.#index)) yield { block: segment.block, blocks: 1 };
  }

  /**
   * Makes room for a key that find() has just not found. If the segment had to be replaced, it calls
   * find() again.
   *
   * @throws {SystemError} ENOSPC, and nothing has changed
   */
  reserve(key: Key): void {
    if (this.#hasRoom(key.hash, 1)) return;
    do this.#replace(key.hash, 1);
    while (!this.#hasRoom(key.hash, 1));
    this.#index.find(key);
  }

  /** Makes room for new keys, by their hashes. @throws {SystemError} ENOSPC */
  reserveAll(hashes: readonly number[]): void {
    // Replacing a full segment changes how many keys belong to each segment.
    for (let grown = true; grown; ) {
      grown = false;
      const wanted = new Map<number, { hash: number; count: number }>();
      for (const hash of hashes) {
        const entry = this.#index.entryOf(hash);
        const segment = wanted.get(entry) ?? { hash, count: 0 };
        segment.count += 1;
        wanted.set(entry, segment);
      }
      for (const { hash, count } of wanted.values()) {
        if (this.#hasRoom(hash, count)) continue;
        this.#replace(hash, count);
        grown = true;
      }
    }
  }

  #hasRoom(hash: number, more: number): boolean {
    return this.#index.usedBy(hash) + more <= FULL;
  }

  /** Replaces the segment of a hash. There may still be no room for `more` keys. */
  #replace(hash: number, more: number): void {
    const index = this.#index;
    const depth = (index.directory[index.entryOf(hash) + 1] as number) >>> 16;
    const entry = hash & ((1 << depth) - 1);
    const block = index.directory[index.entryOf(hash)] as number;
    const live = liveSlots(this.#windows, block);
    // If many slots are of deleted keys, the new segment only leaves those out.
    const splits = live + more > FULL / 2;
    if (splits && depth === MOST_DEPTH) throw new StateError('ERR_MEMMAP_STORE_FULL', `Too many keys have the same ${MOST_DEPTH} bits of their hash: delete some, or use other keys`);
    if (splits && 1 << depth > index.mask) this.#doubleDirectory();
    const first = this.#blocks.take(1);
    let second = first;
    if (splits) {
      try {
        second = this.#blocks.take(1);
      } catch (error) {
        this.#blocks.give(first, 1);
        throw error;
      }
    }
    const inFirst = this.#fill(block, depth, first, second);
    this.#header.setSplit([depth, splits ? depth + 1 : depth, entry, first, second, splits ? inFirst : live, splits ? live - inFirst : live]);
    this.finish();
    this.#blocks.give(block, 1);
  }

  /** @returns how many slots went into the first */
  #fill(block: number, depth: number, first: number, second: number): number {
    const { words, at: base } = this.#windows.block(block);
    const one = empty(this.#windows, first);
    const other = first === second ? one : empty(this.#windows, second);
    let inFirst = 0;
    for (let at = base; at < base + BLOCK_WORDS; at += 2) {
      const mark = words[at] as number;
      const low = words[at + 1] as number;
      if (low === EMPTY || low === TOMBSTONE) continue;
      const bit = (mark >>> depth) & 1;
      insert(bit === 0 ? one : other, mark, low);
      inFirst += 1 - bit;
    }
    return inFirst;
  }

  /** Completes the replacement that the header records, if there is one. */
  finish(): void {
    const { split } = this.#header;
    if (split === undefined) return;
    const [before = 0, depth = 0, entry = 0, first = 0, second = 0, inFirst = 0, inSecond = 0] = split;
    const index = this.#index;
    for (let i = entry; i <= index.mask; i += 1 << before) {
      const isSecond = depth > before && ((i >>> before) & 1) === 1;
      const at = index.directoryAt + 2 * i;
      index.directory[at + 1] = (depth << 16) | (isSecond ? inSecond : inFirst);
      Atomics.store(index.directory, at, isSecond ? second : first);
    }
    this.#header.setSplit(false);
    this.#header.advance();
    index.begin();
  }

  #doubleDirectory(): void {
    const index = this.#index;
    const { block, depth } = this.#header.directory;
    const blocks = this.#blocks.take(directoryBlocks(depth + 1));
    const { words, at: base } = this.#windows.block(blocks);
    const half = 2 * (index.mask + 1);
    const former = index.directory.subarray(index.directoryAt, index.directoryAt + half);
    words.set(former, base);
    words.set(former, base + half);
    this.#header.setDirectory(blocks, depth + 1);
    this.#header.advance();
    index.begin();
    this.#blocks.give(block, directoryBlocks(depth));
  }
}
