// IndexUpdater: applies the records of the log to the index.
import type { HashIndex } from './index/hash-index.js';
import type { IndexGrowth } from './index/growth.js';
import { Key } from './log/key.js';
import { DELETE, KIND, PUT, recordBytes } from './file/layout.js';
import { valueLengthOf } from './log/record.js';
import type { FoundRecord } from './log/log-reader.js';
import type { StoreParts } from './parts.js';

/** Applies records to the index. */
export class IndexUpdater {
  readonly #parts: StoreParts;
  readonly #index: HashIndex;
  readonly #growth: IndexGrowth;
  readonly #key: Key;

  constructor(parts: StoreParts, index: HashIndex, growth: IndexGrowth) {
    this.#parts = parts;
    this.#index = index;
    this.#growth = growth;
    this.#key = new Key(parts.header.seed);
  }

  /** Applies a record. For a batch there must be room already: it must not fail half-way. */
  apply({ window, at, length, typeAndLength }: FoundRecord): void {
    const kind = typeAndLength & KIND;
    if (kind !== PUT && kind !== DELETE) return;
    const { windows, header } = this.#parts;
    const words = windows.words[window] as Int32Array;
    this.#key.takeStored(words, at);
    this.#index.begin();
    const found = this.#index.find(this.#key);
    if (found) {
      const { window: oldWindow, at: oldAt } = this.#index;
      const old = windows.words[oldWindow] as Int32Array;
      header.live -= recordBytes(this.#key.length, valueLengthOf(old, oldAt));
      if (kind === PUT) this.#index.move(this.#key, window, at);
      else this.#index.remove();
      if (kind === DELETE) header.count -= 1;
      else header.live += length;
    } else if (kind === PUT) {
      this.#growth.reserve(this.#key);
      this.#index.add(this.#key.hash, window, at);
      header.count += 1;
      header.live += length;
    }
  }

  /** As apply(), for a record that may be in the index already, or twice. */
  again(record: FoundRecord): void {
    this.apply(record);
    if (this.#index.find(this.#key)) this.#index.removeOthers(this.#key);
  }
}
