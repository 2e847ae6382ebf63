// Finding 16 bytes at the end of a log: map, indexOf, close, against the same in C.
import { openSync, readSync, closeSync } from 'node:fs';
import { mapFile } from 'memmap';
import { NEEDLE } from './harness/files.mjs';

export default {
  title: 'indexOf of a rare 16-byte needle in a 1 GiB log',
  files: (quick) => ({ log: { kind: 'log', length: quick ? 2 ** 24 : 2 ** 30 } }),
  cases: [
    {
      name: 'memmap indexOf',
      prepare: ({ files }) => ({
        operations: 1,
        round() {
          const file = mapFile(files.log);
          const at = file.indexOf(NEEDLE);
          file.close();
          return at;
        },
      }),
    },
    { name: 'C: mmap, memmem', native: 'find', args: ({ files }) => [files.log, NEEDLE] },
    {
      name: 'readSync + Buffer.indexOf',
      prepare({ files }) {
        const chunk = Buffer.allocUnsafe(2 ** 20);
        const keep = NEEDLE.length - 1;
        return {
          operations: 1,
          round() {
            const fd = openSync(files.log, 'r');
            for (let at = 0, got = 0; (got = readSync(fd, chunk, 0, chunk.length, at)) > keep; at += got - keep) {
              const found = chunk.subarray(0, got).indexOf(NEEDLE);
              if (found === -1) continue;
              closeSync(fd);
              return at + found;
            }
            throw new Error('The needle is gone');
          },
        };
      },
    },
  ],
  comparisons: [
    { of: 'memmap indexOf', against: 'C: mmap, memmem', atMost: 1.3 },
    { of: 'memmap indexOf', against: 'readSync + Buffer.indexOf' },
  ],
};
