// Log: the records, one after the other in extents. Only the writer has one.
//
// A record is written past the end of the log, then the end is moved past it, and only then does
// the index point to it: readers find only complete records.
import { SystemError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { outOfRange } from '../../internal/validate.js';
import { Prefaulter } from '../file/prefault.js';
import type { Blocks } from '../file/blocks.js';
import { recordSum, xxh32Mapped } from '../file/checksum.js';
import type { StoreFile } from '../file/store-file.js';
import { startExtent } from './extent.js';
import type { Extent, Header } from '../file/header.js';
import type { Key } from './key.js';
import {
  BLOCK, BLOCK_SHIFT, BLOCK_WORDS, EXTENT_UNITS, EXTENT_USED, EXTENT_WORDS, GIANT, IN_WINDOW, KEY_HASH, LEAST_EXTENT, LONG,
  MOST_EXTENT, RECORD_WORDS, TYPE_AND_LENGTH, VALUE_LENGTH, WINDOW_SHIFT, padded, recordBytes,
} from '../file/layout.js';
import { storeRelease } from '../file/memory-order.js';
import { byteOf, lowOf, recordBytesAt, unitOf, valueAt } from './record.js';
import type { MappedFile } from '../file/mapped-file.js';

/** The length of a value, in bytes, up to which copying word by word is faster than a call. */
const SHORT = 24;
/** The most bytes of a batch, which lies in one extent of one window. */
const MOST_BATCH = 2 ** 29;

const NOTHING = new Uint8Array(0);

/** A position in the log: the number of an extent, and units from the start of the file. */
export interface LogPosition {
  readonly sequence: number;
  readonly unit: number;
}

/** Whether a position comes after another. */
export function isPast(place: LogPosition, sequence: number, unit: number): boolean {
  return place.sequence > sequence || (place.sequence === sequence && place.unit > unit);
}

export class Log {
  readonly #windows: MappedFile;
  readonly #disk: StoreFile;
  readonly #header: Header;
  readonly #blocks: Blocks;
  // The last extent: its window, its first word there, that of the next record, and its end.
  #extent: Extent;
  window = 0;
  words: Int32Array;
  #bytes: Uint8Array;
  #base = 0;
  /** Where the next record goes; past the window if the last record is a giant. */
  at = 0;
  #end = 0;
  /** The word up to which the log may be written without calling {@link Prefaulter}. */
  #ready = 0;
  readonly #ahead: Prefaulter;
  /** Where the present batch began; -1 if there is none. */
  #batch = -1;
  /** The last record written. */
  record = 0;
  /** Parts of the file that may not be durable: of earlier extents, and the word where they begin in this one. */
  #unsynced: { offset: number; length: number }[] = [];
  #syncedTo = 0;

  /** @param used units of the last extent, up to the end of the log */
  constructor(parts: { windows: MappedFile; disk: StoreFile; header: Header; blocks: Blocks }, last: Extent, used: number) {
    this.#windows = parts.windows;
    this.#disk = parts.disk;
    this.#header = parts.header;
    this.#blocks = parts.blocks;
    this.#ahead = new Prefaulter(parts.windows);
    this.#extent = last;
    this.words = new Int32Array(0);
    this.#bytes = NOTHING;
    this.#enter(last, used);
    this.#syncedTo = this.at;
  }

  #enter(extent: Extent, used: number): void {
    this.#extent = extent;
    this.window = extent.block >>> WINDOW_SHIFT;
    this.#windows.reach(this.window);
    this.words = this.#windows.words[this.window] as Int32Array;
    this.#bytes = this.#windows.bytes[this.window] as Uint8Array;
    this.#base = (extent.block & IN_WINDOW) << BLOCK_SHIFT;
    this.at = this.#base + 2 * used;
    // The extent of a giant may extend past the window: nothing else is written there.
    this.#end = Math.min(this.#base + extent.blocks * BLOCK_WORDS, this.words.length);
    this.#ready = this.at;
    this.#ahead.enter(this.at);
  }

  get extent(): Extent {
    return this.#extent;
  }
  /** Where the next record goes. */
  get place(): LogPosition {
    return { sequence: this.#extent.sequence, unit: unitOf(this.window, this.at) };
  }

  /** Makes room for a record. @throws {SystemError} ENOSPC, and nothing has changed */
  reserve(bytes: number): void {
    if (bytes > (this.#ready - this.at) * 4) this.#goOn(bytes);
  }

  #goOn(bytes: number): void {
    if (bytes > (this.#end - this.at) * 4) this.#roll(bytes);
    this.#ready = this.#ahead.reach(this.window, this.at + bytes / 4, this.#end);
  }

  #roll(bytes: number): void {
    const { window, at } = this;
    const batch = this.#batch === -1 ? 0 : (at - this.#batch) * 4;
    if (this.#batch !== -1 && batch + bytes > MOST_BATCH) {
      throw outOfRange('transaction', `at most ${MOST_BATCH} bytes`, batch + bytes);
    }
    // A batch must stay in one piece. It gets twice the room, so that it does not move at each record.
    const start = this.#batch === -1 ? at : this.#batch;
    this.#begin(Math.min(2 * batch, MOST_BATCH) + bytes, unitOf(window, start));
    if (this.#batch === -1) return;
    const from = this.#windows.words[window] as Int32Array;
    this.#batch = this.at;
    this.#moveBatch(from, start, at);
  }

  /** Begins a new extent with room for `bytes`. */
  #begin(bytes: number, end: number, giant = false): void {
    const wanted = Math.ceil((EXTENT_WORDS * 4 + bytes) / BLOCK);
    const usual = Math.min(MOST_EXTENT, Math.max(LEAST_EXTENT, this.#blocks.total >>> 5));
    const extent = this.#start(giant ? wanted : Math.max(wanted, usual), Math.max(wanted, LEAST_EXTENT), giant, end);
    if (this.at > this.#syncedTo) {
      const range = this.#range();
      this.#unsynced.push(range);
      this.#disk.startSync(range.offset, range.length);
    }
    this.#enter(extent, EXTENT_UNITS);
    this.#syncedTo = this.#base;
  }

  /** Starts an extent; a smaller one if the disk has no room for the usual one. */
  #start(blocks: number, least: number, giant: boolean, end: number): Extent {
    for (let tried = blocks; ; tried = Math.max(least, tried >>> 1)) {
      try {
        return startExtent(this.#parts, tried, giant, this.#extent.sequence, end);
      } catch (error) {
        if (tried <= least || !(error instanceof SystemError && error.code === 'ENOSPC')) throw error;
      }
    }
  }

  get #parts(): { windows: MappedFile; header: Header; blocks: Blocks } {
    return { windows: this.#windows, header: this.#header, blocks: this.#blocks };
  }

  #moveBatch(from: Int32Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const words = recordBytesAt(from, at) / 4;
      this.copy(from, at, words, from[at + TYPE_AND_LENGTH] as number);
      at += words;
    }
  }

  /** Copies a record from elsewhere in the log. There is room for it. */
  copy(from: Int32Array, start: number, length: number, typeAndLength: number): void {
    const { words, at } = this;
    words.set(from.subarray(start, start + length), at);
    words[at + TYPE_AND_LENGTH] = typeAndLength;
    const valueLength = (words[at + VALUE_LENGTH] as number) >>> 0;
    this.#seal(valueAt(words, at), valueLength, typeAndLength, valueLength | 0, words[at + KEY_HASH] as number);
    this.at = at + length;
  }

  /**
   * Writes a record. There is room for it.
   *
   * @param key undefined for a record without a key
   * @param second the second word, in place of the length of a value
   */
  write(typeAndLength: number, key: Key | undefined, hash: number, value: Uint8Array = NOTHING, second: number = value.length): void {
    const { words, at } = this;
    let next = at + RECORD_WORDS;
    let keyLength = 0;
    if (key !== undefined) {
      keyLength = key.length;
      const from = key.words;
      const whole = padded(keyLength) >> 2;
      for (let i = 0; i < whole; i++) words[next + i] = from[i] as number;
      next += whole;
    }
    const full = typeAndLength | keyLength;
    words[at + TYPE_AND_LENGTH] = full;
    words[at + VALUE_LENGTH] = second | 0;
    words[at + KEY_HASH] = hash;
    if (value.length > 0) this.#put(value, next);
    this.#seal(next, value.length, full, second | 0, hash);
    this.at = next + padded(value.length) / 4;
  }

  #put(value: Uint8Array, next: number): void {
    const { words } = this;
    const { length } = value;
    if (length > SHORT) {
      const end = next + padded(length) / 4;
      words[end - 2] = 0;
      words[end - 1] = 0;
      this.#bytes.set(value, next * 4);
      return;
    }
    let i = 0;
    let at = next;
    for (; length - i >= 4; i += 4, at += 1) {
      words[at] =
        (value[i] as number) | ((value[i + 1] as number) << 8) | ((value[i + 2] as number) << 16) | ((value[i + 3] as number) << 24);
    }
    if (((at - next) & 1) === 1 || i < length) {
      let last = 0;
      for (let shift = 0; i < length; i += 1, shift += 8) last |= (value[i] as number) << shift;
      words[at] = last;
      if (((at - next) & 1) === 0) words[at + 1] = 0;
    }
  }

  /** Writes the checksum of a record whose other words and value are in place, and remembers the record. */
  #seal(value: number, length: number, typeAndLength: number, second: number, hash: number): void {
    const { words, at } = this;
    const seed = (this.#extent.salt + lowOf(this.window, at)) | 0;
    words[at] = recordSum(typeAndLength, second, hash, xxh32Mapped(words, this.#bytes, value, length, seed), seed);
    this.record = at;
  }

  /** Writes a record with a giant value, in its own extent; the value is written by write(2), not through mappings. */
  writeGiant(typeAndLength: number, key: Key, value: Uint8Array): void {
    const length = recordBytes(key.length, value.length);
    this.#begin(length, unitOf(this.window, this.at), true);
    const { words, at } = this;
    const full = typeAndLength | GIANT | (value.length >= 2 ** 32 ? LONG : 0);
    this.write(full, key, key.hash, NOTHING, value.length);
    const start = valueAt(words, at);
    this.#disk.write(value, byteOf(this.window, start));
    const seed = (this.#extent.salt + lowOf(this.window, at)) | 0;
    words[at] = recordSum(full | key.length, value.length | 0, key.hash, binding.xxh32(value, 0, value.length, seed), seed);
    // This may be past the window; the next record begins a new extent in any case.
    this.at = at + length / 4;
    this.#end = this.at;
  }

  /** Moves the end of the log past what has been written. */
  publish(): void {
    storeRelease(this.words, this.#base + EXTENT_USED, (this.at - this.#base) >>> 1);
  }

  beginBatch(): void {
    this.#batch = this.at;
  }
  /** Where the batch began; it lies in one piece before {@link at}. */
  get batchStart(): number {
    return this.#batch;
  }
  endBatch(): void {
    this.#batch = -1;
  }
  dropBatch(): void {
    this.at = this.#batch;
    this.#batch = -1;
  }

  #range(): { offset: number; length: number } {
    const offset = byteOf(this.window, this.#syncedTo);
    return { offset, length: (this.at - this.#syncedTo) * 4 };
  }

  /** The parts of the file written since the last call, in bytes. */
  takeUnsynced(): { offset: number; length: number }[] {
    const ranges = this.#unsynced;
    if (this.at > this.#syncedTo) ranges.push(this.#range());
    this.#unsynced = [];
    this.#syncedTo = this.at;
    return ranges;
  }
  get hasUnsynced(): boolean {
    return this.at > this.#syncedTo || this.#unsynced.length > 0;
  }
}
