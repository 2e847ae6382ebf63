// Numbers that a native call writes into an array, read by name. The table of names is in the addon:
// napi/facts.h.
import type { Constants } from './binding.js';

/** The results of a native call: filled by the call, and read right after it. */
export class CallFacts<Name extends string> {
  readonly numbers: Float64Array;
  readonly #places: Constants<Name>;

  constructor(places: Constants<Name>) {
    this.#places = places;
    this.numbers = new Float64Array(Object.keys(places).length);
  }

  get(name: Name): number {
    return this.numbers[this.#places[name]] ?? 0;
  }
}
