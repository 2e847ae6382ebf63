// Reading all numbers of a file in order: the one thing that reading does as well as mapping.
import { openSync, readSync } from 'node:fs';
import { mapFile } from 'memmap';

/** Starts with a double: from the integer 0 on, the V8 of Node 26 boxes every intermediate sum. */
function sum(values) {
  let total = values[0];
  for (let i = 1; i < values.length; i++) total += values[i];
  return total;
}

/** Starts at a page: the kernel copies up to three times as fast as to where malloc puts a chunk. */
const pageAligned = (size) => new Float64Array(new WebAssembly.Memory({ initial: size / 2 ** 16 }).buffer);

const pread = (size) => ({
  name: `pread of ${size / 1024} KiB`,
  prepare({ files }) {
    const chunk = pageAligned(size);
    const fd = openSync(files.numbers, 'r');
    return {
      operations: 1,
      round() {
        let total = 0;
        for (let at = 0, got = 0; (got = readSync(fd, chunk, 0, size, at)) > 0; at += got) total += sum(chunk);
        return total;
      },
    };
  },
});

export default {
  title: 'sequential Float64 sum over 1 GiB',
  files: (quick) => ({ numbers: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    {
      name: 'memmap windows()',
      prepare: ({ files }) => ({
        operations: 1,
        round() {
          const file = mapFile(files.numbers);
          let total = 0;
          for (const { buffer, byteOffset, length } of file.windows()) {
            total += sum(new Float64Array(buffer, byteOffset, length / 8));
          }
          file.close();
          return total;
        },
      }),
    },
    {
      name: 'memmap view(Float64Array)',
      prepare: ({ files }) => ({
        operations: 1,
        round() {
          const file = mapFile(files.numbers);
          const total = sum(file.view(Float64Array));
          file.close();
          return total;
        },
      }),
    },
    ...[2 ** 16, 2 ** 18, 2 ** 20].map(pread),
  ],
  comparisons: [
    { of: 'memmap windows()', against: 'pread of 64 KiB', atLeast: 1 },
    { of: 'memmap windows()', against: 'pread of 256 KiB', atLeast: 1 },
    { of: 'memmap windows()', against: 'pread of 1024 KiB', atLeast: 1 },
    { of: 'memmap view(Float64Array)', against: 'pread of 256 KiB' },
  ],
};
