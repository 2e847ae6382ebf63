// The words by which the threads of the soak know of each other.

/** Threads that work from the beginning to the end. */
export const WORKERS = 4;

/** Each worker's number of steps; the order to stop; a period of want, and how many there were. */
const [STOP, WANT, PERIODS] = [WORKERS, WORKERS + 1, WORKERS + 2];

export const controlMemory = () => new SharedArrayBuffer(4 * (WORKERS + 3));

export class Control {
  #words;

  constructor(memory) {
    this.#words = new Int32Array(memory);
  }
  get steps() {
    return Array.from(this.#words.subarray(0, WORKERS));
  }
  step(index) {
    Atomics.add(this.#words, index, 1);
  }
  get stopped() {
    return Atomics.load(this.#words, STOP) === 1;
  }
  stop() {
    Atomics.store(this.#words, STOP, 1);
  }
  /** Whether descriptors or mappings are running out. */
  get want() {
    return Atomics.load(this.#words, WANT) > 0;
  }
  begin() {
    Atomics.add(this.#words, PERIODS, 1);
    Atomics.add(this.#words, WANT, 1);
  }
  end() {
    Atomics.sub(this.#words, WANT, 1);
  }
  /** Periods that have begun. */
  get periods() {
    return Atomics.load(this.#words, PERIODS);
  }
}
