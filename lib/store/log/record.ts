// Reads and verifies records in place. Words are those of a window; `low` is the low word of the
// position, which together with the extent's salt is the seed of the checksum.
import { binding } from '../../internal/binding.js';
import { recordSum, xxh32, xxh32Mapped } from '../file/checksum.js';
import type { StoreFile } from '../file/store-file.js';
import {
  COMMIT, DELETE, GIANT, KEY_HASH, KEY_LENGTH, KIND, LONG, LOW_WINDOW_SHIFT, WATERMARK, WATERMARK_BYTES, MOST_KEY, PUT, RECORD_BYTES, RECORD_WORDS, TYPE_AND_LENGTH, UNIT,
  VALUE_LENGTH, WINDOW, padded, recordBytes,
} from '../file/layout.js';
import type { MappedFile } from '../file/mapped-file.js';

/** The low word of the position of a record that begins at a word of a window. */
export function lowOf(window: number, at: number): number {
  return (window << LOW_WINDOW_SHIFT) | (at >> 1);
}

/** Bytes from the start of the file. */
export function byteOf(window: number, at: number): number {
  return window * WINDOW + at * 4;
}

/** The first word of a record's value. */
export function valueAt(words: Int32Array, at: number): number {
  return at + RECORD_WORDS + padded((words[at + TYPE_AND_LENGTH] as number) & KEY_LENGTH) / 4;
}

/** Bytes of a record's value. */
export function valueLengthOf(words: Int32Array, at: number): number {
  const length = (words[at + VALUE_LENGTH] as number) >>> 0;
  return ((words[at + TYPE_AND_LENGTH] as number) & LONG) === 0 ? length : length + 2 ** 32;
}

/** Bytes that a record takes in the log. Not for a COMMIT, which has a checksum in place of the length of a value. */
export function recordBytesAt(words: Int32Array, at: number): number {
  return recordBytes((words[at + TYPE_AND_LENGTH] as number) & KEY_LENGTH, valueLengthOf(words, at));
}

/** Whether the word is valid. */
function plausible(typeAndLength: number): boolean {
  if ((typeAndLength & KEY_LENGTH) > MOST_KEY) return false;
  const kind = typeAndLength & KIND;
  if (kind === PUT || kind === DELETE) return true;
  return (kind === COMMIT || kind === WATERMARK) && (typeAndLength & KEY_LENGTH) === 0;
}

export class Records {
  readonly #windows: MappedFile;
  readonly #disk: StoreFile;
  readonly #seed: number;

  /** The hash of an empty key. */
  readonly emptyHash: number;

  constructor(windows: MappedFile, disk: StoreFile, seed: number) {
    this.emptyHash = xxh32(new Int32Array(1), 0, 0, seed);
    this.#windows = windows;
    this.#disk = disk;
    this.#seed = seed;
  }

  /**
   * The length of the record in bytes; 0 if there is no valid one.
   *
   * @param most bytes that it can have at most
   */
  verify(window: number, at: number, salt: number, most: number): number {
    const words = this.#windows.words[window];
    if (words === undefined || most < RECORD_BYTES) return 0;
    const typeAndLength = words[at + TYPE_AND_LENGTH] as number;
    if (!plausible(typeAndLength)) return 0;
    const keyLength = typeAndLength & KEY_LENGTH;
    const kind = typeAndLength & KIND;
    const valueLength = kind === COMMIT || kind === DELETE ? 0 : kind === WATERMARK ? WATERMARK_BYTES : valueLengthOf(words, at);
    const length = recordBytes(keyLength, valueLength);
    if (length > most || ((typeAndLength & GIANT) === 0 && length > (words.length - at) * 4)) return 0;
    const hash = words[at + KEY_HASH] as number;
    if (kind !== COMMIT && xxh32(words, at + RECORD_WORDS, keyLength, this.#seed) !== hash) return 0;
    const seed = (salt + lowOf(window, at)) | 0;
    const sum = recordSum(typeAndLength, words[at + VALUE_LENGTH] as number, hash, this.valueHash(window, at, valueLength, seed), seed);
    return sum === words[at] ? length : 0;
  }

  /** The hash of a record's value. */
  valueHash(window: number, at: number, length: number, seed: number): number {
    const words = this.#windows.words[window] as Int32Array;
    const from = valueAt(words, at);
    if (((words[at + TYPE_AND_LENGTH] as number) & GIANT) === 0) {
      return xxh32Mapped(words, this.#windows.bytes[window] as Uint8Array, from, length, seed);
    }
    const pages = this.#windows.span(byteOf(window, from), length);
    try {
      return binding.xxh32(pages.bytes, 0, length, seed);
    } finally {
      pages.close();
    }
  }

  /** A copy of a giant value. */
  readGiant(window: number, at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    this.#disk.read(bytes, byteOf(window, valueAt(this.#windows.words[window] as Int32Array, at)));
    return bytes;
  }

}

/** The place of a word of a window, in units from the start of the file. */
export function unitOf(window: number, at: number): number {
  return window * (WINDOW / UNIT) + at / 2;
}
