// Store: a persistent hash table in a mapped file.
import { StateError } from '../errors.js';
import { showAs } from '../internal/inspect.js';
import { OURS, invalidType, outOfRange, validateFunction, validateOurs } from '../internal/validate.js';
import { type CheckReport, verifyAll } from './check.js';
import { type CompactOptions, type Compacted, compact } from './compaction.js';
import { entries } from './scan.js';
import { HashIndex, segments } from './index/hash-index.js';
import type { StoreKey } from './log/key.js';
import { BLOCK, MOST_VALUE } from './file/layout.js';
import { type OpenStore, type StoreOptions, closeStore, openStore } from './open.js';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

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
  readonly #reader: Reader;
  readonly #each: boolean;
  #closed = false;
  #busy: string | undefined;

  private constructor(key: typeof OURS, parts: OpenStore) {
    validateOurs(key, 'Store.open()');
    this.#parts = parts;
    this.#index = parts.opened?.index ?? new HashIndex(parts.windows, parts.header);
    this.#writer = parts.opened === undefined ? undefined : new Writer(parts, parts.opened);
    this.#each = parts.durability === 'put';
    this.#reader = new Reader(parts, this.#index, this.#writer);
  }

  /**
   * Opens a store, and makes it if there is none. Blocks until the writer before has gone.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT: it has not
   * @throws {PeerError} ERR_MEMMAP_NOT_A_STORE; ERR_MEMMAP_CORRUPT with the offset, after a loss of power
   * @throws {SystemError} as open(2); ENOSPC
   */
  static open(path: string | URL, options?: StoreOptions): Store {
    return new Store(OURS, openStore(path, options));
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
    this.#reader.sound();
    return count;
  }

  /** A copy of the value, whose checksum has been verified; undefined if there is none. */
  get(key: StoreKey): Buffer | undefined {
    this.#open();
    return this.#reader.get(key);
  }

  /**
   * The value in place, without copying it. Its bytes stay what they are, even when the key is put
   * again or deleted, until the writer's `compact()` or this store's `close()`: they may be zeros
   * then. Writing to them reaches nobody: the next call throws ERR_MEMMAP_READ_ONLY, once. The checksum is verified of values up to 1 KiB.
   */
  getView(key: StoreKey): Buffer | undefined {
    this.#open();
    return this.#reader.getView(key);
  }

  has(key: StoreKey): boolean {
    this.#open();
    return this.#reader.has(key);
  }

  /**
   * Stores a value. @throws {SystemError} ENOSPC, and the store is what it was
   *
   * @param key at most 64 KiB; a string counts as its UTF-8 bytes
   * @param value at most 4 GiB
   */
  put(key: StoreKey, value: Uint8Array): void {
    const writer = this.#writing();
    this.#reader.key.take(key);
    validateValue(value);
    writer.put(this.#reader.key, value);
    if (this.#each && writer.pending === undefined) writer.commit();
  }

  /** Forgets a key. @returns whether it was there */
  delete(key: StoreKey): boolean {
    const writer = this.#writing();
    this.#reader.key.take(key);
    const found = writer.delete(this.#reader.key);
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
    validateIterable(pairs);
    let count = 0;
    for (const pair of pairs) {
      if (!Array.isArray(pair)) throw invalidType('pair', 'an array of key and value', pair);
      const [key, value] = pair as [StoreKey, Uint8Array];
      this.#open();
      this.#reader.key.take(key);
      validateValue(value);
      writer.put(this.#reader.key, value);
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
    const result = writer.transaction(act);
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
    return this.#alone('compact()', () => compact(writer, this.#reader.key, options, () => this.#writing()));
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

  /** Commits, if the store is open for writing, and lets it go. Views read zeros. Idempotent. */
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
      this.#reader.close();
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
}

function validateIterable(pairs: unknown): void {
  const iterates = typeof pairs === 'object' && pairs !== null && Symbol.iterator in pairs;
  if (!iterates) throw invalidType('pairs', 'an iterable of pairs', pairs);
}

function validateValue(value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalidType('value', 'a Uint8Array', value);
  if (value.length > MOST_VALUE) throw outOfRange('value', `at most ${MOST_VALUE} bytes long`, value.length);
}

showAs(Store.prototype, {
  path: ({ path }) => path,
  size: (store) => (store.closed ? undefined : store.size),
  closed: ({ closed }) => closed,
});
