// Members: the owners of the ends at one side of a channel, recorded in shared memory.
import { StateError } from '../../errors.js';
import type { Liveness } from '../wait/liveness.js';
import type { SharedWords } from './shared-words.js';

/** The most ends that a side can have. */
export const MOST_ENDS = 64;

/** The words of a side: whether its last end has closed, then a place of 32 words for each end. */
const PLACE = 32;
const CLOSED = 0;

export class Members {
  readonly #words: SharedWords;
  readonly #base: number;
  readonly #places: number;
  readonly #liveness: Liveness;

  /** @param base - index of the side's first word. @param places - ends that it may have at a time */
  constructor(words: SharedWords, base: number, places: number, liveness: Liveness) {
    this.#words = words;
    this.#base = base;
    this.#places = places;
    this.#liveness = liveness;
  }

  /** The kernel reports a lock of this thread itself as free, so that one is not asked for. */
  #isAlive(id: number): boolean {
    return id === this.#liveness.id || this.#liveness.isAlive(id);
  }

  /** The index of the first of the 32 words of a place: its owner. The channel uses the others. */
  at(place: number): number {
    return this.#base + PLACE * (1 + place);
  }

  /** Takes a free place, or one whose owner has died, and returns its number. */
  join(): number {
    for (let place = 0; place < this.#places; place++) {
      const at = this.at(place);
      const owner = this.#words.load(at);
      if (owner !== 0 && this.#isAlive(owner)) continue;
      if (this.#words.compareExchange(at, owner, this.#liveness.id) !== owner) {
        place -= 1; // another end took it first, but may have left again
        continue;
      }
      this.#words.store(this.#base + CLOSED, 0);
      return place;
    }
    throw new StateError(
      'ERR_MEMMAP_TAKEN',
      this.#places === 1
        ? 'Another thread or process has this end of the channel: it must close it first'
        : `The channel has ${this.#places} ends of this kind already: one must be closed first`,
    );
  }

  leave(place: number): void {
    this.#words.store(this.at(place), 0);
    if (this.#empty) this.#words.store(this.#base + CLOSED, 1);
  }

  get #empty(): boolean {
    for (let place = 0; place < this.#places; place++) {
      if (this.#words.load(this.at(place)) !== 0) return false;
    }
    return true;
  }

  /** The index of the first word of each place that has an owner. */
  *taken(): Generator<number> {
    for (let place = 0; place < this.#places; place++) {
      const at = this.at(place);
      if (this.#words.load(at) !== 0) yield at;
    }
  }

  /** Frees the places of owners that have died. Returns whether there were any. */
  bury(): boolean {
    let some = false;
    for (const at of this.taken()) {
      const owner = this.#words.load(at);
      if (owner === 0 || this.#isAlive(owner)) continue;
      this.#words.compareExchange(at, owner, 0);
      some = true;
    }
    return some;
  }

  /** Whether the last end has closed and none has come since. Cheap while there is one. */
  get closed(): boolean {
    return this.#words.load(this.#base + CLOSED) !== 0 && this.#empty;
  }

  /** Whether there are ends, and the owners of all have died. Makes system calls. */
  get died(): boolean {
    let died = false;
    for (const at of this.taken()) {
      const owner = this.#words.load(at);
      if (owner === 0) continue;
      if (this.#isAlive(owner)) return false;
      died = true;
    }
    return died;
  }
}
