// Tries the ways out in the runtime it runs in: main.mjs FOLDER [JSON of [name, what] to leave out]
// Prints a line of JSON for each trial when it begins, { begins: [name, what] }, and one when it ended, { name, what, outcome }.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from 'memmap';
import { CONTENT, MISSING } from './content.mjs';
import { WAYS, callFor } from './ways.mjs';

const [folder, done = '[]'] = process.argv.slice(2);
const leftOut = new Set(JSON.parse(done).map(String));
const MOST_MS = 5000;
const source = join(folder, 'source');
writeFileSync(source, CONTENT);

/** Ends the trial that runs: some errors appear in an event of a server or a socket. */
let fail = (error) => end(error);
for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, (error) => fail(error));
const end = (error) => {
  console.error(error);
  process.exit(1);
};

const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

/** What arrives of `what`: 'right', 'throws', 'wrong', 'hangs', or 'missing'. */
async function outcome(way, what, path) {
  let timer;
  const late = new Promise((resolve, reject) => {
    fail = reject;
    timer = setTimeout(() => resolve('hangs'), MOST_MS);
  });
  try {
    const got = await Promise.race([(async () => way(what, path))(), late]);
    if (got === MISSING) return 'missing';
    if (got === 'hangs') return got;
    return CONTENT.equals(Buffer.from(got.buffer ?? got, got.byteOffset ?? 0, got.byteLength)) ? 'right' : 'wrong';
  } catch (error) {
    if (process.env.SINKS_VERBOSE !== undefined) console.error(error);
    return 'throws';
  } finally {
    clearTimeout(timer);
    fail = end;
  }
}

/** Whether the way out has taken the buffer of the mapping away from it. */
function isTaken(mapping) {
  try {
    return mapping.bytes.length < CONTENT.length;
  } catch {
    return true;
  }
}

const PASSED = {
  shared: (_, mapping) => mapping.bytes,
  array: (_, mapping) => mapping.bytes,
  call: (name, mapping) => callFor(name).of(mapping),
  stream: async (_, mapping) => {
    for await (const chunk of mapping.stream()) return chunk;
    return undefined;
  },
};

for (const [name, way] of Object.entries(WAYS)) {
  for (const [what, passed] of Object.entries(PASSED)) {
    if (leftOut.has(String([name, what]))) continue;
    print({ begins: [name, what] });
    let mapping;
    try {
      mapping = mapFile(source, { buffer: what === 'array' ? 'array' : undefined });
      const found = await outcome(way, await passed(name, mapping), join(folder, 'target'));
      print({ name, what, outcome: found === 'right' && isTaken(mapping) ? 'taken' : found });
    } catch (error) {
      if (error.code !== 'ERR_MEMMAP_NO_EXTERNAL_BUFFER') throw error;
      print({ name, what, outcome: 'missing' });
    } finally {
      mapping?.close();
    }
  }
}
process.exit(0);
