// Checking: every record against its sum, every slot of the index against its record, and whether
// the index leads to the newest record of each key.
import { setImmediate } from 'node:timers/promises';
import { covering, eachSlot } from './entries.js';
import type { HashIndex } from './hash-index.js';
import { Key } from './key.js';
import { BLOCK_UNITS, DELETE, KEY_HASH, KIND, PUT, TAG, UNIT } from './layout.js';
import { byteOf, unitOf } from './record.js';
import { type Damage, type Parts, usedOf } from './recovery.js';
import { Salts } from './salts.js';
import { type Found, Walk, readExtent } from './walk.js';

/** What `check()` found. */
export interface CheckReport {
  /** Records that are whole, those of older values among them. */
  readonly records: number;
  /** Pairs that the index leads to. */
  readonly pairs: number;
  /** What is broken, with its place in the file. Empty: nothing. */
  readonly damage: readonly Damage[];
}

/** Records between two turns of the event loop. */
const STEP = 4096;

/** @param writes whether nobody else can change the store meanwhile */
export async function verifyAll(parts: Parts, index: HashIndex, writes: boolean, still: () => void): Promise<CheckReport> {
  const check = new Check(parts, index);
  for (let generation = index.begin(); ; generation = index.begin()) {
    await check.log(still);
    await check.slots(still);
    // Another process has given blocks another use meanwhile: what was found means nothing.
    if (writes || index.holds(generation)) break;
    check.restart();
  }
  if (parts.windows.faulted) parts.windows.check();
  return check.report;
}

class Check {
  readonly #parts: Parts;
  readonly #index: HashIndex;
  readonly #key: Key;
  readonly #salts: Salts;
  #records = 0;
  #pairs = 0;
  #damage: Damage[] = [];
  /** Keys that the index does not lead to: whether the newest record says that they were put, and where. */
  #absent = new Map<string, number>();

  constructor(parts: Parts, index: HashIndex) {
    this.#parts = parts;
    this.#index = index;
    this.#key = new Key(parts.header.seed);
    this.#salts = new Salts(parts.header);
  }

  restart(): void {
    this.#records = 0;
    this.#pairs = 0;
    this.#damage = [];
    this.#absent.clear();
  }

  get report(): CheckReport {
    return { records: this.#records, pairs: this.#pairs, damage: this.#damage };
  }

  #broken(unit: number, what: string): void {
    this.#damage.push({ offset: unit * UNIT, what });
  }

  async log(still: () => void): Promise<void> {
    const { windows, records, header } = this.#parts;
    for (const extent of header.extents()) {
      const own = readExtent(windows, header, extent.block);
      if (own?.sequence !== extent.sequence || own.broken) this.#broken(extent.block * BLOCK_UNITS, "an extent's header");
      const walk = new Walk(windows, records, extent);
      let steps = 0;
      while (walk.used < usedOf(windows, extent)) {
        const found = walk.next();
        if (found !== undefined) {
          for (const record of found) this.#record(record);
        } else {
          this.#broken(walk.unit, 'a record');
          if (!walk.skip()) break;
        }
        steps += found?.length ?? 1;
        if (steps < STEP) continue;
        steps = 0;
        await setImmediate();
        still();
        this.#index.begin();
      }
    }
    for (const unit of this.#absent.values()) if (unit !== -1) this.#broken(unit, 'a record that the index does not lead to: the index');
    this.#absent.clear();
  }

  #record({ window, at, shape }: Found): void {
    this.#records += 1;
    const kind = shape & KIND;
    if (kind !== PUT && kind !== DELETE) return;
    const words = this.#parts.windows.words[window] as Int32Array;
    const key = this.#key;
    key.takeStored(words, at);
    this.#index.begin();
    if (this.#index.find(key)) this.#absent.delete(key.name);
    else this.#absent.set(key.name, kind === PUT ? unitOf(window, at) : -1);
  }

  async slots(still: () => void): Promise<void> {
    const index = this.#index;
    index.begin();
    for (const { entry, depth, block } of covering(index)) {
      this.#salts.refresh();
      eachSlot(index, block, (window, at, mark) => {
        this.#pairs += 1;
        const offset = byteOf(window, at);
        // A slot that broke leads anywhere, and a length that broke reaches anywhere.
        const room = this.#salts.room(window, at);
        if (room === 0) {
          this.#damage.push({ offset, what: 'what a slot of the index leads to' });
          return;
        }
        this.#parts.windows.reach(window);
        const salt = this.#salts.of(window, at);
        const hash = this.#parts.windows.words[window]?.[at + KEY_HASH] ?? 0;
        const leads = (hash & TAG) === (mark & TAG) && (hash & ((1 << depth) - 1)) === entry;
        if (leads && this.#parts.records.verify(window, at, salt, room) !== 0) return;
        if (!this.#damage.some((other) => other.offset === offset)) this.#damage.push({ offset, what: 'what a slot of the index leads to' });
      });
      await setImmediate();
      still();
      index.begin();
    }
    const { count } = this.#parts.header;
    if (count !== this.#pairs) this.#damage.push({ offset: 0, what: `the number of pairs (${count}, not ${this.#pairs})` });
  }
}
