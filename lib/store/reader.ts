// Reader: searches for keys and verifies the values. Takes no lock and writes nothing.
import { Bytes } from '../internal/bytes.js';
import { recordSum, xxh32Copying, xxh32Mapped } from './file/checksum.js';
import type { HashIndex } from './index/hash-index.js';
import { Key, type StoreKey } from './log/key.js';
import { GIANT, KEY_HASH, TYPE_AND_LENGTH, VALUE_LENGTH } from './file/layout.js';
import type { OpenStore } from './open.js';
import { byteOf, lowOf, valueAt, valueLengthOf } from './log/record.js';
import { ExtentTable } from './log/extent-table.js';
import { MappedFile } from './file/mapped-file.js';
import type { Writer } from './writer.js';
import { corruptStore } from './parts.js';

/** The length in bytes up to which copies share a buffer, and the length of that buffer. */
const SMALL = 1024;
const SLAB = 2 ** 15;
/** How often to read a record that does not match its checksum before it is reported as damaged. */
const LOOKS = 3;

export class Reader {
  readonly key: Key;
  readonly #parts: OpenStore;
  readonly #index: HashIndex;
  readonly #writer: Writer | undefined;
  readonly #windows: MappedFile;
  readonly #salts: ExtentTable;
  /** For the writer: read-only windows for views, so that views cannot change the store. */
  #views: MappedFile | undefined;
  #slab = new Int32Array(SLAB / 4);
  /** Cached, because reading the `buffer` of an array is a call. */
  #slabBuffer: ArrayBufferLike = this.#slab.buffer;
  #slabUsed = 0;
  /** The byte of the record that did not match its checksum; -1 if none. */
  #damaged = -1;
  /** How often it has been read. */
  #looks = 0;

  constructor(parts: OpenStore, index: HashIndex, writer: Writer | undefined) {
    this.#parts = parts;
    this.#windows = parts.windows;
    this.#index = index;
    this.#writer = writer;
    this.key = new Key(parts.header.seed);
    this.#salts = new ExtentTable(parts.header);
  }

  /** A copy of the value. */
  get(key: StoreKey): Buffer | undefined {
    this.key.take(key);
    for (;;) {
      const generation = this.#index.begin();
      const value = this.#find() ? this.#copy() : undefined;
      if (this.#counts(generation)) return value;
    }
  }

  /** The value in place. */
  getView(key: StoreKey): Buffer | undefined {
    this.key.take(key);
    for (;;) {
      const generation = this.#index.begin();
      const value = this.#find() ? this.#view() : undefined;
      if (this.#counts(generation)) return value;
    }
  }

  /** Whether the key exists. */
  has(key: StoreKey): boolean {
    this.key.take(key);
    for (;;) {
      const generation = this.#index.begin();
      const found = this.#find();
      if (this.#counts(generation)) return found;
    }
  }

  /** Searches for the key that was taken, first in the present transaction. */
  #find(): boolean {
    const pending = this.#writer?.pending;
    if (pending !== undefined && pending.size > 0) {
      const at = pending.get(this.key.name);
      if (at !== undefined && at < 0) return false;
      const log = this.#parts.opened?.log;
      if (at !== undefined && log !== undefined) {
        this.#index.window = log.window;
        this.#index.at = log.batchStart + at;
        return true;
      }
    }
    const found = this.#index.find(this.key);
    // Another key with the same hash is rare enough to verify its record.
    if (!found && this.#index.collisionWindow !== -1) this.#suspect(this.#index.collisionWindow, this.#index.collisionAt);
    return found;
  }

  #suspect(window: number, at: number): void {
    const salt = this.#salts.of(window, at);
    if (this.#parts.records.verify(window, at, salt, this.#salts.room(window, at)) === 0) this.#damaged = byteOf(window, at);
  }

  /** Whether the result is valid; false to search again. */
  #counts(generation: number): boolean {
    const damaged = this.#damaged;
    this.#damaged = -1;
    if (!this.#index.holds(generation)) return false;
    this.sound();
    if (damaged === -1) {
      this.#looks = 0;
      return true;
    }
    this.#salts.refresh();
    this.#looks += 1;
    if (this.#looks < LOOKS) return false;
    this.#looks = 0;
    throw corruptStore(this.#parts.path, { offset: damaged, what: 'a record' });
  }

  /** Throws if the memory of the store has faulted: the file was truncated. */
  sound(): void {
    if (this.#windows.faulted) this.#windows.check();
    if (this.#views?.faulted === true) this.#views.check();
  }

  /** Whether the value of the record found ends before its extent does. */
  #fits(window: number, at: number, from: number, length: number): boolean {
    if (length <= this.#salts.room(window, at) - (from - at) * 4) return true;
    this.#damaged = byteOf(window, at);
    return false;
  }

  /** Whether the record found matches its checksum. */
  #matches(words: Int32Array, window: number, at: number, from: number, length: number): boolean {
    const seed = (this.#salts.of(window, at) + lowOf(window, at)) | 0;
    const hash = xxh32Mapped(words, this.#windows.bytes[window] as Uint8Array, from, length, seed);
    const sum = recordSum(words[at + TYPE_AND_LENGTH] as number, words[at + VALUE_LENGTH] as number, words[at + KEY_HASH] as number, hash, seed);
    if (sum === words[at]) return true;
    this.#damaged = byteOf(window, at);
    return false;
  }

  #copy(): Buffer | undefined {
    const { window, at } = this.#index;
    const words = this.#windows.words[window] as Int32Array;
    const length = valueLengthOf(words, at);
    if (((words[at + TYPE_AND_LENGTH] as number) & GIANT) !== 0) return this.#copyGiant(window, at, length);
    const from = valueAt(words, at);
    if (!this.#fits(window, at, from, length)) return undefined;
    if (length > SMALL) {
      if (!this.#matches(words, window, at, from, length)) return undefined;
      const large = Buffer.allocUnsafeSlow(length);
      large.set(new Bytes(this.#windows.buffers[window] as ArrayBufferLike, from * 4, length));
      return large;
    }
    const start = this.#roomInSlab(length);
    const seed = (this.#salts.of(window, at) + lowOf(window, at)) | 0;
    const hash = xxh32Copying(words, from, length, seed, this.#slab, start);
    const sum = recordSum(words[at + TYPE_AND_LENGTH] as number, words[at + VALUE_LENGTH] as number, words[at + KEY_HASH] as number, hash, seed);
    if (sum === words[at]) return new Bytes(this.#slabBuffer, start * 4, length);
    this.#damaged = byteOf(window, at);
    return undefined;
  }

  /** The word of the slab where a copy goes. */
  #roomInSlab(length: number): number {
    const whole = ((length + 7) >> 3) * 2;
    if (this.#slabUsed + whole > SLAB / 4) {
      this.#slab = new Int32Array(SLAB / 4);
      this.#slabBuffer = this.#slab.buffer;
      this.#slabUsed = 0;
    }
    const start = this.#slabUsed;
    this.#slabUsed = start + whole;
    return start;
  }

  #copyGiant(window: number, at: number, length: number): Buffer | undefined {
    const { records } = this.#parts;
    if (records.verify(window, at, this.#salts.of(window, at), this.#salts.room(window, at)) === 0) {
      this.#damaged = byteOf(window, at);
      return undefined;
    }
    return records.readGiant(window, at, length);
  }

  #view(): Buffer | undefined {
    const { window, at } = this.#index;
    const words = this.#windows.words[window] as Int32Array;
    const length = valueLengthOf(words, at);
    const from = valueAt(words, at);
    if (!this.#fits(window, at, from, length)) return undefined;
    if (((words[at + TYPE_AND_LENGTH] as number) & GIANT) !== 0) return this.#windows.lasting(byteOf(window, from), length);
    if (length <= SMALL && !this.#matches(words, window, at, from, length)) return undefined;
    return new Bytes(this.#viewable(window), from * 4, length);
  }

  #viewable(window: number): ArrayBufferLike {
    const viewed = this.#writer === undefined ? this.#windows : this.#views;
    return viewed?.buffers[window] ?? this.#makeViewable(window);
  }
  #makeViewable(window: number): ArrayBufferLike {
    this.#views ??= new MappedFile(this.#parts.disk, 'read');
    this.#views.reach(window);
    return this.#views.buffers[window] as ArrayBufferLike;
  }

  close(): void {
    this.#views?.close();
  }
}
