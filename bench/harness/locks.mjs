// What the processes of locks.bench.mjs have in common.

/** Where they meet: offsets in bytes of the memory. */
export const ROUND = 64;
export const COUNTER = { offset: 128, count: 1 };

export function countUp(mutex, counter, times) {
  for (let i = 0; i < times; i++) {
    mutex.lock();
    counter[0] += 1;
    mutex.unlock();
  }
}
