// The ring of a 'broadcast' channel: one writer, and readers with a cursor each. A slow reader
// either makes the writer wait, or loses the oldest messages and learns how many. Byte layout:
// docs/abi.md.
import { corrupt, WORD } from './header.js';
import type { Members } from './members.js';
import type { MirroredBuffer } from './mirrored-buffer.js';
import { RECORD_HEADER, distance, recordSize } from './ring.js';
import type { SharedWords } from './shared-words.js';

/** The words of a reader's place, after that of its owner. */
const CURSOR = 1;
/** Whether the cursor counts. */
const ACTIVE = 2;
/** A word without a meaning: an access to it orders others. */
const FENCE = 3;

/** Attempts to read a message before the writer overwrites it. */
const MOST_LOOKS = 1_000_000;

/** The parts of a broadcast ring. */
export interface BroadcastParts {
  readonly words: SharedWords;
  readonly memory: MirroredBuffer;
  readonly capacity: number;
  readonly readers: Members;
  /** Whether a slow reader loses messages. */
  readonly loses: boolean;
}

export class BroadcastWriter {
  readonly #parts: BroadcastParts;
  #head = 0;
  /** The head as last published. */
  #published = 0;
  /** Where the oldest complete message starts. No reader needs anything before it. */
  #oldest = 0;
  /** The number of the next message. */
  #number = 0;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
  }

  resume(): void {
    const { words } = this.#parts;
    this.#head = words.load(WORD.head);
    this.#published = this.#head;
    this.#number = words.load(WORD.number);
    this.#oldest = words.load(WORD.oldest);
    this.#accept(this.#oldest, WORD.oldest);
  }

  #accept(position: number, word: number): void {
    const used = distance(position, this.#head);
    if (used < 0 || used > this.#parts.capacity || ((position | this.#head) & 7) !== 0) {
      throw corrupt(`Position ${position} in the ring is impossible: it must be at most ${this.#parts.capacity} bytes before ${this.#head}`, word * 4);
    }
  }

  fits(length: number): boolean {
    const { capacity, loses } = this.#parts;
    const size = recordSize(length);
    if (size <= capacity - distance(this.#oldest, this.#head)) return true;
    if (loses) this.#forget(size);
    else this.#oldest = this.#slowest();
    return size <= capacity - distance(this.#oldest, this.#head);
  }

  /** The position of the slowest reader; without readers, the end of what has been published. */
  #slowest(): number {
    const { words, capacity, readers } = this.#parts;
    let most = distance(this.#published, this.#head);
    for (const at of readers.taken()) {
      if (words.load(at + ACTIVE) === 0) continue;
      const cursor = words.load(at + CURSOR);
      const behind = distance(cursor, this.#head);
      if (behind < 0 || behind > capacity || (cursor & 7) !== 0) {
        throw corrupt(`Position ${cursor} of a reader is impossible: the writer is at ${this.#head}`, (at + CURSOR) * 4);
      }
      most = Math.max(most, behind);
    }
    return (this.#head - most) | 0;
  }

  /** Drops the oldest messages until `size` bytes are free. */
  #forget(size: number): void {
    const { words, memory, capacity } = this.#parts;
    while (distance(this.#oldest, this.#head) > capacity - size) {
      if (this.#oldest === this.#published) break; // nobody could have read the rest
      const at = this.#oldest & (capacity - 1);
      const length = memory.words[at >> 2] ?? -1;
      if (length < 0 || length > distance(this.#oldest, this.#head) - RECORD_HEADER) {
        throw corrupt(`A message of ${length} bytes is impossible`, at);
      }
      this.#oldest = (this.#oldest + recordSize(length)) | 0;
    }
    // Published before the bytes are overwritten, and no access is reordered across it: a reader
    // checks it after copying them.
    words.exchange(WORD.oldest, this.#oldest);
  }

  get offset(): number {
    return (this.#head & (this.#parts.capacity - 1)) + RECORD_HEADER;
  }

  put(message: Uint8Array): void {
    // What has been detached is empty, and cannot be read at all.
    if (message.length > 0) this.#parts.memory.bytes.set(message, this.offset);
    this.end(message.length);
  }

  end(length: number): void {
    const { memory, capacity } = this.#parts;
    const word = (this.#head & (capacity - 1)) >> 2;
    memory.words[word] = length;
    memory.words[word + 1] = this.#number;
    this.#number = (this.#number + 1) | 0;
    this.#head = (this.#head + recordSize(length)) | 0;
  }

  publish(): void {
    const { words, loses } = this.#parts;
    if (!loses) words.store(WORD.oldest, this.#oldest);
    words.store(WORD.number, this.#number);
    this.#published = this.#head;
    words.store(WORD.head, this.#head);
  }
}

export class BroadcastReader {
  readonly #parts: BroadcastParts;
  /** Index of the words of this reader's place. */
  readonly #at: number;
  #tail = 0;
  #released = 0;
  #head = 0;
  /** The expected number of the next message. */
  #number = 0;
  /** Messages lost since the last call of {@link takeLost}. */
  #lost = 0;

  constructor(parts: BroadcastParts, at: number) {
    this.#parts = parts;
    this.#at = at;
  }

  /** Starts with messages sent from now on. */
  resume(): void {
    const { words } = this.#parts;
    words.store(this.#at + ACTIVE, 0);
    words.store(this.#at + CURSOR, words.load(WORD.head));
    words.store(this.#at + ACTIVE, 1);
    // Load the head again: a writer that has not seen this reader writes at most a ring's length from
    // where it had published then, which is not after this position.
    this.#tail = words.load(WORD.head);
    if ((this.#tail & 7) !== 0) throw corrupt(`Position ${this.#tail} of the writer is impossible: not a multiple of 8`, WORD.head * 4);
    words.store(this.#at + CURSOR, this.#tail);
    this.#released = this.#tail;
    this.#head = this.#tail;
    // If messages are being published, it may be the number of the one after them.
    this.#number = words.load(WORD.number);
  }

  #refill(): boolean {
    const { words, capacity, loses } = this.#parts;
    const head = words.load(WORD.head);
    const unread = distance(this.#tail, head);
    // A reader that may lose messages can be any distance behind; another, a ring's length.
    if ((head & 7) !== 0 || (!loses && (unread < distance(this.#tail, this.#head) || unread > capacity))) {
      throw corrupt(`Position ${head} of the writer is impossible: this reader is at ${this.#tail}`, WORD.head * 4);
    }
    this.#head = head;
    return unread !== 0;
  }

  next(): number {
    const { capacity, loses, memory } = this.#parts;
    for (let looks = 0; ; looks++) {
      if (this.#tail === this.#head && !this.#refill()) return -1;
      if (loses && !this.intact()) {
        this.#catchUp(looks);
        continue;
      }
      const at = this.#tail & (capacity - 1);
      const length = memory.words[at >> 2] ?? -1;
      const number = memory.words[(at >> 2) + 1] ?? 0;
      if (loses && !this.intact()) continue;
      if (length < 0 || length > Math.min(capacity, distance(this.#tail, this.#head)) - RECORD_HEADER) {
        throw corrupt(`A message of ${length} bytes is impossible`, at);
      }
      this.#lost += Math.max(0, (number - this.#number) | 0);
      this.#number = number;
      return length;
    }
  }

  /** Whether the writer has not begun to overwrite the next message, whose bytes have been read. */
  intact(): boolean {
    const { words, loses } = this.#parts;
    if (!loses) return true;
    // Orders the reads of the bytes before the load of the position.
    words.add(this.#at + FENCE, 0);
    return distance(words.load(WORD.oldest), this.#tail) >= 0;
  }

  /** Continues with the oldest message that still exists. */
  #catchUp(looks: number): void {
    const { words } = this.#parts;
    const oldest = words.load(WORD.oldest);
    // A much faster writer may overtake some attempts, but not all.
    if ((oldest & 7) !== 0 || looks > MOST_LOOKS) {
      throw corrupt(`Position ${oldest} of the oldest message is impossible`, WORD.oldest * 4);
    }
    this.#tail = oldest;
    this.#head = oldest;
  }

  get offset(): number {
    return (this.#tail & (this.#parts.capacity - 1)) + RECORD_HEADER;
  }

  skip(length: number): void {
    this.#tail = (this.#tail + recordSize(length)) | 0;
    this.#number = (this.#number + 1) | 0;
  }

  get held(): number {
    return distance(this.#released, this.#tail);
  }

  release(): void {
    this.#released = this.#tail;
    this.#parts.words.store(this.#at + CURSOR, this.#tail);
  }

  /** How many messages have been lost since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}
