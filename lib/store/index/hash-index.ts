// HashIndex: from the hash of a key to its record. A directory maps the low bits of the hash to
// segments of slots; within a segment linear probing finds the slot.
//
// Readers search while the writer writes. The low word of a slot is stored last and atomically, so
// the slot is empty or points to a complete record. A segment is replaced as a whole, by one or two
// new ones; the old one is reused only after the generation has grown, which makes readers search again.
import type { Header } from '../file/header.js';
import type { Key } from '../log/key.js';
import {
  BLOCK_SHIFT, EMPTY, TOMBSTONE, HIGH_SHIFT, IN_WINDOW, KEY_HASH, KEY_LENGTH, LOW_IN_WINDOW, LOW_WINDOW_SHIFT, RECORD_WORDS, TYPE_AND_LENGTH, SLOTS, TAG,
  WINDOW_SHIFT,
} from '../file/layout.js';
import { loadAcquire, storeRelease, fence } from '../file/memory-order.js';
import type { MappedFile } from '../file/mapped-file.js';

/** 2^32 divided by the golden ratio: spreads the tags of a segment over its slots. */
const GOLDEN = 0x9e37_79b1 | 0;

/** The first slot to try for a tag. */
export function homeOf(tag: number): number {
  return Math.imul(tag, GOLDEN) >>> 19;
}

export class HashIndex {
  readonly windows: MappedFile;
  readonly header: Header;
  /** The directory's words, where it begins, and its depth. Two words an entry: block, and depth and count. */
  directory: Int32Array;
  directoryAt = 0;
  mask = 0;
  #generation = -1;
  // The result of find(): the slot, and the record.
  slots: Int32Array;
  slot = 0;
  window = 0;
  at = 0;
  /** If the key was not found, the word of the slot where it would go, or -1; and whether that slot was in use before. */
  free = -1;
  freed = false;
  /** The place of a record with the same hash but another key, which may be damaged; or -1. */
  collisionWindow = -1;
  collisionAt = 0;

  constructor(windows: MappedFile, header: Header) {
    this.windows = windows;
    this.header = header;
    this.directory = header.words;
    this.slots = header.words;
  }

  /** Begins a search: its result is valid if {@link holds} afterwards. */
  begin(): number {
    const { generation } = this.header;
    if (generation !== this.#generation) this.refresh(generation);
    return generation;
  }

  /** Whether nothing that was read since {@link begin} can have been reused. */
  holds(generation: number): boolean {
    fence();
    return this.header.generation === generation;
  }

  /** Throws if the file was truncated, or truncated and grown again, so that the header is zeros. */
  verifyHeader(): void {
    if (this.windows.faulted) this.windows.check();
    this.header.verify();
  }

  refresh(generation: number): void {
    this.verifyHeader();
    const { block, depth } = this.header.directory;
    const window = block >>> WINDOW_SHIFT;
    this.windows.reach(window);
    this.directory = this.windows.words[window] ?? this.header.words;
    this.directoryAt = (block & IN_WINDOW) << BLOCK_SHIFT;
    this.mask = (1 << depth) - 1;
    this.#generation = generation;
  }

  /** Searches for a key. Fills {@link slot}, {@link window} and {@link at}; or {@link free} if it is not found. */
  find(key: Key): boolean {
    const { hash } = key;
    const block = this.directory[this.directoryAt + ((hash & this.mask) << 1)] as number;
    const window = block >>> WINDOW_SHIFT;
    let slots = this.windows.words[window];
    if (slots === undefined) {
      this.windows.reach(window);
      slots = this.windows.words[window] ?? this.header.words;
    }
    const base = (block & IN_WINDOW) << BLOCK_SHIFT;
    this.free = -1;
    this.collisionWindow = -1;
    // Block 0 is the header, so the directory has been overwritten with zeros.
    if (block === 0 || !this.windows.hasBlock(block)) {
      this.collisionWindow = window;
      this.collisionAt = base;
      return false;
    }
    this.slots = slots;
    const tag = hash & TAG;
    let slot = homeOf(tag);
    this.freed = false;
    for (let tried = 0; tried < SLOTS; tried++) {
      const at = base + (slot << 1);
      const low = loadAcquire(slots, at + 1);
      if (low === EMPTY) {
        if (this.free === -1) this.free = at;
        return false;
      }
      if (low === TOMBSTONE) {
        if (this.free === -1) {
          this.free = at;
          this.freed = true;
        }
      } else {
        const mark = slots[at] as number;
        if ((mark & TAG) === tag && this.#leadsTo(key, mark, low)) {
          this.slot = at;
          return true;
        }
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
    return false;
  }

  #leadsTo(key: Key, mark: number, low: number): boolean {
    const window = ((mark >>> HIGH_SHIFT) << 5) | (low >>> LOW_WINDOW_SHIFT);
    let words = this.windows.words[window];
    if (words === undefined) {
      this.windows.reach(window);
      words = this.windows.words[window];
    }
    const at = (low & LOW_IN_WINDOW) << 1;
    if (words === undefined || !this.windows.holds(window, at)) {
      this.collisionWindow = window;
      this.collisionAt = at;
      return false;
    }
    const { length } = key;
    let same = ((words[at + TYPE_AND_LENGTH] as number) & KEY_LENGTH) === length && words[at + KEY_HASH] === key.hash;
    const whole = (length + 3) >> 2;
    const wanted = key.words;
    for (let i = 0; same && i < whole; i++) same = words[at + RECORD_WORDS + i] === wanted[i];
    if (same) {
      this.window = window;
      this.at = at;
    } else {
      this.collisionWindow = window;
      this.collisionAt = at;
    }
    return same;
  }

  /** The word of the directory whose entry counts the slots of the segment of a hash. */
  entryOf(hash: number): number {
    const at = this.directoryAt + ((hash & this.mask) << 1);
    const depth = (this.directory[at + 1] as number) >>> 16;
    return this.directoryAt + ((hash & ((1 << depth) - 1)) << 1);
  }

  /** How many slots of the segment of a hash are in use. */
  usedBy(hash: number): number {
    return (this.directory[this.entryOf(hash) + 1] as number) & 0xffff;
  }

  // Only the writer calls the following.

  /** Adds a slot for a key that find() has just not found. */
  add(hash: number, window: number, at: number): void {
    const { slots, free } = this;
    slots[free] = (hash & TAG) | ((window >>> 5) << HIGH_SHIFT);
    storeRelease(slots, free + 1, (window << LOW_WINDOW_SHIFT) | (at >> 1));
    if (!this.freed) this.directory[this.entryOf(hash) + 1] = (this.directory[this.entryOf(hash) + 1] as number) + 1;
  }

  /** Whether the key that find() has just found needs another slot to point to a record in a window. */
  isFarFrom(window: number): boolean {
    return (this.slots[this.slot] as number) >>> HIGH_SHIFT !== window >>> 5;
  }

  /** Makes the slot of a key that find() has just found point to another record. */
  move(key: Key, window: number, at: number): void {
    const { slots, slot } = this;
    if (!this.isFarFrom(window)) {
      storeRelease(slots, slot + 1, (window << LOW_WINDOW_SHIFT) | (at >> 1));
      return;
    }
    // Both words change, so use another slot: at any time one of the two points to a record. A reader that
    // has passed the new one and finds the old one gone searches again.
    this.#findFree(key.hash);
    this.add(key.hash, window, at);
    this.header.advance();
    storeRelease(slots, slot + 1, TOMBSTONE);
  }

  /** Finds a free slot. There always is one: a segment is replaced before all slots are in use. */
  #findFree(hash: number): void {
    const block = this.directory[this.directoryAt + ((hash & this.mask) << 1)] as number;
    const base = (block & IN_WINDOW) << BLOCK_SHIFT;
    for (let slot = homeOf(hash & TAG); ; slot = (slot + 1) & (SLOTS - 1)) {
      const at = base + (slot << 1);
      const low = this.slots[at + 1];
      if (low !== EMPTY && low !== TOMBSTONE) continue;
      this.free = at;
      this.freed = low === TOMBSTONE;
      return;
    }
  }

  /** Removes the key that find() has just found. */
  remove(): void {
    storeRelease(this.slots, this.slot + 1, TOMBSTONE);
  }

  /** Removes other slots of a key that find() has just found: left by a writer that died between two stores. */
  removeOthers(key: Key): void {
    const { slots, slot: kept } = this;
    const base = kept & ~((1 << BLOCK_SHIFT) - 1);
    const tag = key.hash & TAG;
    for (let i = 0; i < SLOTS; i++) {
      const at = base + (i << 1);
      const low = slots[at + 1] as number;
      if (at === kept || low === EMPTY || low === TOMBSTONE || ((slots[at] as number) & TAG) !== tag) continue;
      if (this.#leadsTo(key, slots[at] as number, low)) storeRelease(slots, at + 1, TOMBSTONE);
    }
  }
}

/** Each segment of the index once, with its entry, depth and block. */
export function* segments(index: HashIndex): Generator<{ entry: number; depth: number; block: number }> {
  for (let entry = 0; entry <= index.mask; entry++) {
    const at = index.directoryAt + 2 * entry;
    const depth = (index.directory[at + 1] as number) >>> 16;
    if (entry < 1 << depth) yield { entry, depth, block: index.directory[at] as number };
  }
}
