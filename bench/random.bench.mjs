// Random 8-byte reads: through the map, in an array on the heap, by pread.
import { openSync, readSync } from 'node:fs';
import { mapFile } from 'memmap';
import { readNumbers } from './harness/files.mjs';

const READS = 1_000_000;
/** A pread takes some thirty times as long; its sum stands for the first reads only. */
const PREADS = 50_000;

/** Sums `reads` of the numbers, at places that are the same in every process. */
function reader(values, reads) {
  const mask = values.length - 1; // the files have a power of two of numbers
  return {
    operations: reads,
    round() {
      let sum = 0;
      let x = 88675123;
      for (let i = 0; i < reads; i++) {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        sum += values[x & mask];
      }
      return sum;
    },
  };
}

export default {
  title: 'random 8-byte reads over 1 GiB',
  files: (quick) => ({ numbers: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    { name: 'memmap view(Float64Array)', group: 'many', prepare: ({ files }) => reader(mapFile(files.numbers).view(Float64Array), READS) },
    { name: 'Float64Array on the heap', group: 'many', prepare: ({ files }) => reader(readNumbers(files.numbers), READS) },
    {
      name: 'fs.readSync (pread)',
      group: 'few',
      prepare({ files }) {
        const fd = openSync(files.numbers, 'r');
        const word = new Float64Array(1);
        const mask = mapFile(files.numbers).length / 8 - 1;
        return {
          operations: PREADS,
          round() {
            let sum = 0;
            let x = 88675123;
            for (let i = 0; i < PREADS; i++) {
              x ^= x << 13;
              x ^= x >>> 17;
              x ^= x << 5;
              readSync(fd, word, 0, 8, (x & mask) * 8);
              sum += word[0];
            }
            return sum;
          },
        };
      },
    },
  ],
  comparisons: [
    { of: 'memmap view(Float64Array)', against: 'Float64Array on the heap', atMost: 1.1 },
    {
      of: 'memmap view(Float64Array)',
      against: 'fs.readSync (pread)',
      atLeast: ({ major }) => (major >= 22 ? 25 : undefined),
    },
  ],
};
