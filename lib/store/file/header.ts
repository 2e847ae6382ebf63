// Header: block 0. It identifies the store, and has the state of its writer and the catalog of extents.
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fstat } from '../../internal/descriptors/calls.js';
import { PeerError, StateError } from '../../errors.js';
import { xxh32 } from './checksum.js';
import type { StoreFile } from './store-file.js';
import {
  AT_CATALOG, AT_CATALOG_SUMS, AT_CLOSED_SUM, AT_COPY, AT_COUNT, AT_DIRECTORY, AT_DIRECTORY_SUMS, AT_GENERATION, AT_HEADER_SUM, AT_LIVE, AT_MAGIC, AT_PID, AT_SEED, AT_SEQUENCE, AT_STAMP,
  AT_SPLIT, AT_STATE, AT_VERSION, BLOCK, CATALOG_PLACES, CATALOG_WORDS, CLEAN, DEPTH_SHIFT, DIRECTORY_BLOCK, FIXED_WORDS, MAGIC, OPEN, SPLIT_WORDS,
  STAMP_WORDS, VERSION,
} from './layout.js';
import { loadAcquire } from './memory-order.js';

/** An entry of the catalog. */
export interface Extent {
  /** Its first block, and how many blocks it has. */
  readonly block: number;
  readonly blocks: number;
  /** Its number: the log consists of the extents in this order. */
  readonly sequence: number;
  /** Random, so that records of an earlier extent in the same place do not match. */
  readonly salt: number;
}

/** The boot ID of the kernel: 16 bytes. */
export function bootId(): Buffer {
  return Buffer.from(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replace(/[^0-9a-f]/g, ''), 'hex');
}

/** The boot ID and the identity of the file. While these are the same, the page cache has the newest pages. */
function stampOf(fd: number): Int32Array {
  const stamp = new Int32Array(STAMP_WORDS);
  const boot = bootId();
  for (let i = 0; i < 4; i++) stamp[i] = boot.readInt32LE(4 * i);
  const { dev, ino } = fstat(fd, { bigint: true });
  stamp.set([Number(BigInt.asIntN(32, dev)), Number(BigInt.asIntN(32, dev >> 32n))], 4);
  stamp.set([Number(BigInt.asIntN(32, ino)), Number(BigInt.asIntN(32, ino >> 32n))], 6);
  return stamp;
}

export class Header {
  readonly words: Int32Array;
  readonly #live: Float64Array;
  readonly #stamp: Int32Array;
  readonly #path: string;

  constructor(words: Int32Array, disk: StoreFile) {
    this.words = words;
    this.#live = new Float64Array(words.buffer, AT_LIVE * 4, 1);
    this.#stamp = stampOf(disk.fd);
    this.#path = disk.path;
  }

  /** Whether the file is not a store yet. */
  static isMissing(words: Int32Array): boolean {
    return words[AT_MAGIC] === 0 && words[AT_MAGIC + 1] === 0;
  }

  /** Writes the part that never changes; last the magic, which makes it a store. */
  make(): void {
    const { words } = this;
    words.fill(0, 0, BLOCK / 4);
    words[AT_VERSION] = VERSION;
    words[AT_SEED] = randomInt(2 ** 32) | 0;
    const fixed = Int32Array.from(MAGIC.concat(Array.from(words.subarray(AT_VERSION, FIXED_WORDS))));
    words[AT_HEADER_SUM] = xxh32(fixed, 0, 4 * FIXED_WORDS, 0);
    words[AT_MAGIC + 1] = MAGIC[1];
    words.copyWithin(AT_COPY, 0, AT_HEADER_SUM + 1);
    words[AT_COPY] = MAGIC[0];
    Atomics.store(words, AT_MAGIC, MAGIC[0]);
  }

  /** Restores the part that never changes from its copy, if that is valid. */
  mend(): boolean {
    const copy = this.words.slice(AT_COPY, AT_COPY + AT_HEADER_SUM + 1);
    const whole = copy[AT_MAGIC] === MAGIC[0] && copy[AT_HEADER_SUM] === xxh32(copy, 0, 4 * FIXED_WORDS, 0);
    if (whole) this.words.set(copy);
    return whole;
  }

  /** Throws unless the file is a store that this version can read. */
  verify(): void {
    const { words } = this;
    const path = this.#path;
    if (words[AT_MAGIC] !== MAGIC[0] || words[AT_MAGIC + 1] !== MAGIC[1]) {
      throw new PeerError('ERR_MEMMAP_NOT_A_STORE', `'${path}' is not a store, or its first bytes were overwritten`, 0);
    }
    const version = words[AT_VERSION] as number;
    if (version !== VERSION) {
      throw new PeerError('ERR_MEMMAP_NOT_A_STORE', `'${path}' has format version ${version}; this version of memmap supports ${VERSION}`, 4 * AT_VERSION);
    }
    if (words[AT_HEADER_SUM] !== xxh32(words, 0, 4 * FIXED_WORDS, 0)) {
      throw new PeerError('ERR_MEMMAP_CORRUPT', `The header of '${path}' does not match its checksum`, 0);
    }
  }

  get seed(): number {
    return this.words[AT_SEED] as number;
  }
  get state(): number {
    return Atomics.load(this.words, AT_STATE);
  }
  /** The process that has or had the store open for writing. Only a hint. */
  get pid(): number {
    return this.words[AT_PID] as number;
  }

  /** Never 0. */
  #sumOf(words: Int32Array): number {
    return xxh32(words, 0, 4 * words.length, this.seed) || 1;
  }

  /** Whether what leads to the index and to the log is as a writer has written it, wherever it died. */
  get whole(): boolean {
    const { words } = this;
    const matches = (at: number, sum: number): boolean => words[at] === sum || words[at + 1] === sum;
    const last = this.extents().at(-1);
    return (
      matches(AT_DIRECTORY_SUMS, this.#sumOf(words.subarray(AT_DIRECTORY, AT_DIRECTORY + 1))) &&
      matches(AT_CATALOG_SUMS, this.#catalogSum()) &&
      (words[AT_SPLIT] === 0 || words[AT_SPLIT] === this.#sumOf(words.subarray(AT_SPLIT + 1, AT_SPLIT + SPLIT_WORDS))) &&
      (last === undefined || this.sequence >= last.sequence)
    );
  }

  /** Stores a word that has a sum, or a part in one. */
  #storeSummed(at: number, word: number, sums: number, sum: number): void {
    Atomics.store(this.words, sums, sum);
    Atomics.store(this.words, at, word);
    Atomics.store(this.words, sums + 1, sum);
  }

  #catalogSum(): number {
    let sum = 0;
    for (let place = 0; place < CATALOG_PLACES; place++) {
      const at = AT_CATALOG + CATALOG_WORDS * place;
      if (this.words[at] !== 0) sum ^= this.#sumOf(this.words.subarray(at, at + CATALOG_WORDS));
    }
    return sum;
  }

  /** Records that a segment is being replaced, and by what; false: no longer. */
  setSplit(parts: readonly number[] | false): void {
    const { words } = this;
    if (parts !== false) words.set(parts, AT_SPLIT + 1);
    Atomics.store(words, AT_SPLIT, parts === false ? 0 : this.#sumOf(Int32Array.from(parts)));
  }
  /** What {@link setSplit} recorded last; undefined if nothing is being replaced. */
  get split(): Int32Array | undefined {
    return Atomics.load(this.words, AT_SPLIT) === 0 ? undefined : this.words.subarray(AT_SPLIT + 1, AT_SPLIT + SPLIT_WORDS);
  }

  /** Whether the index matches the log: the store was closed cleanly, or the page cache of this boot has it. */
  get current(): boolean {
    return (this.state === CLEAN && this.words[AT_CLOSED_SUM] === this.#closedSum()) || (this.state === OPEN && this.#stamp.every((word, i) => this.words[AT_STAMP + i] === word));
  }

  /** Marks the index as current as long as this kernel runs. */
  open(): void {
    this.words.set(this.#stamp, AT_STAMP);
    this.words[AT_PID] = process.pid;
    Atomics.store(this.words, AT_STATE, OPEN);
  }
  close(): void {
    Atomics.store(this.words, AT_STATE, CLEAN);
    this.words[AT_CLOSED_SUM] = this.#closedSum();
  }
  #closedSum(): number {
    return xxh32(this.words, AT_STATE, BLOCK - 4 * AT_STATE, 0);
  }
  /** Marks the index as invalid. */
  invalidate(): void {
    Atomics.store(this.words, AT_STATE, 0);
  }

  get generation(): number {
    return loadAcquire(this.words, AT_GENERATION);
  }
  /** Must be called before anything that readers may be reading is reused. */
  advance(): void {
    Atomics.add(this.words, AT_GENERATION, 1);
  }

  get directory(): { block: number; depth: number } {
    const word = Atomics.load(this.words, AT_DIRECTORY);
    return { block: word & DIRECTORY_BLOCK, depth: word >>> DEPTH_SHIFT };
  }
  setDirectory(block: number, depth: number): void {
    const word = block | (depth << DEPTH_SHIFT);
    this.#storeSummed(AT_DIRECTORY, word, AT_DIRECTORY_SUMS, this.#sumOf(Int32Array.of(word)));
  }

  get count(): number {
    return (this.words[AT_COUNT] as number) >>> 0;
  }
  set count(count: number) {
    this.words[AT_COUNT] = count | 0;
  }

  /** Bytes of the records that the index points to. */
  get live(): number {
    return this.#live[0] as number;
  }
  set live(bytes: number) {
    this.#live[0] = bytes;
  }

  /** The last number given to an extent. */
  get sequence(): number {
    return this.words[AT_SEQUENCE] as number;
  }
  set sequence(sequence: number) {
    this.words[AT_SEQUENCE] = sequence;
  }

  /** The extents, in the order of the log. */
  extents(): Extent[] {
    const { words } = this;
    const found: Extent[] = [];
    for (let place = 0; place < CATALOG_PLACES; place++) {
      const at = AT_CATALOG + CATALOG_WORDS * place;
      const block = words[at] as number;
      if (block === 0) continue;
      found.push({ block, blocks: words[at + 1] as number, sequence: words[at + 2] as number, salt: words[at + 3] as number });
    }
    return found.toSorted((a, b) => a.sequence - b.sequence);
  }

  /** @throws {StateError} ERR_MEMMAP_STORE_FULL: the catalog has no place for another extent */
  reserve(): void {
    this.#freePlace();
  }

  #freePlace(): number {
    const at = this.#placeOf(0);
    if (at === -1) throw new StateError('ERR_MEMMAP_STORE_FULL', `The log is in too many pieces (${CATALOG_PLACES}, the most that the format permits): compact() the store`);
    return at;
  }

  /** Puts an extent into the catalog, its block last. @throws {StateError} ERR_MEMMAP_STORE_FULL */
  enter({ block, blocks, sequence, salt }: Extent): void {
    const at = this.#freePlace();
    this.words.set([blocks, sequence, salt], at + 1);
    const sum = this.#catalogSum() ^ this.#sumOf(Int32Array.of(block, blocks, sequence, salt));
    this.#storeSummed(at, block, AT_CATALOG_SUMS, sum);
  }

  removeExtent(block: number): void {
    const at = this.#placeOf(block);
    if (at === -1) return;
    const sum = this.#catalogSum() ^ this.#sumOf(this.words.subarray(at, at + CATALOG_WORDS));
    this.#storeSummed(at, 0, AT_CATALOG_SUMS, sum);
  }

  #placeOf(block: number): number {
    for (let place = 0; place < CATALOG_PLACES; place++) {
      const at = AT_CATALOG + CATALOG_WORDS * place;
      if (this.words[at] === block) return at;
    }
    return -1;
  }

  clearCatalog(): void {
    this.words.fill(0, AT_CATALOG, AT_CATALOG + CATALOG_WORDS * CATALOG_PLACES);
    this.words.fill(0, AT_CATALOG_SUMS, AT_CATALOG_SUMS + 2);
  }
}
