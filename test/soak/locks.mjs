// npm run soak:locks [-- --rounds 1000] [--processes 3] [--seed N]
//
// Processes lock and unlock at random; one of them, at random, is killed in each round, whether
// it holds a lock, waits for one or does neither. Ends with 0 if after each death those who
// live went on, and whoever found a guarded pair half-changed had been told so.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout } from 'node:timers/promises';
import { Mutex, RwLock, SharedMemory } from 'memmap/shm';
import { seeded } from '../support/random.mjs';
import { DEATHS, LENGTH, LOCKS, NUMBERS, STEPS } from './lock-layout.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    processes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
});
const rounds = Number(values.rounds);
const count = Number(values.processes);
const seed = Number(values.seed);
/** Nobody waits that long for a lock whose owner is dead. */
const STUCK = { timeout: 30_000 };

const program = fileURLToPath(new URL('lock-worker.mjs', import.meta.url));
const next = seeded(seed);
const shared = SharedMemory.create({ length: LENGTH });
const memory = shared.map();
const numbers = memory.view(Int32Array, NUMBERS);
const steps = memory.view(Int32Array, STEPS);
const mutex = new Mutex(memory, LOCKS.mutex);
const rwLock = new RwLock(memory, LOCKS.rwLock);
const workers = [];
const deaths = memory.view(Int32Array, DEATHS);

function begin(place) {
  const worker = spawn(process.execPath, [program, String(seed + next(1e6)), String(place)], {
    stdio: ['ignore', 'inherit', 'inherit', shared.fd],
  });
  worker.on('exit', (code, signal) => {
    if (signal === 'SIGKILL') return;
    console.error(`seed ${seed}: a worker ended with ${code ?? signal}`);
    process.exit(1);
  });
  return worker;
}

/** What this process finds under the locks: mended, if an owner has died. */
function look() {
  const { ownerDied } = mutex.lock(STUCK);
  assert.ok(ownerDied || numbers[0] === numbers[1], 'the pair of the mutex');
  numbers[1] = numbers[0];
  mutex.unlock();
  const write = rwLock.lock(STUCK);
  assert.ok(write.ownerDied || numbers[2] === numbers[3], 'the pair of the writers');
  numbers[3] = numbers[2];
  rwLock.unlock();
  Atomics.add(deaths, 0, Number(ownerDied));
  Atomics.add(deaths, 1, Number(write.ownerDied));
  rwLock.lockShared(STUCK);
  assert.equal(numbers[2], numbers[3], 'the pair of the readers');
  rwLock.unlockShared();
}

/** Waits until each of the others has done something since. */
async function goesOn(except) {
  const before = [...steps];
  for (const end = Date.now() + STUCK.timeout; ; await setTimeout(1)) {
    const still = workers.flatMap((_, i) => (i !== except && steps[i] === before[i] ? [i] : []));
    if (still.length === 0) return;
    assert.ok(Date.now() < end, `worker ${still} does nothing any more`);
  }
}

console.log(`seed ${seed}, ${rounds} rounds, ${count} processes, Node ${process.versions.node}`);
for (let i = 0; i < count; i++) workers.push(begin(i));
await goesOn();
try {
  // More, if none has been killed while it had the lock: then nothing was tried.
  for (let round = 1; round <= rounds || (deaths[0] === 0 && round <= 20 * rounds); round++) {
    const victim = next(count);
    await goesOn();
    await setTimeout(next(4));
    workers[victim].kill('SIGKILL');
    await once(workers[victim], 'exit');
    await goesOn(victim);
    look();
    workers[victim] = begin(victim);
    if (round % 100 === 0) console.log(`${round} rounds, owners that died: ${deaths.join(' and ')}`);
  }
  console.log(`owners that died: ${deaths[0]} of the mutex, ${deaths[1]} among writers`);
  assert.ok(deaths[0] > 0, 'none was killed while it had the lock');
  console.log('sound');
} finally {
  for (const worker of workers) worker.kill('SIGKILL');
}
