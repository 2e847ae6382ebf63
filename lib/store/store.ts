// Store: a persistent hash table in a mapped file.
import { disposable } from '../internal/realms/dispose.js';
import { isUint8Array } from '../internal/realms/kinds.js';
import { PeerError, StateError } from '../errors.js';
import { showAs } from '../internal/inspect.js';
import { OURS, invalidType, outOfRange, validateFunction, validateIterable, validateOptions, validateOurs } from '../internal/validate.js';
import { type CheckReport, verifyAll } from './check.js';
import { type CompactOptions, type Compacted, compact } from './compaction.js';
import { scanKeys } from './scan.js';
import { HashIndex, segments } from './index/hash-index.js';
import type { StoreKey } from './log/key.js';
import { BLOCK, MOST_VALUE } from './file/layout.js';
import { type OpenStore, type StoreOptions, closeStore, openStore } from './open.js';
import { type Damage, corruptStore } from './parts.js';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

/** The size of a store and its parts: {@link Store.stats}. */
export interface StoreStats {
  /** The number of pairs. */
  readonly size: number;
  /** The length of the file in bytes, including holes. */
  readonly fileBytes: number;
  /** Bytes of the disk that the file occupies. */
  readonly diskBytes: number;
  /** Bytes of the current records; an estimate after a crash, until `compact()`. */
  readonly liveBytes: number;
  /** Bytes of the log. */
  readonly logBytes: number;
  /** Bytes of the index. */
  readonly indexBytes: number;
  /** The number of pieces of the log. */
  readonly extents: number;
}

/** Options of {@link Store.entries}. */
export interface EntriesOptions {
  /** Called for each pair that cannot be read, which is then left out. Otherwise the iteration throws there. */
  readonly onDamage?: ((damage: Damage) => void) | undefined;
}

/**
 * A persistent hash table in one file, from keys to bytes. One process at a time writes; any number
 * of processes and threads read, without waiting and without locks.
 *
 * When `put()` has returned, the change survives the death of the process; when `commit()` has returned,
 * a loss of power: docs/durability.md.
 *
 * ```js
 * using store = Store.open('users.db');
 * store.put('ada', Buffer.from('{"name":"Ada"}'));
 * store.get('ada');
 * ```
 *
 * After `close()` every method except `close()` throws ERR_MEMMAP_CLOSED. Methods throw ERR_MEMMAP_CORRUPT
 * with the offset if they meet damaged data, and a FaultError if the file was truncated. Methods that write
 * throw ERR_MEMMAP_READ_ONLY_STORE with `readOnly: true`, and ERR_MEMMAP_STORE_FAILED after a failed commit.
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
   * Opens a store, or creates it if the file does not exist. Blocks until another writer has closed it. After
   * a crash it recovers the store first.
   *
   * @throws {StateError} ERR_MEMMAP_TIMEOUT if another writer has not closed it within `timeout`
   * @throws {PeerError} ERR_MEMMAP_NOT_A_STORE; ERR_MEMMAP_CORRUPT with the offset if durable data is damaged;
   * ERR_MEMMAP_UNCLEAN if it must be recovered, but may not be written
   * @throws {SystemError} as open(2); ENOSPC
   */
  static open(path: string | URL, options?: StoreOptions): Store {
    return new Store(OURS, openStore(path, options));
  }

  /** The file, as an absolute path. */
  get path(): string {
    return this.#parts.path;
  }
  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }
  /** Whether it was opened with `readOnly: true`. */
  get readOnly(): boolean {
    return this.#writer === undefined;
  }

  /** The number of pairs. */
  get size(): number {
    this.#open();
    const { count } = this.#parts.header;
    this.#reader.sound();
    return count;
  }

  /** Returns a copy of the value, after verifying its checksum; undefined if the key does not exist. */
  get(key: StoreKey): Buffer | undefined {
    this.#open();
    return this.#reader.get(key);
  }

  /**
   * Returns the value in place, without copying it; undefined if the key does not exist. The bytes do not
   * change, even when the key is put again or deleted, until the writer calls `compact()` or this store is
   * closed: then they may be zeros. Do not write to them: that changes nothing, and the next call throws
   * ERR_MEMMAP_READ_ONLY once. The checksum is verified for values up to 1 KiB.
   */
  getView(key: StoreKey): Buffer | undefined {
    this.#open();
    return this.#reader.getView(key);
  }

  /** Whether the key exists. */
  has(key: StoreKey): boolean {
    this.#open();
    return this.#reader.has(key);
  }

  /**
   * Stores a copy of the value under the key, in place of an earlier value.
   *
   * @param key at most 64 KiB; a string stands for its UTF-8 bytes
   * @param value at most 4 GiB
   * @throws {SystemError} ENOSPC; then the store has not changed
   * @throws {StateError} ERR_MEMMAP_STORE_FULL
   */
  put(key: StoreKey, value: Uint8Array): void {
    const writer = this.#writing();
    this.#reader.key.take(key);
    validateValue(value);
    writer.put(this.#reader.key, value);
    if (this.#each && writer.pending === undefined) this.#commit(writer);
  }

  /** Deletes a key. @returns whether it existed */
  delete(key: StoreKey): boolean {
    const writer = this.#writing();
    this.#reader.key.take(key);
    const found = writer.delete(this.#reader.key);
    if (found && this.#each && writer.pending === undefined) this.#commit(writer);
    return found;
  }

  /**
   * Stores many pairs, each as by `put()`: if one throws, those before it are stored.
   *
   * @returns the number of pairs
   */
  putMany(pairs: Iterable<readonly [StoreKey, Uint8Array]>): number {
    const writer = this.#writing();
    validateIterable(pairs, 'pairs', 'pairs');
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
    if (this.#each && writer.pending === undefined) this.#commit(writer);
    return count;
  }

  /**
   * Calls `act` and applies all its changes together, or none if it throws or the process dies. `act` sees
   * its own changes, except in `size` and `entries()`. It must not be async. At most 512 MiB, and 256 MiB
   * for a pair.
   *
   * @returns what `act` returns
   * @throws {StateError} ERR_MEMMAP_TRANSACTION if `act` returns a promise, or starts another transaction
   * @throws {SystemError} ENOSPC; then the store has not changed
   */
  transaction<Result>(act: () => Result): Result {
    const writer = this.#writing();
    validateFunction(act, 'act');
    const result = writer.transaction(act);
    if (this.#each) this.#commit(writer);
    return result;
  }

  /**
   * Waits until all changes are on the disk: msync(2).
   *
   * @throws {SystemError} EIO, ENOSPC: the state of the disk is then unknown, and the store must be opened again
   * @throws {StateError} ERR_MEMMAP_TRANSACTION inside a transaction; ERR_MEMMAP_FILE_REPLACED if the path leads
   * to another file now, or was removed: the changes are on the disk, but not where the next open() looks
   */
  commit(): void {
    this.#commit(this.#writing());
  }

  #commit(writer: Writer): void {
    writer.commit();
    this.#parts.disk.demandPath();
  }

  /** As {@link commit}, off the main thread. Calls made while one is under way share the next one. */
  async commitAsync(): Promise<void> {
    await this.#writing().commitAsync();
    if (!this.#closed) this.#parts.disk.demandPath();
  }

  /**
   * Iterates over the pairs, in no particular order; values are copies. A key that exists throughout the
   * iteration is returned once, with its value at that time; a key that is added or deleted meanwhile may be
   * returned or not.
   *
   * @throws {PeerError} ERR_MEMMAP_CORRUPT at a pair that cannot be read, unless `onDamage` is given
   */
  entries(options: EntriesOptions = {}): Generator<[StoreKey, Buffer], void, undefined> {
    validateOptions<EntriesOptions>(options, ['onDamage']);
    const { onDamage } = options;
    if (onDamage !== undefined) validateFunction(onDamage, 'options.onDamage');
    this.#open();
    return this.#entries(onDamage);
  }
  /** The same as {@link entries}. */
  [Symbol.iterator](): Generator<[StoreKey, Buffer], void, undefined> {
    return this.entries();
  }

  *#entries(onDamage: EntriesOptions['onDamage']): Generator<[StoreKey, Buffer], void, undefined> {
    const broken = (damage: Damage): void => {
      if (onDamage === undefined) throw corruptStore(this.path, damage);
      onDamage(damage);
    };
    for (const key of scanKeys(this.#index, this.#parts, () => this.#open())) {
      if (typeof key === 'number') {
        broken({ offset: key, what: 'the key of a record' });
        continue;
      }
      const value = this.#valueOf(key, onDamage);
      if (value !== undefined) yield [key, value];
    }
  }

  #valueOf(key: StoreKey, onDamage: EntriesOptions['onDamage']): Buffer | undefined {
    try {
      return this.get(key);
    } catch (error) {
      if (onDamage === undefined || !(error instanceof PeerError) || error.offset === undefined) throw error;
      onDamage({ offset: error.offset, what: 'a record' });
      return undefined;
    }
  }

  /**
   * Frees the disk space of overwritten and deleted values, by punching holes in the file. Runs in steps, between
   * which other calls work. Ends earlier views. Needs some free space itself.
   *
   * @throws {SystemError} ENOSPC; some space may have been freed
   * @throws {StateError} ERR_MEMMAP_BUSY while `compact()` or `check()` is under way
   */
  async compact(options?: CompactOptions): Promise<Compacted> {
    const writer = this.#writing();
    return this.#alone('compact()', () => compact(writer, this.#reader.key, options, () => this.#writing()));
  }

  /**
   * Verifies each record of the log and each slot of the index, in steps, and reports damage. Changes nothing.
   *
   * @throws {StateError} ERR_MEMMAP_BUSY while `compact()` or `check()` is under way
   */
  async check(): Promise<CheckReport> {
    this.#open();
    return this.#alone('check()', () => verifyAll(this.#parts, this.#index, this.#writer !== undefined, () => this.#open()));
  }

  async #alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.#busy !== undefined) throw new StateError('ERR_MEMMAP_BUSY', `${this.#busy} is under way: wait for it before ${name}`);
    this.#busy = name;
    try {
      return await act();
    } finally {
      this.#busy = undefined;
    }
  }

  /** The size of the store and its parts. Reads the index and the catalog, not the records. */
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

  /**
   * Commits if the store is open for writing, and closes it. Views then read as zeros. Idempotent.
   *
   * @throws {StateError} ERR_MEMMAP_BUSY while `compact()`, `check()` or `commitAsync()` is under way;
   * ERR_MEMMAP_TRANSACTION inside a transaction; ERR_MEMMAP_FILE_REPLACED, as {@link commit}, and then it is closed
   */
  close(): void {
    if (this.#closed) return;
    const writer = this.#writer;
    if (writer?.pending !== undefined) throw new StateError('ERR_MEMMAP_TRANSACTION', 'A transaction is under way: close() the store after it');
    if (this.#busy !== undefined || writer?.syncing === true) {
      throw new StateError('ERR_MEMMAP_BUSY', `${this.#busy ?? 'commitAsync()'} is under way: wait for it before close()`);
    }
    this.#closed = true;
    try {
      if (writer !== undefined && !writer.failed) this.#commit(writer);
    } finally {
      this.#reader.close();
      closeStore(this.#parts, writer?.failed);
    }
  }
  /** Closes the store at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): void {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'The store is closed');
  }

  #writing(): Writer {
    this.#open();
    if (this.#writer === undefined) throw new StateError('ERR_MEMMAP_READ_ONLY_STORE', 'The store is open with readOnly: true, so it cannot be changed');
    return this.#writer;
  }
}
disposable(Store);

function validateValue(value: unknown): asserts value is Uint8Array {
  if (!isUint8Array(value)) throw invalidType('value', 'a Uint8Array', value);
  if (value.length > MOST_VALUE) throw outOfRange('value', `at most ${MOST_VALUE} bytes long`, value.length);
}

showAs(Store.prototype, {
  path: ({ path }) => path,
  size: (store) => (store.closed ? undefined : store.size),
  closed: ({ closed }) => closed,
});
