// npm run soak:store [-- --rounds 1000] [--readers 1] [--seed N] [--folder /tmp]
//
// A process writes a store and is killed at a random instant, again and again. Ends with 0 if each
// time all is there that it had done, and all or nothing of what it was doing; and if those who
// read meanwhile found nothing torn.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kills } from '../support/store/store-kills.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    readers: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    folder: { type: 'string', default: tmpdir() },
  },
});
const [rounds, readers, seed] = [values.rounds, values.readers, values.seed].map(Number);
const folder = mkdtempSync(join(values.folder, 'memmap-store-'));
console.log(`seed ${seed}, ${rounds} rounds, ${readers} readers, Node ${process.versions.node}`);
try {
  const { operations, between, read } = await kills(join(folder, 'store'), {
    seed,
    rounds,
    readers,
    onRound: (round, done) => {
      if (round % 100 === 0) console.log(`${round} rounds, ${done} operations`);
    },
  });
  console.log(`${operations} operations, ${between} kills while one was under way, ${read} values read: sound`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
