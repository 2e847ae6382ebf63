// What does it cost to map a file and close it, with a large JavaScript heap alive? The
// length of the file must not matter, and V8 must not collect garbage for it.
import { mapFile } from 'memmap';
import { largeHeap } from './harness/heap.mjs';

const TIMES = 2000;
const SIZES = { '64 MiB': 'warm', '4 GiB': 'sparse' };

const prepare = (file) => ({ files, quick }) => {
  const heap = largeHeap(quick);
  const path = files[file];
  return {
    operations: TIMES,
    round() {
      let length = 0;
      for (let i = 0; i < TIMES; i++) {
        const mapping = mapFile(path);
        length = mapping.length;
        mapping.close();
      }
      return heap.length > 0 ? length : 0;
    },
  };
};

export default {
  title: 'map + close with a 300 MB heap alive',
  files: (quick) => ({
    warm: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 26 },
    sparse: { kind: 'sparse', length: 2 ** 32 },
  }),
  cases: Object.entries(SIZES).flatMap(([size, file]) => [
    { name: `C, ${size}`, group: size, native: 'map_close', args: ({ files }) => [files[file], TIMES] },
    { name: `memmap, ${size}`, group: size, prepare: prepare(file) },
  ]),
  comparisons: Object.keys(SIZES).map((size) => ({
    of: `memmap, ${size}`,
    against: `C, ${size}`,
    atMost: ({ major, minor }) => (major > 22 || (major === 22 && minor >= 23) ? 4 : 12),
  })),
};
