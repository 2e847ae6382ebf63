// Store: a persistent hash table in a mapped file.
import { StateError } from '../errors.js';
import { Bytes } from '../internal/bytes.js';
import { illegalConstructor, invalidType, outOfRange, validateFunction } from '../internal/validate.js';
import { type CheckReport, verifyAll } from './check.js';
import { recordSum, xxh32Mapped } from './checksum.js';
import { type CompactOptions, type Compacted, compact } from './compaction.js';
import { entries } from './entries.js';
import { HashIndex, segments } from './hash-index.js';
import { Key, type StoreKey } from './key.js';
import { BLOCK, GIANT, KEY_HASH, MOST_VALUE, SHAPE, VALUE_LENGTH } from './layout.js';
import { type OpenStore, type StoreOptions, closeStore, openStore } from './opening.js';
import { byteOf, lowOf, valueAt, valueLengthOf } from './record.js';
import { broken } from './recovery.js';
import { Salts } from './salts.js';
import { Windows } from './windows.js';
import { Writer } from './writer.js';

/** Bytes up to which copies share a buffer, and of that buffer. */
const SMALL = 1024;
const SLAB = 2 ** 15;
/** Looks at a record that does not match its sum, before that is believed. */
const LOOKS = 3;

/** What a store consists of: {@link Store.stats}. */
export interface StoreStats {
  /** Pairs. */
  readonly size: number;
  /** Bytes of the file, holes included; and of the disk that it takes. */
  readonly fileBytes: number;
  readonly diskBytes: number;
  /** Bytes of the records that are current; an estimate after a crash, until `compact()`. */
  readonly liveBytes: number;
  /** Bytes of the log, and of the index. */
  readonly logBytes: number;
  readonly indexBytes: number;
  /** Pieces of the log. */
  readonly extents: number;
}

/**
 * A persistent hash table, in one file, of bytes by key. One process at a time writes, any number
 * of processes and threads read, without waiting and without locks.
 *
 * What `put()` returned from survives the death of the process; what `commit()` returned from, a
 * loss of power: docs/durability.md.
 *
 * ```js
 * using store = Store.open('users.db');
 * store.put('ada', Buffer.from('{"name":"Ada"}'));
 * store.get('ada');
 * ```
 *
 * Every method but `close` throws ERR_MEMMAP_CLOSED after it.
 */
export class Store implements Disposable {
  readonly #parts: OpenStore;
  readonly #index: HashIndex;
  readonly #writer: Writer | undefined;
  readonly #windows: Windows;
  readonly #each: boolean;
  readonly #key: Key;
  /** Of the writer: what views are over, so that nobody can write through them. */
  #views: Windows | undefined;
  #closed = false;
  #busy: string | undefined;
  #slab = new Int32Array(SLAB / 4);
  #slabUsed = 0;
  readonly #salts: Salts;
  /** The byte of the record that did not match its sum; -1: none. */
  #damaged = -1;

  private constructor(parts: OpenStore) {
    if (typeof parts !== 'object' || parts === null || !('windows' in parts)) throw illegalConstructor('Store.open()');
    this.#parts = parts;
    this.#windows = parts.windows;
    this.#index = parts.opened?.index ?? new HashIndex(parts.windows, parts.header);
    this.#writer = parts.opened === undefined ? undefined : new Writer(parts, parts.opened);
    this.#each = parts.durability === 'put';
    this.#key = new Key(parts.header.seed);
    this.#salts = new Salts(parts.header);
  }

  /**
   * Opens a store, and makes it if there is none. Blocks until the writer before has gone.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT: it has not
   * @throws {PeerError} ERR_MEMMAP_NOT_A_STORE; ERR_MEMMAP_CORRUPT with the offset, after a loss of power
   * @throws {SystemError} as open(2); ENOSPC
   */
  static open(path: string | URL, options?: StoreOptions): Store {
    return new Store(openStore(path, options));
  }

  /** The file, as an absolute path. */
  get path(): string {
    return this.#parts.path;
  }
  get closed(): boolean {
    return this.#closed;
  }
  get readOnly(): boolean {
    return this.#writer === undefined;
  }

  /** Pairs. */
  get size(): number {
    this.#open();
    const { count } = this.#parts.header;
    this.#sound();
    return count;
  }

  /** A copy of the value, whose checksum has been verified; undefined if there is none. */
  get(key: StoreKey): Buffer | undefined {
    this.#open();
    this.#key.take(key);
    for (let look = 1; ; look++) {
      const generation = this.#index.begin();
      const value = this.#find() ? this.#copy() : undefined;
      if (this.#counts(generation, look)) return value;
    }
  }

  /**
   * The value in place, without copying it. Its bytes stay what they are, even when the key is put
   * again or deleted, until the writer's `compact()` or this store's `close()`: they may be zeros
   * then. Writing to them reaches nobody. The checksum is verified of values up to 1 KiB.
   */
  getView(key: StoreKey): Buffer | undefined {
    this.#open();
    this.#key.take(key);
    for (let look = 1; ; look++) {
      const generation = this.#index.begin();
      const value = this.#find() ? this.#view() : undefined;
      if (this.#counts(generation, look)) return value;
    }
  }

  has(key: StoreKey): boolean {
    this.#open();
    this.#key.take(key);
    for (let look = 1; ; look++) {
      const generation = this.#index.begin();
      const found = this.#find();
      if (this.#counts(generation, look)) return found;
    }
  }

  /**
   * Stores a value. @throws {SystemError} ENOSPC, and the store is what it was
   *
   * @param key at most 64 KiB; a string counts as its UTF-8 bytes
   * @param value at most 4 GiB
   */
  put(key: StoreKey, value: Uint8Array): void {
    const writer = this.#writing();
    this.#key.take(key);
    validateValue(value);
    writer.put(this.#key, value);
    if (this.#each && writer.pending === undefined) writer.commit();
  }

  /** Forgets a key. @returns whether it was there */
  delete(key: StoreKey): boolean {
    const writer = this.#writing();
    this.#key.take(key);
    const found = writer.delete(this.#key);
    if (found && this.#each && writer.pending === undefined) writer.commit();
    return found;
  }

  /**
   * Stores many pairs, each as by `put()`: if one cannot be, those before it are there.
   *
   * @returns how many
   */
  putMany(pairs: Iterable<readonly [StoreKey, Uint8Array]>): number {
    const writer = this.#writing();
    let count = 0;
    for (const [key, value] of pairs) {
      this.#open();
      this.#key.take(key);
      validateValue(value);
      writer.put(this.#key, value);
      count += 1;
    }
    if (this.#each && writer.pending === undefined) writer.commit();
    return count;
  }

  /**
   * Calls `act`, and makes what it puts and deletes there at once, or not at all if it throws or
   * the process dies. It sees its own changes; `size` and `entries()` do not yet. Not for async
   * functions. At most 512 MiB, and 256 MiB a pair.
   */
  transaction<Result>(act: () => Result): Result {
    const writer = this.#writing();
    validateFunction(act, 'act');
    const result = writer.transaction(act, this.#key);
    if (this.#each) writer.commit();
    return result;
  }

  /**
   * Waits until the disk has everything that was put: msync(2). One barrier.
   *
   * @throws {SystemError} EIO, ENOSPC: what the disk has is not known, and the store takes no more
   */
  commit(): void {
    this.#writing().commit();
  }

  /** As {@link commit}, off the main thread. Calls that come meanwhile share the next one. */
  commitAsync(): Promise<void> {
    return this.#writing().commitAsync();
  }

  /**
   * The pairs, in no order, as copies. A key that is there all the time comes once, with the value
   * it has then; one that comes or goes meanwhile may or may not.
   */
  *entries(): Generator<[StoreKey, Buffer], void, undefined> {
    this.#open();
    for (const key of entries(this.#index, this.#parts, () => this.#open())) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
  [Symbol.iterator](): Generator<[StoreKey, Buffer], void, undefined> {
    return this.entries();
  }

  /**
   * Gives the room of what was overwritten and deleted back to the disk, by holes in the file, in
   * steps between which others go on. Ends earlier views. Wants some room itself.
   *
   * @throws {SystemError} ENOSPC: some has been given back
   */
  async compact(options?: CompactOptions): Promise<Compacted> {
    const writer = this.#writing();
    return this.#alone('compact()', () => compact(writer, this.#key, options, () => this.#writing()));
  }

  /** Verifies each record of the log and each slot of the index, in steps. Changes nothing. */
  async check(): Promise<CheckReport> {
    this.#open();
    return this.#alone('check()', () => verifyAll(this.#parts, this.#index, this.#writer !== undefined, () => this.#open()));
  }

  async #alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.#busy !== undefined) throw new StateError('ERR_MEMMAP_BUSY', `${this.#busy} is under way`);
    this.#busy = name;
    try {
      return await act();
    } finally {
      this.#busy = undefined;
    }
  }

  /** What the store consists of. Counts through the index and the catalog, not the records. */
  stats(): StoreStats {
    this.#open();
    const { header, disk } = this.#parts;
    this.#index.begin();
    const extents = header.extents();
    let blocks = 0;
    for (const { block } of segments(this.#index)) blocks += block > 0 ? 1 : 0;
    return {
      size: header.count,
      fileBytes: disk.size(),
      diskBytes: disk.allocated(),
      liveBytes: header.live,
      logBytes: extents.reduce((sum, extent) => sum + extent.blocks * BLOCK, 0),
      indexBytes: (blocks + Math.max(1, (this.#index.mask + 1) / 2 ** 13)) * BLOCK,
      extents: extents.length,
    };
  }

  /** Commits, if the store is open for writing, and lets it go. Views read zeros. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    const writer = this.#writer;
    if (writer?.pending !== undefined) throw new StateError('ERR_MEMMAP_TRANSACTION', 'A transaction is under way');
    if (this.#busy !== undefined || writer?.syncing === true) {
      throw new StateError('ERR_MEMMAP_BUSY', `${this.#busy ?? 'commitAsync()'} is under way: wait for it before close()`);
    }
    this.#closed = true;
    try {
      if (writer !== undefined && !writer.failed) writer.commit();
    } finally {
      this.#views?.close();
      closeStore(this.#parts, writer?.failed);
    }
  }
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): void {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'The store is closed');
  }

  #writing(): Writer {
    this.#open();
    if (this.#writer === undefined) throw new StateError('ERR_MEMMAP_READ_ONLY_STORE', 'The store is open with readOnly: true');
    return this.#writer;
  }

  /** Looks for the key that was taken, in the transaction under way first. */
  #find(): boolean {
    const pending = this.#writer?.pending;
    if (pending !== undefined && pending.size > 0) {
      const at = pending.get(this.#key.name);
      if (at === -1) return false;
      const log = this.#parts.opened?.log;
      if (at !== undefined && log !== undefined) {
        this.#index.window = log.window;
        this.#index.at = log.batchStart + at;
        return true;
      }
    }
    const found = this.#index.find(this.#key);
    // A key that differs though its hash is the same: rare enough to ask whether it is broken.
    if (!found && this.#index.strangerWindow !== -1) this.#suspect(this.#index.strangerWindow, this.#index.strangerAt);
    return found;
  }

  #suspect(window: number, at: number): void {
    const salt = this.#salts.of(window, at);
    if (this.#parts.records.verify(window, at, salt, Infinity) === 0) this.#damaged = byteOf(window, at);
  }

  /** Whether what was found counts; if it should be looked for again, false. */
  #counts(generation: number, look: number): boolean {
    const damaged = this.#damaged;
    this.#damaged = -1;
    if (!this.#index.holds(generation)) return false;
    this.#sound();
    if (damaged === -1) return true;
    this.#salts.refresh();
    if (look < LOOKS) return false;
    throw broken(this.#parts.path, { offset: damaged, what: 'a record' });
  }

  #sound(): void {
    if (this.#windows.faulted) this.#windows.check();
    if (this.#views?.faulted === true) this.#views.check();
  }

  /** Whether the record found matches its sum. */
  #matches(words: Int32Array, window: number, at: number, from: number, length: number): boolean {
    const seed = (this.#salts.of(window, at) + lowOf(window, at)) | 0;
    const hash = xxh32Mapped(words, this.#windows.bytes[window] as Uint8Array, from, length, seed);
    const sum = recordSum(words[at + SHAPE] as number, words[at + VALUE_LENGTH] as number, words[at + KEY_HASH] as number, hash, seed);
    if (sum === words[at]) return true;
    this.#damaged = byteOf(window, at);
    return false;
  }

  #copy(): Buffer | undefined {
    const { window, at } = this.#index;
    const words = this.#windows.words[window] as Int32Array;
    const length = valueLengthOf(words, at);
    if (((words[at + SHAPE] as number) & GIANT) !== 0) return this.#copyGiant(window, at, length);
    const from = valueAt(words, at);
    if (length > words.length * 4 - from * 4) {
      this.#damaged = byteOf(window, at);
      return undefined;
    }
    if (!this.#matches(words, window, at, from, length)) return undefined;
    if (length > SMALL) {
      const large = Buffer.allocUnsafeSlow(length);
      large.set(new Bytes((this.#windows.bytes[window] as Uint8Array).buffer, from * 4, length));
      return large;
    }
    const whole = (length + 3) >> 2;
    if (this.#slabUsed + whole > SLAB / 4) {
      this.#slab = new Int32Array(SLAB / 4);
      this.#slabUsed = 0;
    }
    const slab = this.#slab;
    const start = this.#slabUsed;
    for (let i = 0; i < whole; i++) slab[start + i] = words[from + i] as number;
    this.#slabUsed = start + ((whole + 1) & ~1);
    return new Bytes(slab.buffer, start * 4, length);
  }

  #copyGiant(window: number, at: number, length: number): Buffer | undefined {
    const { records } = this.#parts;
    if (records.verify(window, at, this.#salts.of(window, at), Infinity) === 0) {
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
    if (((words[at + SHAPE] as number) & GIANT) !== 0) return this.#windows.lasting(byteOf(window, from), length);
    if (length > words.length * 4 - from * 4 || (length <= SMALL && !this.#matches(words, window, at, from, length))) {
      this.#damaged = byteOf(window, at);
      return undefined;
    }
    return new Bytes(this.#viewed(window).buffer, from * 4, length);
  }

  #viewed(window: number): Uint8Array {
    if (this.#writer === undefined) return this.#windows.bytes[window] as Uint8Array;
    this.#views ??= new Windows(this.#parts.disk, 'read');
    this.#views.reach(window);
    return this.#views.bytes[window] as Uint8Array;
  }
}

function validateValue(value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalidType('value', 'a Uint8Array', value);
  if (value.length > MOST_VALUE) throw outOfRange('value', `at most ${MOST_VALUE} bytes long`, value.length);
}
