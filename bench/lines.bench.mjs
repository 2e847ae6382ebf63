// Going through the lines of a log: lines(), whose lines are bytes in place, against
// readline over a stream, whose lines are strings.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { mapFile } from 'memmap';

/** `measure(line)` of every line of the mapped file, summed. */
const mapped = (measure) => ({ files }) => ({
  operations: 1,
  round() {
    const file = mapFile(files.log);
    let sum = 0;
    for (const line of file.lines()) sum += measure(line);
    file.close();
    return sum;
  },
});

export default {
  title: 'lines of a 128 MiB log',
  files: (quick) => ({ log: { kind: 'log', length: quick ? 2 ** 23 : 2 ** 27 } }),
  cases: [
    { name: 'memmap lines()', prepare: mapped((line) => line.length) },
    { name: 'memmap lines(), toString()', prepare: mapped((line) => line.latin1Slice().length) },
    {
      name: 'readline, for await',
      prepare: ({ files }) => ({
        operations: 1,
        async round() {
          let sum = 0;
          for await (const line of createInterface({ input: createReadStream(files.log) })) sum += line.length;
          return sum;
        },
      }),
    },
    {
      name: "readline, on('line')",
      prepare: ({ files }) => ({
        operations: 1,
        async round() {
          let sum = 0;
          const lines = createInterface({ input: createReadStream(files.log) });
          lines.on('line', (line) => (sum += line.length));
          await once(lines, 'close');
          return sum;
        },
      }),
    },
  ],
  comparisons: [
    { of: 'memmap lines()', against: "readline, on('line')", atLeast: 4 },
    { of: 'memmap lines()', against: 'readline, for await', atLeast: 4 },
    { of: 'memmap lines(), toString()', against: "readline, on('line')" },
  ],
};
