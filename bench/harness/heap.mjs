// A JavaScript heap as a grown service has it: some 300 MB of small objects, alive.
import { getHeapStatistics } from 'node:v8';

export function largeHeap(quick) {
  const objects = [];
  const enough = quick ? 30e6 : 300e6;
  for (let i = 0; i % 1e4 !== 0 || getHeapStatistics().used_heap_size < enough; i++) {
    objects.push({ id: i, name: `object ${i}`, tags: [i, i + 1] });
  }
  return objects;
}
