// Walks along the log, record by record, and accepts only records whose checksums match.
import { xxh32 } from '../file/checksum.js';
import type { Extent, Header } from '../file/header.js';
import {
  BATCH, BLOCK_UNITS, BLOCK_WORDS, COMMIT, EXTENT_BEFORE, EXTENT_BEFORE_END, EXTENT_BLOCKS, EXTENT_COPY, EXTENT_MAGIC, EXTENT_SALT,
  EXTENT_SEQUENCE, EXTENT_SUM, EXTENT_UNITS, KEY_HASH, KIND, TYPE_AND_LENGTH, UNIT, VALUE_LENGTH, WINDOW_SHIFT,
} from '../file/layout.js';
import { extentSum } from './extent.js';
import type { Records } from './record.js';
import { unitOf } from './record.js';
import type { MappedFile } from '../file/mapped-file.js';

/** An extent as its own header describes it. */
export interface FoundExtent extends Extent {
  /** The number of the previous extent, and the unit at which the log left it. */
  readonly before: number;
  readonly beforeEnd: number;
  /** Whether the header, or its copy, is damaged. */
  readonly broken: boolean;
}

/** The extent that begins at a block, if one does. */
export function readExtent(windows: MappedFile, header: Header, block: number): FoundExtent | undefined {
  const { words, at: base } = windows.block(block);
  const whole = (at: number): boolean =>
    words[at] === EXTENT_MAGIC && words[at + EXTENT_SUM] === extentSum(words, at, block, header.seed);
  const first = whole(base);
  const second = whole(base + EXTENT_COPY);
  if (!first && !second) return undefined;
  const at = first ? base : base + EXTENT_COPY;
  return {
    block,
    blocks: words[at + EXTENT_BLOCKS] as number,
    sequence: words[at + EXTENT_SEQUENCE] as number,
    salt: words[at + EXTENT_SALT] as number,
    before: words[at + EXTENT_BEFORE] as number,
    beforeEnd: ((words[at + EXTENT_BEFORE_END] as number) >>> 0) + (words[at + EXTENT_BEFORE_END + 1] as number) * 2 ** 32,
    broken: !first || !second,
  };
}

/** Repairs the damaged header of an extent from the other one. */
export function mendExtent(windows: MappedFile, header: Header, block: number): void {
  const { words, at: base } = windows.block(block);
  const first = words[base] === EXTENT_MAGIC && words[base + EXTENT_SUM] === extentSum(words, base, block, header.seed);
  const [from, to] = first ? [base, base + EXTENT_COPY] : [base + EXTENT_COPY, base];
  words.copyWithin(to, from, from + EXTENT_SUM + 1);
}

/** A record: where it is, and how many bytes it takes. */
export interface FoundRecord {
  readonly window: number;
  readonly at: number;
  readonly length: number;
  readonly typeAndLength: number;
}

/** The checksum of a batch: over the checksums of its records, in their order. */
export function chain(sums: readonly number[]): number {
  return xxh32(Int32Array.from(sums), 0, 4 * sums.length, sums.length);
}

export class LogReader {
  readonly extent: FoundExtent | Extent;
  readonly #records: Records;
  readonly #words: Int32Array;
  readonly #window: number;
  #at: number;
  /** Where the extent ends, as a word of its window; for that of a giant possibly past the window. */
  readonly #end: number;

  /** @param from units from the start of the extent */
  constructor(windows: MappedFile, records: Records, extent: Extent, from: number = EXTENT_UNITS) {
    this.extent = extent;
    this.#records = records;
    this.#window = extent.block >>> WINDOW_SHIFT;
    const { words, at: base } = windows.block(extent.block);
    this.#words = words;
    this.#at = base + 2 * from;
    this.#end = base + extent.blocks * BLOCK_WORDS;
  }

  /** Where the next record begins, in units of the file, and of the extent. */
  get unit(): number {
    return unitOf(this.#window, this.#at);
  }
  get used(): number {
    return this.unit - this.extent.block * BLOCK_UNITS;
  }

  /** The next record; undefined if no valid one follows. */
  #record(): FoundRecord | undefined {
    const most = (this.#end - this.#at) * 4;
    if (most < UNIT * 2) return undefined;
    const length = this.#records.verify(this.#window, this.#at, this.extent.salt, most);
    return length === 0 ? undefined : { window: this.#window, at: this.#at, length, typeAndLength: this.#words[this.#at + TYPE_AND_LENGTH] as number };
  }

  /**
   * The next record, or the records of the next batch with its COMMIT last: what was written together.
   * Undefined if no valid one follows; then the position does not change.
   */
  next(): readonly FoundRecord[] | undefined {
    const start = this.#at;
    const found: FoundRecord[] = [];
    for (;;) {
      const record = this.#record();
      if (record === undefined) break;
      found.push(record);
      this.#at += record.length / 4;
      if ((record.typeAndLength & KIND) === COMMIT) {
        if (this.#commits(found)) return found;
        break;
      }
      if ((record.typeAndLength & BATCH) === 0) {
        if (found.length === 1) return found;
        break; // a batch without a COMMIT
      }
    }
    this.#at = start;
    return undefined;
  }

  #commits(found: readonly FoundRecord[]): boolean {
    const words = this.#words;
    const last = found.at(-1) as FoundRecord;
    const batch = found.slice(0, -1);
    if (words[last.at + KEY_HASH] !== batch.length) return false;
    return words[last.at + VALUE_LENGTH] === chain(batch.map(({ at }) => words[at] as number));
  }

  /** After {@link next} found nothing: moves to the next valid record. False if there is none. */
  skip(): boolean {
    const start = this.#at;
    // Skips bytes that are not a record, and records of a damaged batch.
    const end = Math.min(this.#end, this.#words.length);
    for (this.#at += 2; this.#at < end; this.#at += 2) {
      if (this.#words[this.#at + TYPE_AND_LENGTH] === 0) continue;
      const at = this.#at;
      const found = this.next();
      this.#at = at;
      if (found !== undefined) return true;
    }
    this.#at = start;
    return false;
  }
}
