// The order in which others see words change. Processors of x86 keep loads in order, and stores in
// order, so that plain accesses do, which are ten times as fast; elsewhere they are atomic ones.
const keepsOrder = process.arch === 'x64';

/** Loads a word; what is loaded after it is not older. */
export const loadAcquire: (words: Int32Array, at: number) => number = keepsOrder
  ? (words, at) => words[at] as number
  : (words, at) => Atomics.load(words, at);

/** Stores a word, after all that was stored before. */
export const storeRelease: (words: Int32Array, at: number, value: number) => void = keepsOrder
  ? (words, at, value) => {
      words[at] = value;
    }
  : (words, at, value) => {
      Atomics.store(words, at, value);
    };

const word = new Int32Array(new SharedArrayBuffer(4));

/** What is loaded after it is not older than what was loaded before. */
export const fence: () => void = keepsOrder
  ? () => {}
  : () => {
      Atomics.add(word, 0, 0);
    };
