// Iterates over all keys while the index changes: segment by segment in the order of reversed hashes,
// which does not change when a segment is replaced by two. The keys of a segment are read at once.
import type { HashIndex } from './index/hash-index.js';
import type { StoreKey } from './log/key.js';
import { byteOf } from './log/record.js';
import { xxh32 } from './file/checksum.js';
import {
  BLOCK_SHIFT, BLOCK_WORDS, EMPTY, TOMBSTONE, HIGH_SHIFT, IN_WINDOW, KEY_HASH, KEY_LENGTH, LOW_IN_WINDOW, LOW_WINDOW_SHIFT, MOST_KEY, RECORD_WORDS, TAG,
  TYPE_AND_LENGTH, TEXT, WINDOW_SHIFT,
} from './file/layout.js';
import type { StoreParts } from './parts.js';

/** The bits of a word in reverse order. */
function reversed(word: number): number {
  let result = 0;
  for (let i = 0; i < 32; i++) result = (result << 1) | ((word >>> i) & 1);
  return result;
}

/** Calls `act` for each slot of a segment that points to a record, with the record's window and word. */
export function eachSlot(index: HashIndex, block: number, act: (window: number, at: number, mark: number) => void): void {
  if (block === 0) index.verifyHeader();
  const window = block >>> WINDOW_SHIFT;
  index.windows.reach(window);
  const slots = index.windows.words[window];
  if (slots === undefined || !index.windows.hasBlock(block)) return;
  const base = (block & IN_WINDOW) << BLOCK_SHIFT;
  for (let slot = base; slot < base + BLOCK_WORDS; slot += 2) {
    const low = Atomics.load(slots, slot + 1);
    if (low === EMPTY || low === TOMBSTONE) continue;
    const mark = slots[slot] as number;
    const of = ((mark >>> HIGH_SHIFT) << 5) | (low >>> LOW_WINDOW_SHIFT);
    act(of, (low & LOW_IN_WINDOW) << 1, mark);
  }
}

/** Whether a slot with this mark, of this segment, is one for the hash of a key. */
export function isSlotOf(hash: number, mark: number, { entry, depth }: ScannedSegment): boolean {
  return (hash & TAG) === (mark & TAG) && (hash & ((1 << depth) - 1)) === entry;
}

/** Whether the key of a record is the one its slot was made for. */
function isKeyOf(words: Int32Array, at: number, length: number, mark: number, segment: ScannedSegment, seed: number): boolean {
  const hash = words[at + KEY_HASH] as number;
  return isSlotOf(hash, mark, segment) && xxh32(words, at + RECORD_WORDS, length, seed) === hash;
}

/** The keys of a segment, and the bytes where a record with a damaged one begins. */
function keysOf(index: HashIndex, segment: ScannedSegment, seed: number): (StoreKey | number)[] {
  const keys: (StoreKey | number)[] = [];
  eachSlot(index, segment.block, (window, at, mark) => {
    index.windows.reach(window);
    const words = index.windows.words[window];
    const held = words !== undefined && index.windows.holds(window, at);
    const typeAndLength = held ? (words[at + TYPE_AND_LENGTH] as number) : -1;
    const length = typeAndLength & KEY_LENGTH;
    if (!held || length > MOST_KEY || length > (words.length - at - RECORD_WORDS) * 4 || !isKeyOf(words, at, length, mark, segment, seed)) {
      keys.push(byteOf(window, at));
      return;
    }
    const from = (at + RECORD_WORDS) * 4;
    const bytes = Buffer.from((index.windows.bytes[window] as Uint8Array).subarray(from, from + length));
    keys.push((typeAndLength & TEXT) !== 0 ? bytes.toString() : bytes);
  });
  return keys;
}

/** A segment that {@link scanSegments} yields. */
export interface ScannedSegment {
  readonly entry: number;
  readonly depth: number;
  readonly block: number;
  readonly generation: number;
  /** The caller sets it if it could not read the segment, which is then yielded again. */
  again: boolean;
}

/**
 * Yields each segment once, even if segments are replaced meanwhile: hashes that were covered are not
 * covered again. The index is read at each step.
 */
export function* scanSegments(index: HashIndex): Generator<ScannedSegment> {
  for (let covered = 0; covered < 2 ** 32; ) {
    const generation = index.begin();
    const hash = reversed(covered | 0);
    const at = index.directoryAt + ((hash & index.mask) << 1);
    // At most the depth of the directory, so that a damaged one cannot make this endless.
    const depth = Math.min((index.directory[at + 1] as number) >>> 16, 32 - Math.clz32(index.mask));
    const entry = hash & ((1 << depth) - 1);
    const segment: ScannedSegment = { entry, depth, block: index.directory[at] as number, generation, again: false };
    yield segment;
    if (!segment.again) covered += 2 ** (32 - depth);
  }
}

/** Yields all keys, and in place of those that are damaged the bytes where their records begin. */
export function* scanKeys(index: HashIndex, { windows, header }: StoreParts, open: () => void): Generator<StoreKey | number> {
  open();
  for (const segment of scanSegments(index)) {
    const keys = keysOf(index, segment, header.seed);
    // What was there a moment ago may be something else by now: then the generation has grown.
    segment.again = !index.holds(segment.generation);
    if (segment.again) continue;
    if (windows.faulted) windows.check();
    for (const key of keys) {
      open();
      yield key;
    }
    open();
  }
}
