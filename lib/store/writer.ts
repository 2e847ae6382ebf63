// Writer: the operations of the one process that has the store open for writing.
import { StateError } from '../errors.js';
import { IndexUpdater } from './index-updater.js';
import { Key } from './log/key.js';
import {
  BATCH, COMMIT, DELETE, WATERMARK, WATERMARK_BYTES, MOST_MAPPED, PUT, TYPE_AND_LENGTH, TEXT, recordBytes,
} from './file/layout.js';
import { outOfRange } from '../internal/validate.js';
import { type LogPosition, isPast } from './log/log.js';
import { byteOf, recordBytesAt, valueLengthOf } from './log/record.js';
import { chain } from './log/log-reader.js';
import { corruptStore, type WriterState, type StoreParts } from './parts.js';

const markWords = new Int32Array(WATERMARK_BYTES / 4);
const mark = new Uint8Array(markWords.buffer);

/**
 * Where a transaction has put a key: words from the beginning of its batch. Negative if the key was deleted:
 * {@link otherwise} of the place if the transaction had put it before, else {@link DELETED}.
 */
type Pending = Map<string, number>;
/** Deleted without having been put before. */
const DELETED = -1;
/** Converts the place of a put key to that of a deleted one, and back. */
const otherwise = (at: number): number => -2 - at;

export class Writer {
  readonly parts: StoreParts;
  readonly opened: WriterState;
  /** The position up to which the log is durable. */
  #durable: LogPosition;
  /** The parts of the file that a background sync is writing. */
  #syncing: { offset: number; length: number }[] = [];
  #underway: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #failure: unknown;
  #pending: Pending | undefined;
  readonly #applying: IndexUpdater;
  readonly #key: Key;

  constructor(parts: StoreParts, opened: WriterState) {
    this.parts = parts;
    this.opened = opened;
    this.#durable = opened.log.place;
    this.#applying = new IndexUpdater(parts, opened.index, opened.growth);
    this.#key = new Key(parts.header.seed);
  }

  /** The keys that the present transaction has written. */
  get pending(): Pending | undefined {
    return this.#pending;
  }

  #usable(): void {
    if (this.#failure === undefined) return;
    const error = new StateError(
      'ERR_MEMMAP_STORE_FAILED',
      'A commit failed, so the state of the disk is unknown. Close the store and open it again',
    );
    throw Object.assign(error, { cause: this.#failure });
  }

  /** Stores a value for the key. */
  put(key: Key, value: Uint8Array): void {
    this.#usable();
    const { opened: { index, growth, log }, parts: { header, windows } } = this;
    const bytes = recordBytes(key.length, value.length);
    const typeAndLength = key.text ? PUT | TEXT : PUT;
    if (this.#pending !== undefined) {
      if (bytes > MOST_MAPPED) throw outOfRange('value', `at most ${MOST_MAPPED} bytes in a transaction`, value.length);
      log.reserve(bytes);
      log.write(typeAndLength | BATCH, key, key.hash, value);
      this.#pending.set(key.name, log.record - log.batchStart);
      return;
    }
    index.begin();
    const found = index.find(key);
    if (!found && index.free === -1) {
      throw corruptStore(this.parts.disk.path, { offset: byteOf(index.collisionWindow, index.collisionAt), what: 'the record that a slot of the index points to' });
    }
    if (!found) growth.reserve(key);
    const before = found ? recordBytes(key.length, valueLengthOf(windows.words[index.window] as Int32Array, index.at)) : 0;
    if (bytes > MOST_MAPPED) {
      log.writeGiant(typeAndLength, key, value);
    } else {
      log.reserve(bytes);
      log.write(typeAndLength, key, key.hash, value);
    }
    header.live += bytes - before;
    if (found) {
      index.move(key, log.window, log.record);
    } else {
      index.add(key.hash, log.window, log.record);
      header.count += 1;
    }
    log.publish();
    if (windows.faulted) windows.check();
  }

  /** Deletes a key. Returns whether it existed. */
  delete(key: Key): boolean {
    this.#usable();
    const { opened: { index, log }, parts: { header, windows } } = this;
    index.begin();
    const found = index.find(key);
    const typeAndLength = key.text ? DELETE | TEXT : DELETE;
    if (this.#pending !== undefined) {
      const pending = this.#pending.get(key.name);
      if (pending === undefined ? !found : pending < 0) return false;
      log.reserve(recordBytes(key.length, 0));
      log.write(typeAndLength | BATCH, key, key.hash);
      this.#pending.set(key.name, pending === undefined ? DELETED : otherwise(pending));
      return true;
    }
    if (!found) {
      if (windows.faulted) windows.check();
      return false;
    }
    log.reserve(recordBytes(key.length, 0));
    const before = recordBytes(key.length, valueLengthOf(windows.words[index.window] as Int32Array, index.at));
    log.write(typeAndLength, key, key.hash);
    header.live -= before;
    index.remove();
    header.count -= 1;
    log.publish();
    if (windows.faulted) windows.check();
    return true;
  }

  /** Runs `act` and applies all its changes afterwards, or none if it throws. */
  transaction<Result>(act: () => Result): Result {
    this.#usable();
    if (this.#pending !== undefined) throw new StateError('ERR_MEMMAP_TRANSACTION', 'A transaction is under way already: transactions cannot be nested');
    const { log } = this.opened;
    this.#pending = new Map();
    log.beginBatch();
    try {
      const result = act();
      if (typeof (result as { then?: unknown } | undefined)?.then === 'function') {
        throw new StateError('ERR_MEMMAP_TRANSACTION', 'A transaction ends when its function returns, so the function must not be async or return a promise');
      }
      this.#endBatch();
      return result;
    } catch (error) {
      if (log.batchStart !== -1) log.dropBatch();
      throw error;
    } finally {
      this.#pending = undefined;
    }
  }

  #endBatch(): void {
    const { opened: { growth, log }, parts: { windows } } = this;
    if (log.at === log.batchStart) {
      log.endBatch();
      return;
    }
    log.reserve(recordBytes(0, 0));
    const { words, batchStart, at: end } = log;
    // Before the batch is committed: from there on nothing may fail.
    growth.reserveAll(this.#hashesOfNew(words, batchStart));
    const sums = this.#sums(words, batchStart, end);
    log.write(COMMIT, undefined, sums.length, undefined, chain(sums));
    if (windows.faulted) windows.check();
    log.endBatch();
    this.#pending = undefined;
    for (let at = batchStart, length = 0; at < end; at += length / 4) {
      length = recordBytesAt(words, at);
      this.#applying.apply({ window: log.window, at, length, typeAndLength: words[at + TYPE_AND_LENGTH] as number });
    }
    log.publish();
  }

  /** The checksums of the batch's records, in their order. */
  #sums(words: Int32Array, start: number, end: number): number[] {
    const sums: number[] = [];
    for (let at = start; at < end; at += recordBytesAt(words, at) / 4) sums.push(words[at] as number);
    return sums;
  }

  /** The hashes of the keys that will need a new slot of the index. */
  #hashesOfNew(words: Int32Array, start: number): number[] {
    const { index, log } = this.opened;
    const hashes: number[] = [];
    index.begin();
    for (const place of this.#pending?.values() ?? []) {
      const at = place < 0 ? otherwise(place) : place;
      if (at === DELETED) continue;
      this.#key.takeStored(words, start + at);
      if (!index.find(this.#key) || index.isFarFrom(log.window)) hashes.push(this.#key.hash);
    }
    return hashes;
  }

  /** Records in the log up to where it was durable: after a crash, invalid records before that are damage. */
  #mark(): void {
    const { log } = this.opened;
    const { sequence, unit } = this.#durable;
    log.reserve(recordBytes(0, WATERMARK_BYTES));
    markWords[0] = sequence;
    markWords[1] = unit | 0;
    markWords[2] = Math.floor(unit / 2 ** 32);
    log.write(WATERMARK, undefined, this.parts.records.emptyHash, mark);
    log.publish();
  }

  /** Writes a mark, and returns the parts of the file that must be synced. */
  #take(): { ranges: { offset: number; length: number }[]; end: LogPosition } {
    const { log } = this.opened;
    try {
      this.#mark();
    } catch {
      // No room for the mark: the rest can be made durable without it.
    }
    return { ranges: log.takeUnsynced(), end: log.place };
  }

  #outside(): void {
    this.#usable();
    if (this.#pending !== undefined) throw new StateError('ERR_MEMMAP_TRANSACTION', 'A transaction commits when its function returns: do not call commit() inside it');
  }

  /** Waits until all changes are durable. */
  commit(): void {
    this.#outside();
    if (!this.opened.log.hasUnsynced && this.#syncing.length === 0) return;
    const { ranges, end } = this.#take();
    const { windows } = this.parts;
    try {
      for (const { offset, length } of [...this.#syncing, ...ranges]) {
        windows.sync(offset, length);
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#durable = end;
    if (windows.faulted) windows.check();
  }

  /** As {@link commit}, off the thread. Calls made while one is under way share the next. */
  async commitAsync(): Promise<void> {
    this.#outside();
    if (this.#underway === undefined) {
      this.#underway = this.#commitNow().finally(() => {
        this.#underway = undefined;
      });
      return this.#underway;
    }
    this.#queued ??= this.#after(this.#underway);
    return this.#queued;
  }

  async #after(former: Promise<void>): Promise<void> {
    await former.catch(() => {});
    this.#queued = undefined;
    return this.commitAsync();
  }

  async #commitNow(): Promise<void> {
    if (!this.opened.log.hasUnsynced) return;
    const { ranges, end } = this.#take();
    this.#syncing = ranges;
    const { windows, disk } = this.parts;
    try {
      for (const { offset, length } of ranges) {
        for (const part of windows.parts(offset, length)) await disk.syncAsync(part.pages, part.offset, part.length);
      }
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#syncing = [];
    }
    if (isPast(end, this.#durable.sequence, this.#durable.unit)) this.#durable = end;
    if (windows.faulted) windows.check();
  }

  /** As {@link commit}; afterwards the log has a durable mark of it. */
  commitMarked(): void {
    this.commit();
    this.#mark();
    this.commit();
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }
  /** Whether a commitAsync() is under way. */
  get syncing(): boolean {
    return this.#underway !== undefined;
  }
}
