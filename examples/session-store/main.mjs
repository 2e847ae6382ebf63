// An HTTP service that keeps sessions in a store: workers read it, one process writes it, and both
// are killed at random while clients use them. No write that was acknowledged may be lost.
// `node examples/session-store/main.mjs [SECONDS]`
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Store } from 'memmap/store';
import { Load } from './load.mjs';
import { Service } from './service.mjs';

const seconds = Number(process.argv[2] ?? 5);
const WORKERS = 3;
/** Milliseconds between two deaths, at most. */
const CALM = 500;

const directory = mkdtempSync(join(tmpdir(), 'session-store-'));
const path = join(directory, 'sessions.db');
const killed = { writer: 0, worker: 0 };

const service = await Service.start(path, { workers: WORKERS });
const load = new Load(service.port);
const signal = AbortSignal.timeout(seconds * 1000);
const running = load.run(signal);
while (!signal.aborted) {
  await setTimeout(Math.random() * CALM);
  const who = service.killOne();
  if (who !== undefined) killed[who] += 1;
}
await running;
await service.ready();
const sessions = await load.verify();
await service.stop();

const store = Store.open(path, { readOnly: true });
const { damage } = await store.check();
const size = store.size;
store.close();
rmSync(directory, { recursive: true });

const { gets, acknowledged, unanswered } = load.counts;
console.log(`${gets} reads and ${acknowledged} acknowledged writes in ${seconds} s`);
console.log(`${killed.writer} times the writer was killed, ${killed.worker} times a worker; ${unanswered} requests got no answer`);
console.log(`${sessions} sessions are there, ${load.lost.length} writes were lost, ${load.torn.length} answers were torn`);
for (const line of [...load.lost, ...load.torn].slice(0, 10)) console.error(line);
if (size !== sessions) console.error(`The store has ${size} sessions`);
if (damage.length > 0) console.error(`The store is damaged: ${JSON.stringify(damage)}`);
if (service.crashes > 0) console.error(`${service.crashes} times one of them ended by itself`);
if (load.lost.length + load.torn.length + damage.length + service.crashes > 0 || size !== sessions) process.exitCode = 1;
