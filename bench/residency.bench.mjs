// What of a file is in memory: as much as the kernel tells, against mincore(2) alone in C, and
// a whole run of fincore(1).
import { residencyOf } from 'memmap';

export default {
  title: 'residencyOf a 1 GiB file in the page cache',
  files: (quick) => ({ numbers: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    {
      name: 'memmap residencyOf',
      prepare: ({ files }) => ({ operations: 1, round: () => residencyOf(files.numbers).resident }),
    },
    { name: 'C: mmap, mincore', native: 'resident', args: ({ files }) => [files.numbers] },
    { name: 'fincore', command: ({ numbers }) => ['fincore', '-n', '-b', '-o', 'PAGES', numbers] },
  ],
  comparisons: [
    { of: 'memmap residencyOf', against: 'C: mmap, mincore' },
    { of: 'memmap residencyOf', against: 'fincore' },
  ],
};
