// Asking for 64 KiB before every read, as a database does, when all of it is in memory: against
// the madvise(2) that asks the kernel each time.
import { mapFile } from 'memmap';
import * as sys from 'memmap/sys';

const PART = 2 ** 16;
const REQUESTS = 2 ** 14;

const requests = (ask) => ({ files }) => {
  const file = mapFile(files.numbers);
  const request = ask(file);
  return {
    operations: REQUESTS,
    round() {
      for (let i = 0; i < REQUESTS; i++) request((i * PART) % (file.length - PART));
      return REQUESTS;
    },
  };
};

export default {
  title: "advise('willneed') of 64 KiB that are in memory",
  files: (quick) => ({ numbers: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    { name: "memmap advise('willneed')", prepare: requests((file) => (offset) => file.advise('willneed', { offset, length: PART })) },
    {
      name: 'memmap/sys madvise',
      prepare: requests((file) => {
        const { bytes } = file;
        return (offset) => sys.madvise(bytes.subarray(offset), PART, sys.MADV.WILLNEED);
      }),
    },
    { name: 'C: madvise', native: 'willneed', args: ({ files }) => [files.numbers, String(PART), String(REQUESTS)] },
  ],
  comparisons: [
    { of: "memmap advise('willneed')", against: 'memmap/sys madvise' },
    { of: "memmap advise('willneed')", against: 'C: madvise' },
  ],
};
