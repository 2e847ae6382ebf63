// The order in which other threads see words change. x86 processors keep loads in order, and stores in
// order, so plain accesses are enough there, and ten times as fast; elsewhere atomic ones are used.
const keepsOrder = process.arch === 'x64';

/** Loads a word; later loads are not older. */
export const loadAcquire: (words: Int32Array, at: number) => number = keepsOrder
  ? (words, at) => words[at] as number
  : (words, at) => Atomics.load(words, at);

/** Stores a word after all earlier stores. */
export const storeRelease: (words: Int32Array, at: number, value: number) => void = keepsOrder
  ? (words, at, value) => {
      words[at] = value;
    }
  : (words, at, value) => {
      Atomics.store(words, at, value);
    };

const word = new Int32Array(new SharedArrayBuffer(4));

/** Later loads are not older than earlier ones. */
export const fence: () => void = keepsOrder
  ? () => {}
  : () => {
      Atomics.add(word, 0, 0);
    };
