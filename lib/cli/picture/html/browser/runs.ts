// The runs of a file, to be asked by offset.
import type { FileData } from '../page-data.js';
import { STATES } from './data.js';

export class Runs {
  readonly pageSize: number;
  /** Offsets: of each run, and of the end of the last. */
  readonly #starts: Float64Array;
  readonly #states: Uint8Array;
  readonly firstPage: number;
  readonly endPage: number;
  readonly pages: number;

  constructor({ start, runs, pageSize }: FileData) {
    const count = runs.length / 2;
    this.pageSize = pageSize;
    this.#states = Uint8Array.from({ length: count }, (_, i) => runs[2 * i] as number);
    this.#starts = new Float64Array(count + 1);
    let end = start;
    this.#starts[0] = start;
    for (let i = 0; i < count; i++) this.#starts[i + 1] = end += runs[2 * i + 1] as number;
    this.firstPage = Math.floor(start / pageSize);
    this.endPage = Math.ceil(end / pageSize);
    this.pages = count === 0 ? 0 : this.endPage - this.firstPage;
  }

  get count(): number {
    return this.#states.length;
  }

  get start(): number {
    return this.startOf(0);
  }

  get end(): number {
    return this.startOf(this.count);
  }

  /** The offset of a run; of the count of runs, the end. */
  startOf(run: number): number {
    return this.#starts[run] as number;
  }

  /** The run that has the byte at the offset. */
  at(offset: number): number {
    let [low, high] = [0, this.count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.startOf(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Bytes of each state in [from, to). */
  shares(from: number, to: number): number[] {
    const shares = STATES.map(() => 0);
    for (let i = this.at(from); i < this.count && this.startOf(i) < to; i++) {
      const state = this.#states[i] as number;
      shares[state] = (shares[state] ?? 0) + Math.max(0, Math.min(to, this.startOf(i + 1)) - Math.max(from, this.startOf(i)));
    }
    return shares;
  }
}
