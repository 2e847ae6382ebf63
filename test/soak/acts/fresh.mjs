// A fresh mapping of a file reads the file's bytes, whatever happened at those addresses before.
import { mapFile } from 'memmap';
import { assertBytes, FULL, PAGE } from '../files.mjs';

const ACCESS = ['read', 'read-write', 'copy-on-write'];

export function freshActs({ one, next, steady, count, gone }) {
  return {
    fresh() {
      const page = next(FULL / PAGE);
      const offset = page * PAGE;
      const mapping = mapFile(one(steady), { access: one(ACCESS), buffer: one(['shared', 'array']), offset, length: PAGE * (1 + next(FULL / PAGE - page)) });
      try {
        assertBytes(mapping.bytes, offset, next, 'a fresh mapping');
        count('fresh');
      } finally {
        gone(mapping);
      }
    },
  };
}
