// One of those who are killed: locks, changes two numbers one after the other, unlocks, for as
// long as it lives. Descriptor 3 is the memory. Ends with 1 and a message if it finds the
// numbers apart and nobody told it that an owner had died.
import { setImmediate } from 'node:timers/promises';
import { Mutex, RwLock, SharedMemory } from 'memmap/shm';
import { seeded } from '../support/random.mjs';
import { DEATHS, LOCKS, NUMBERS, STEPS } from './lock-layout.mjs';

const [, , seed, place] = process.argv.map(Number);
const next = seeded(seed);
const memory = SharedMemory.fromFd(3).map();
const numbers = memory.view(Int32Array, NUMBERS);
const steps = memory.view(Int32Array, STEPS);
const deaths = memory.view(Int32Array, DEATHS);
const mutex = new Mutex(memory, LOCKS.mutex);
const rwLock = new RwLock(memory, LOCKS.rwLock);

function sound(first, ownerDied, what) {
  if (numbers[first] === numbers[first + 1] || ownerDied) return;
  console.error(`${what}: ${numbers[first]} and ${numbers[first + 1]}, and nobody died`);
  process.exit(1);
}

function change(first, { ownerDied }, what) {
  if (ownerDied) Atomics.add(deaths, first / 2, 1);
  sound(first, ownerDied, what);
  numbers[first] += 1;
  for (let i = next(300); i > 0; i--) Atomics.load(numbers, 0);
  numbers[first + 1] = numbers[first];
}

for (;;) {
  const what = next(8);
  if (what < 4) {
    change(0, what === 0 ? await mutex.lockAsync() : mutex.lock(), 'mutex');
    mutex.unlock();
  } else if (what === 4) {
    change(2, next(2) === 0 ? await rwLock.lockAsync() : rwLock.lock(), 'writer');
    rwLock.unlock();
  } else {
    const { ownerDied } = next(2) === 0 ? await rwLock.lockSharedAsync() : rwLock.lockShared();
    sound(2, ownerDied, 'reader');
    rwLock.unlockShared();
  }
  steps[place] += 1;
  if (next(20) === 0) await setImmediate();
}
