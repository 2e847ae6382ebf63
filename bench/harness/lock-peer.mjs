// The other process of locks.bench.mjs: counts along in each round. Descriptor 3 is the memory.
import { Barrier, Mutex, SharedMemory } from 'memmap/shm';
import { COUNTER, countUp, ROUND } from './locks.mjs';

const memory = SharedMemory.fromFd(3).map();
const counter = memory.view(Int32Array, COUNTER);
const mutex = new Mutex(memory, 0);
const round = new Barrier(memory, ROUND, 2);
const times = Number(process.argv[2]);

process.on('disconnect', () => process.exit());
for (;;) {
  await round.waitAsync();
  countUp(mutex, counter, times);
  await round.waitAsync();
}
