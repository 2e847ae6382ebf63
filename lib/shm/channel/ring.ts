// The ring of a channel: records in memory of a power of two of bytes, and two positions that
// only grow, modulo 2^32. Byte layout: docs/abi.md.
//
// A record is 4 bytes of length, 4 bytes of number, the message, and up to 7 bytes of padding
// to a multiple of 8. The data is mapped twice in a row: no record wraps.
//
// Each end trusts only its own position, of which it has a private copy. What it reads from
// shared memory must be consistent with it; otherwise the other end is broken.
import { corrupt, WORD } from './header.js';
import type { MirroredBuffer } from './mirrored-buffer.js';
import type { SharedWords } from './shared-words.js';

/** Bytes of a record before the message. */
export const RECORD_HEADER = 8;

/** Bytes that a message of `length` bytes takes in the ring. */
export function recordSize(length: number): number {
  return (length + RECORD_HEADER + 7) & ~7;
}

/** Bytes from `from` to `to`: negative if `to` is before it. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

/** The writing end. Only one may act at a time. */
export class RingWriter {
  readonly #words: SharedWords;
  readonly #memory: MirroredBuffer;
  readonly #capacity: number;
  /** Where the next record goes. */
  #head: number;
  /** The reader's position as last seen. */
  #tail: number;

  constructor(words: SharedWords, memory: MirroredBuffer, capacity: number) {
    this.#words = words;
    this.#memory = memory;
    this.#capacity = capacity;
    this.#head = 0;
    this.#tail = 0;
  }

  /** Starts where the previous writer has stopped. Must be called first. */
  resume(): void {
    const head = this.#words.load(WORD.head);
    const tail = this.#words.load(WORD.tail);
    this.#head = head;
    this.#tail = head;
    this.#accept(tail, head - this.#capacity);
  }

  /** The reader's position must lie between its last position and that of the writer. */
  #accept(tail: number, earliest: number): void {
    const used = distance(tail, this.#head);
    if (used < 0 || used > distance(earliest, this.#head) || (tail & 7) !== 0) {
      throw corrupt(`Position ${tail} of the reader is impossible: the writer is at ${this.#head}`, WORD.tail * 4);
    }
    this.#tail = tail;
  }

  /** Whether a message of `length` bytes fits now. */
  fits(length: number): boolean {
    const size = recordSize(length);
    if (size <= this.#capacity - distance(this.#tail, this.#head)) return true;
    this.#accept(this.#words.load(WORD.tail), this.#tail);
    return size <= this.#capacity - distance(this.#tail, this.#head);
  }

  /** Where the next message starts, in bytes of the memory. */
  get offset(): number {
    return (this.#head & (this.#capacity - 1)) + RECORD_HEADER;
  }

  /** Copies a message that fits. {@link publish} makes it visible. */
  put(message: Uint8Array): void {
    // What has been detached is empty, and cannot be read at all.
    if (message.length > 0) this.#memory.bytes.set(message, this.offset);
    this.end(message.length);
  }

  /** Ends a record whose message is in place already. */
  end(length: number): void {
    this.#memory.words[(this.#head & (this.#capacity - 1)) >> 2] = length;
    this.#head = (this.#head + recordSize(length)) | 0;
  }

  /** Makes the records that were put visible to the reader. */
  publish(): void {
    // Pairs with the load in RingReader.#refill: a reader that sees the position sees the records.
    this.#words.store(WORD.head, this.#head);
  }
}

/** The reading end. Only one may act at a time. */
export class RingReader {
  readonly #words: SharedWords;
  readonly #memory: MirroredBuffer;
  readonly #capacity: number;
  /** Where the next record starts. */
  #tail: number;
  /** Where the writer must stop: what is before it may be overwritten. */
  #released: number;
  /** The writer's position as last seen. */
  #head: number;

  constructor(words: SharedWords, memory: MirroredBuffer, capacity: number) {
    this.#words = words;
    this.#memory = memory;
    this.#capacity = capacity;
    this.#tail = 0;
    this.#released = 0;
    this.#head = 0;
  }

  /** Starts where the previous reader has stopped. Must be called first. */
  resume(): void {
    this.#tail = this.#words.load(WORD.tail);
    this.#released = this.#tail;
    this.#head = this.#tail;
    if ((this.#tail & 7) !== 0) throw corrupt(`Position ${this.#tail} of the reader is impossible: not a multiple of 8`, WORD.tail * 4);
    this.#refill();
  }

  /** The writer's position must lie between its last position and a ring's length after the reader's. */
  #refill(): boolean {
    const head = this.#words.load(WORD.head);
    const unread = distance(this.#tail, head);
    if (unread < distance(this.#tail, this.#head) || unread > this.#capacity || (head & 7) !== 0) {
      throw corrupt(`Position ${head} of the writer is impossible: the reader is at ${this.#tail}`, WORD.head * 4);
    }
    this.#head = head;
    return unread > 0;
  }

  /** Bytes of the next message, or -1 if there is none yet. */
  next(): number {
    if (this.#tail === this.#head && !this.#refill()) return -1;
    const at = this.#tail & (this.#capacity - 1);
    // Read once: the other end could change it.
    const length = this.#memory.words[at >> 2] ?? -1;
    if (length < 0 || length > distance(this.#tail, this.#head) - RECORD_HEADER) {
      throw corrupt(`A message of ${length} bytes is impossible`, at);
    }
    return length;
  }

  /** Where the next message starts, in bytes of the memory. */
  get offset(): number {
    return (this.#tail & (this.#capacity - 1)) + RECORD_HEADER;
  }

  /** Moves past a record of `length` bytes. {@link release} gives its place back to the writer. */
  skip(length: number): void {
    this.#tail = (this.#tail + recordSize(length)) | 0;
  }

  /** Whether the next message was not overwritten while it was read: never in this kind of ring. */
  intact(): boolean {
    return true;
  }

  /** Messages lost: none. */
  takeLost(): number {
    return 0;
  }

  /** Bytes read but not released. */
  get held(): number {
    return distance(this.#released, this.#tail);
  }

  /** Gives the place of records that have been read back to the writer. */
  release(): void {
    this.#released = this.#tail;
    this.#words.store(WORD.tail, this.#tail);
  }
}
