// Checks every record against its checksum, every slot of the index against its record, and that
// the index leads to the newest record of each key.
import { setImmediate } from 'node:timers/promises';
import { type ScannedSegment, eachSlot, isSlotOf, scanSegments } from './scan.js';
import type { Extent } from './file/header.js';
import type { HashIndex } from './index/hash-index.js';
import { Key } from './log/key.js';
import { BLOCK_UNITS, DELETE, KEY_HASH, KIND, PUT, UNIT } from './file/layout.js';
import { byteOf, unitOf } from './log/record.js';
import { usedOf } from './recovery.js';
import { ExtentTable } from './log/extent-table.js';
import { type FoundRecord, LogReader, readExtent } from './log/log-reader.js';
import type { Damage, StoreParts } from './parts.js';

/** The result of {@link Store.check}. */
export interface CheckReport {
  /** Valid records, including those of older values. */
  readonly records: number;
  /** Pairs that the index points to. */
  readonly pairs: number;
  /** What is damaged, with its place in the file. Empty if nothing is. */
  readonly damage: readonly Damage[];
}

/** Records, or pages of the log, between two turns of the event loop. */
const STEP = 4096;
const PAGE_UNITS = 4096 / UNIT;
/** How often to count the pairs before a difference is reported: a writer may be between two stores. */
const LOOKS = 3;

/** @param writes whether this is the writer, so that no other process can change the store meanwhile */
export async function verifyAll(parts: StoreParts, index: HashIndex, writes: boolean, still: () => void): Promise<CheckReport> {
  const check = new Check(parts, index);
  for (let generation = index.begin(); ; generation = index.begin()) {
    await check.log(still);
    await check.slots(still);
    // If another process has reused blocks meanwhile, the results mean nothing.
    if (writes || index.holds(generation)) break;
    check.restart();
  }
  if (parts.windows.faulted) parts.windows.check();
  return check.report;
}

/** A slot that points to a record. */
interface Slot {
  readonly window: number;
  readonly at: number;
  readonly mark: number;
}

class Check {
  readonly #parts: StoreParts;
  readonly #index: HashIndex;
  readonly #key: Key;
  readonly #salts: ExtentTable;
  #records = 0;
  #pairs = 0;
  #steps = 0;
  /** The position in the log, and whether no valid record follows it. */
  #walk: LogReader | undefined;
  #stuck = false;
  #damage: Damage[] = [];
  /** Keys that the index does not have -> the unit of their newest record if it is a PUT, otherwise -1. */
  #absent = new Map<string, number>();
  /** Keys for which it leads to a record before this one: an older value, or one that was deleted. */
  #older = new Map<string, FoundRecord>();

  constructor(parts: StoreParts, index: HashIndex) {
    this.#parts = parts;
    this.#index = index;
    this.#key = new Key(parts.header.seed);
    this.#salts = new ExtentTable(parts.header);
  }

  restart(): void {
    this.#records = 0;
    this.#pairs = 0;
    this.#damage = [];
    this.#absent.clear();
    this.#older.clear();
    this.#walk = undefined;
  }

  get report(): CheckReport {
    return { records: this.#records, pairs: this.#pairs, damage: this.#damage };
  }

  #broken(unit: number, what: string): void {
    this.#damage.push({ offset: unit * UNIT, what });
  }

  async log(still: () => void): Promise<void> {
    this.#salts.refresh();
    await this.#walkTo(this.#end, still, (found) => this.#record(found));
    // Records written meanwhile explain why the index did not have their keys before.
    await this.#walkTo(this.#end, still, (found) => {
      if (this.#take(found)) this.#absent.delete(this.#key.name);
    });
    for (const unit of this.#absent.values()) if (unit !== -1) this.#broken(unit, 'the index, which lacks this record,');
    this.#absent.clear();
    // A writer may have been between the record and the index.
    this.#index.begin();
    for (const found of this.#older.values()) {
      if (!this.#take(found) || !this.#index.find(this.#key) || !this.#isBefore(found)) continue;
      this.#broken(unitOf(found.window, found.at), 'the index, which leads to an older record of the same key,');
    }
    this.#older.clear();
  }

  /** Whether the record that the index has just found comes before another in the log. */
  #isBefore({ window, at }: FoundRecord): boolean {
    const found = [this.#index.window, this.#index.at] as const;
    if (found[0] === window && found[1] === at) return false;
    const [one, other] = [this.#salts.numberAt(...found), this.#salts.numberAt(window, at)];
    return one === other ? unitOf(...found) < unitOf(window, at) : one < other;
  }

  /** Where the log ends now: its last extent, and the units used in it. */
  get #end(): { sequence: number; used: number } {
    const { windows, header } = this.#parts;
    const last = header.extents().findLast((extent) => this.#has(extent));
    return last === undefined ? { sequence: 0, used: 0 } : { sequence: last.sequence, used: usedOf(windows, last) };
  }

  /** Whether the file contains the header of the extent: it may be truncated, or the catalog damaged. */
  #has({ block }: Extent): boolean {
    return block > 0 && this.#parts.windows.hasBlock(block);
  }

  /** Walks from the present position to `end`. */
  async #walkTo(end: { sequence: number; used: number }, still: () => void, act: (found: FoundRecord) => void): Promise<void> {
    const { windows, records, header } = this.#parts;
    const from = this.#walk?.extent.sequence ?? 0;
    for (const extent of header.extents()) {
      if (extent.sequence < from || extent.sequence > end.sequence) continue;
      if (this.#walk?.extent.sequence !== extent.sequence) {
        const own = this.#has(extent) ? readExtent(windows, header, extent.block) : undefined;
        if (own?.sequence !== extent.sequence || own.broken) this.#broken(extent.block * BLOCK_UNITS, "an extent's header");
        if (!this.#has(extent)) continue;
        this.#walk = new LogReader(windows, records, extent);
        this.#stuck = false;
      }
      const used = extent.sequence === end.sequence ? end.used : usedOf(windows, extent);
      await this.#go(this.#walk, used, still, act);
    }
  }

  async #go(walk: LogReader, used: number, still: () => void, act: (found: FoundRecord) => void): Promise<void> {
    while (walk.used < used && !this.#stuck) {
      const before = walk.used;
      const found = walk.next();
      if (found !== undefined) {
        for (const record of found) act(record);
      } else {
        this.#broken(walk.unit, 'a record');
        this.#stuck = !walk.skip();
      }
      this.#steps += (found?.length ?? 1) + (walk.used - before) / PAGE_UNITS;
      if (this.#steps >= STEP) await this.#pause(still);
    }
  }

  async #pause(still: () => void): Promise<void> {
    this.#steps = 0;
    await setImmediate();
    still();
    this.#index.begin();
  }

  #record(found: FoundRecord): void {
    this.#records += 1;
    if (!this.#take(found)) return;
    this.#index.begin();
    const { name } = this.#key;
    if (this.#index.find(this.#key)) {
      this.#absent.delete(name);
      if (this.#isBefore(found)) this.#older.set(name, found);
      else this.#older.delete(name);
    } else {
      this.#absent.set(name, (found.typeAndLength & KIND) === PUT ? unitOf(found.window, found.at) : -1);
      this.#older.delete(name);
    }
  }

  /** Takes the key of a record that has one. */
  #take({ window, at, typeAndLength }: FoundRecord): boolean {
    const kind = typeAndLength & KIND;
    if (kind !== PUT && kind !== DELETE) return false;
    this.#key.takeStored(this.#parts.windows.words[window] as Int32Array, at);
    return true;
  }

  async slots(still: () => void): Promise<void> {
    const index = this.#index;
    index.begin();
    for (const segment of scanSegments(index)) {
      this.#salts.refresh();
      // Reads all slots of a segment at once: it may be replaced when other tasks run.
      const slots: Slot[] = [];
      eachSlot(index, segment.block, (window, at, mark) => slots.push({ window, at, mark }));
      this.#pairs += slots.length;
      for (const slot of slots) {
        const bytes = this.#verify(slot, segment);
        const offset = byteOf(slot.window, slot.at);
        if (bytes === 0 && !this.#damage.some((other) => other.offset === offset)) {
          this.#damage.push({ offset, what: 'the record that a slot of the index points to' });
        }
        this.#steps += 1 + bytes / (PAGE_UNITS * UNIT);
        if (this.#steps >= STEP) await this.#pause(still);
      }
    }
    await this.#count(still);
  }

  /** Bytes of the record that a slot points to; 0 if it is not valid, or belongs to another slot. */
  #verify({ window, at, mark }: Slot, segment: ScannedSegment): number {
    // A damaged slot can point anywhere, and a damaged length can have any value.
    const room = this.#salts.room(window, at);
    if (room === 0) return 0;
    this.#parts.windows.reach(window);
    const salt = this.#salts.of(window, at);
    const hash = this.#parts.windows.words[window]?.[at + KEY_HASH] ?? 0;
    return isSlotOf(hash, mark, segment) ? this.#parts.records.verify(window, at, salt, room) : 0;
  }

  /** Compares the number of pairs with that of the header. */
  async #count(still: () => void): Promise<void> {
    for (let look = 0; this.#pairs !== this.#parts.header.count; look++) {
      if (look === LOOKS) {
        this.#damage.push({ offset: 0, what: `the number of pairs (${this.#parts.header.count}, not ${this.#pairs})` });
        return;
      }
      // Pairs were added or removed meanwhile: count again, without a pause.
      await this.#pause(still);
      this.#pairs = 0;
      for (const { block } of scanSegments(this.#index)) eachSlot(this.#index, block, () => (this.#pairs += 1));
    }
  }
}
