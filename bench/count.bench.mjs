// Counting lines: map, count(10), close, against a whole run of wc -l.
import { mapFile } from 'memmap';

export default {
  title: 'count(10) of a 1 GiB log',
  files: (quick) => ({ log: { kind: 'log', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    {
      name: 'memmap count(10)',
      prepare: ({ files }) => ({
        operations: 1,
        round() {
          const file = mapFile(files.log);
          const lines = file.count(10);
          file.close();
          return lines;
        },
      }),
    },
    { name: 'wc -l', command: ({ log }) => ['wc', '-l', log] },
  ],
  comparisons: [{ of: 'memmap count(10)', against: 'wc -l', atMost: 1.3 }],
};
