// The format of a store's file: docs/store-format.md. Everything is a little-endian word of 32 bits.
//
// The file consists of blocks. Block 0 is the header with the catalog of extents. The others are
// extents of the log, segments of the index, its directory, or free.

/** The unit of positions of records, in bytes. */
export const UNIT = 8;
/** Bytes of a block; words and units of one. */
export const BLOCK: number = 2 ** 16;
export const BLOCK_WORDS: number = BLOCK / 4;
export const BLOCK_UNITS: number = BLOCK / UNIT;
/** Bytes of one mapping. Only the value of a {@link GIANT} crosses its end. */
export const WINDOW: number = 2 ** 30;
/** From a block to its window, and its place in there. */
export const WINDOW_SHIFT = 14;
export const WINDOW_BLOCKS: number = 1 << WINDOW_SHIFT;
export const IN_WINDOW: number = WINDOW_BLOCKS - 1;
/** From a block in its window to its first word. */
export const BLOCK_SHIFT = 14;
/** Blocks: positions have 37 bits, of 8 bytes each. */
export const MOST_BLOCKS: number = 2 ** 24;

// The header. What never changes:
export const MAGIC: readonly [number, number] = [0x6d6d_656d, 0x564b_7061];
export const VERSION = 2;
export const AT_MAGIC = 0;
export const AT_VERSION = 2;
export const AT_SEED = 4;
export const AT_HEADER_SUM = 5;
/** Words that the checksum covers. */
export const FIXED_WORDS = 5;

/** A copy of the part that never changes. */
export const AT_COPY = 512;

// The state of the writer.
export const AT_STATE = 16;
export const CLEAN = 1;
export const OPEN = 2;
/** Boot ID (4 words), device (2), inode (2), of the kernel that has the newest pages. */
export const AT_STAMP = 17;
export const STAMP_WORDS = 8;
export const AT_PID = 25;
/**
 * What leads to the index and to the log has two sums, of which one is right at any instruction: one is changed
 * before it, and the other after it. Of {@link AT_DIRECTORY}, and of the entries of the catalog, XORed.
 */
export const AT_DIRECTORY_SUMS = 26;
export const AT_CATALOG_SUMS = 28;

// What readers use; it changes while they read.
/** Grows whenever something that they may be reading is reused. */
export const AT_GENERATION = 32;
/** First block of the directory, and its depth from bit 24. */
export const AT_DIRECTORY = 33;
export const DEPTH_SHIFT = 24;
export const DIRECTORY_BLOCK: number = 2 ** DEPTH_SHIFT - 1;
export const AT_COUNT = 34;
/** A double: bytes of the records that the index points to. An estimate after a crash. */
export const AT_LIVE = 36;
/** The number of the last extent. */
export const AT_SEQUENCE = 38;
/** While a segment is being replaced, the sum of what follows: old depth, new depth, index, two blocks and two counts. */
export const AT_SPLIT = 40;
export const SPLIT_WORDS = 8;

/** The checksum of the block from {@link AT_STATE} on, written when the store is closed. */
export const AT_CLOSED_SUM = 15;

/** The catalog: a place for each extent, 0 in its first word if it is free. */
export const AT_CATALOG = 1024;
export const CATALOG_WORDS = 4;
export const CATALOG_PLACES: number = (BLOCK_WORDS - AT_CATALOG) / CATALOG_WORDS;

// An extent begins with: magic, blocks, sequence, salt, sequence and end (low, high) of the previous
// extent, and a checksum of these. Then what changes: where its last record ends, in units.
export const EXTENT_MAGIC = 0x676f_6c6d;
export const EXTENT_BLOCKS = 1;
export const EXTENT_SEQUENCE = 2;
export const EXTENT_SALT = 3;
export const EXTENT_BEFORE = 4;
export const EXTENT_BEFORE_END = 5;
export const EXTENT_SUM = 7;
export const EXTENT_USED = 8;
/** A copy of these words, so that one damaged word does not lose the extent. */
export const EXTENT_COPY = 16;
export const EXTENT_WORDS = 32;
export const EXTENT_UNITS: number = (EXTENT_WORDS * 4) / UNIT;
/** Blocks: the least and the most of an extent, unless one record is longer. */
export const LEAST_EXTENT = 4;
export const MOST_EXTENT: number = 2 ** 13;

// A record: checksum, type with the length of the key, length of the value, hash of the key; then the key and the value, each
// padded with zeros to whole units.
export const RECORD_WORDS = 4;
export const RECORD_BYTES: number = RECORD_WORDS * 4;
export const TYPE_AND_LENGTH = 1;
export const VALUE_LENGTH = 2;
export const KEY_HASH = 3;
/** Bits of TYPE_AND_LENGTH: the length of the key, 0 to 65,536 bytes. */
export const KEY_LENGTH = 0x1ffff;
export const MOST_KEY: number = 2 ** 16;
export const MOST_VALUE: number = 2 ** 32;
/** The key was given as a string. */
export const TEXT: number = 1 << 24;
/** The record is part of a batch: valid only if a COMMIT follows. */
export const BATCH: number = 1 << 25;
/** The value is not read through the windows, because it may cross them. */
export const GIANT: number = 1 << 26;
/** The value has 2 ** 32 bytes more than {@link VALUE_LENGTH} says. */
export const LONG: number = 1 << 27;
export const KIND: number = 0xf << 20;
export const PUT: number = 1 << 20;
export const DELETE: number = 2 << 20;
/** Ends a batch: in place of value length and hash it has a checksum of its records' checksums, and their number. */
export const COMMIT: number = 3 << 20;
/** Its value is the position up to which the log was durable when it was written. */
export const WATERMARK: number = 4 << 20;
export const WATERMARK_BYTES = 16;
/** Records longer than this have an extent of their own and a {@link GIANT} value. */
export const MOST_MAPPED: number = 2 ** 28;

// A slot of a segment: 27 bits of the hash and 5 of the position; the other 32 of the position.
export const SLOTS: number = BLOCK_WORDS / 2;
export const TAG = 0x7ff_ffff;
export const HIGH_SHIFT = 27;
export const EMPTY = 0;
export const TOMBSTONE = 1;
/** From the low word of a position to the window; from there to the first word. */
export const LOW_WINDOW_SHIFT = 27;
export const LOW_IN_WINDOW = 0x7ff_ffff;
/** Slots in use, of all, at which a segment is replaced by two. */
export const FULL: number = Math.floor(SLOTS * 0.8);
/** The most bits of the hash that select a segment. */
export const MOST_DEPTH = 24;

/** Bytes, rounded up to whole units. */
export function padded(bytes: number): number {
  return bytes < 2 ** 31 - UNIT ? (bytes + UNIT - 1) & -UNIT : Math.ceil(bytes / UNIT) * UNIT;
}

/** Bytes that a record takes in the log. */
export function recordBytes(keyLength: number, valueLength: number): number {
  return RECORD_BYTES + padded(keyLength) + padded(valueLength);
}
