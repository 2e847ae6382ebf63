// All keys, while the index changes: segment after segment in the order of reversed hashes, which
// replacing a segment by two leaves as it is. The keys of a segment are taken at once.
import type { HashIndex } from './index/hash-index.js';
import type { StoreKey } from './log/key.js';
import {
  BLOCK_SHIFT, BLOCK_WORDS, EMPTY, GONE, HIGH_SHIFT, IN_WINDOW, KEY_LENGTH, LOW_IN_WINDOW, LOW_WINDOW_SHIFT, MOST_KEY, RECORD_WORDS, SHAPE,
  TEXT, WINDOW_SHIFT,
} from './file/layout.js';
import type { StoreParts } from './parts.js';

/** The bits of a word in the other order. */
function reversed(word: number): number {
  let result = 0;
  for (let i = 0; i < 32; i++) result = (result << 1) | ((word >>> i) & 1);
  return result;
}

/** Calls `act` with each slot of a segment that leads to a record: the record's window and word there. */
export function eachSlot(index: HashIndex, block: number, act: (window: number, at: number, mark: number) => void): void {
  if (block === 0) index.verifyHeader();
  const window = block >>> WINDOW_SHIFT;
  index.windows.reach(window);
  const slots = index.windows.words[window];
  if (slots === undefined || !index.windows.hasBlock(block)) return;
  const base = (block & IN_WINDOW) << BLOCK_SHIFT;
  for (let slot = base; slot < base + BLOCK_WORDS; slot += 2) {
    const low = Atomics.load(slots, slot + 1);
    if (low === EMPTY || low === GONE) continue;
    const mark = slots[slot] as number;
    const of = ((mark >>> HIGH_SHIFT) << 5) | (low >>> LOW_WINDOW_SHIFT);
    act(of, (low & LOW_IN_WINDOW) << 1, mark);
  }
}

function keysOf(index: HashIndex, block: number): StoreKey[] {
  const keys: StoreKey[] = [];
  eachSlot(index, block, (window, at) => {
    index.windows.reach(window);
    const words = index.windows.words[window];
    // No record, though there was one a moment ago: the generation has grown.
    if (words === undefined || !index.windows.holds(window, at)) return;
    const shape = words[at + SHAPE] as number;
    const length = shape & KEY_LENGTH;
    if (length > MOST_KEY) return;
    const from = (at + RECORD_WORDS) * 4;
    const bytes = Buffer.from((index.windows.bytes[window] as Uint8Array).subarray(from, from + length));
    keys.push((shape & TEXT) !== 0 ? bytes.toString() : bytes);
  });
  return keys;
}

/** A segment that {@link covering} has come to. */
export interface Covered {
  readonly entry: number;
  readonly depth: number;
  readonly block: number;
  readonly generation: number;
  /** To be set if it could not be looked at: it comes again. */
  again: boolean;
}

/**
 * Each segment once, while segments are replaced by others in between: what is covered of the hashes
 * stays covered. The index is as it is now each time.
 */
export function* covering(index: HashIndex): Generator<Covered> {
  for (let covered = 0; covered < 2 ** 32; ) {
    const generation = index.begin();
    const hash = reversed(covered | 0);
    const at = index.directoryAt + ((hash & index.mask) << 1);
    // At most the directory's: one that broke must not keep it from ending.
    const depth = Math.min((index.directory[at + 1] as number) >>> 16, 32 - Math.clz32(index.mask));
    const entry = hash & ((1 << depth) - 1);
    const segment: Covered = { entry, depth, block: index.directory[at] as number, generation, again: false };
    yield segment;
    if (!segment.again) covered += 2 ** (32 - depth);
  }
}

export function* entries(index: HashIndex, { windows }: StoreParts, open: () => void): Generator<StoreKey> {
  open();
  for (const segment of covering(index)) {
    const keys = keysOf(index, segment.block);
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
