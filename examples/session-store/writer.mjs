// The one process that writes. What it has acknowledged is on the disk. An error ends it, and
// whoever waits is told that it died.
import { Store } from 'memmap/store';

/** Milliseconds between two looks whether compacting is worth it, and bytes of waste from which on it is. */
const LOOK = 500;
const WASTE = 2 ** 20;

// Blocks while the writer before is dying, and mends what it left behind.
const store = Store.open(process.argv[2]);
let compacting;

process.on('message', async ({ id, method, session, value }) => {
  if (method === 'PUT') store.put(session, value);
  else store.delete(session);
  await store.commitAsync(); // requests that come meanwhile share the next barrier
  process.send({ id });
});

const looks = setInterval(() => {
  const { logBytes, liveBytes } = store.stats();
  if (logBytes - liveBytes < WASTE) return;
  compacting ??= store.compact().finally(() => (compacting = undefined));
}, LOOK);

process.on('disconnect', async () => {
  clearInterval(looks);
  await compacting;
  store.close();
});

process.send({ ready: true });
