// The ring of a channel: records in a power of two of bytes, and two positions that only
// grow, modulo 2^32. Byte layout: docs/abi.md.
//
// A record is 4 bytes of length, 4 bytes of number, the message, and up to 7 bytes that
// fill it up to a multiple of 8. The data is mapped twice in a row: no record wraps.
//
// Each end trusts its own position only, which it keeps to itself; what it reads from
// shared memory must fit to that, or the other end is broken.
import { corrupt, WORD } from './header.js';
import type { MirroredBuffer } from './mirrored-buffer.js';
import type { SharedWords } from './shared-words.js';

/** Bytes of a record before the message. */
export const RECORD_HEADER = 8;

/** Bytes that a message of `length` bytes takes in the ring. */
export function recordSize(length: number): number {
  return (length + RECORD_HEADER + 7) & ~7;
}

/** How far `to` is after `from`, in bytes: negative if it is before it. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

/** The writing end. One at a time. */
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

  /** Starts where the writer before has stopped. To be called before anything else. */
  resume(): void {
    const head = this.#words.load(WORD.head);
    const tail = this.#words.load(WORD.tail);
    this.#head = head;
    this.#tail = head;
    this.#accept(tail, head - this.#capacity);
  }

  /** The reader's position must lie between where it was and where we are. */
  #accept(tail: number, earliest: number): void {
    const used = distance(tail, this.#head);
    if (used < 0 || used > distance(earliest, this.#head) || (tail & 7) !== 0) {
      throw corrupt('The position of the reader is impossible', WORD.tail * 4);
    }
    this.#tail = tail;
  }

  /** Whether a message of so many bytes fits now. */
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

  /** Copies a message that fits. It is published with {@link publish}. */
  put(message: Uint8Array): void {
    this.#memory.bytes.set(message, this.offset);
    this.end(message.length);
  }

  /** Members a record whose message stands in place. */
  end(length: number): void {
    this.#memory.words[(this.#head & (this.#capacity - 1)) >> 2] = length;
    this.#head = (this.#head + recordSize(length)) | 0;
  }

  /** Lets the reader see what has been put. */
  publish(): void {
    // Pairs with the load in RingReader.refill: who sees the position sees the records.
    this.#words.store(WORD.head, this.#head);
  }
}

/** The reading end. One at a time. */
export class RingReader {
  readonly #words: SharedWords;
  readonly #memory: MirroredBuffer;
  readonly #capacity: number;
  /** Where the next record starts. */
  #tail: number;
  /** Up to where the writer may use the ring again. */
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

  /** Starts where the reader before has stopped. To be called before anything else. */
  resume(): void {
    this.#tail = this.#words.load(WORD.tail);
    this.#released = this.#tail;
    this.#head = this.#tail;
    if ((this.#tail & 7) !== 0) throw corrupt('The position of the reader is impossible', WORD.tail * 4);
    this.#refill();
  }

  /** The writer's position must lie between where it was and a whole ring after ours. */
  #refill(): boolean {
    const head = this.#words.load(WORD.head);
    const unread = distance(this.#tail, head);
    if (unread < distance(this.#tail, this.#head) || unread > this.#capacity || (head & 7) !== 0) {
      throw corrupt('The position of the writer is impossible', WORD.head * 4);
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

  /** Goes on to the record after one of `length` bytes. Its place is given back with {@link release}. */
  skip(length: number): void {
    this.#tail = (this.#tail + recordSize(length)) | 0;
  }

  /** Whether the next message is still what it was when it was read: here nobody takes it away. */
  intact(): boolean {
    return true;
  }

  /** Messages lost: none. */
  takeLost(): number {
    return 0;
  }

  /** Bytes read, but not given back. */
  get held(): number {
    return distance(this.#released, this.#tail);
  }

  /** Gives the place of what has been read back to the writer. */
  release(): void {
    this.#released = this.#tail;
    this.#words.store(WORD.tail, this.#tail);
  }
}
