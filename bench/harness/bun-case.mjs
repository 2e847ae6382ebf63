// One process of bun.mjs: WAY FILE SIZE [quick]. Prints what a turn takes, in microseconds.
import { mapFile } from 'memmap';

const [way, path, size, quick] = process.argv.slice(2);

const turns = {
  'Bun.mmap': () => Bun.mmap(path)[0],
  memmap() {
    const mapping = mapFile(path);
    const first = mapping.bytes[0];
    mapping.close();
    return first;
  },
  "memmap, buffer: 'array'"() {
    const mapping = mapFile(path, { buffer: 'array' });
    const first = mapping.bytes[0];
    mapping.close();
    return first;
  },
  'memmap, no buffer'() {
    const mapping = mapFile(path);
    mapping.close();
    return 7;
  },
};
const turn = turns[way];

// 300 MB of small objects, alive. Bun's report of its heap is not the engine's: so many are enough.
const heap = Array.from({ length: quick ? 250_000 : 2_500_000 }, (_, i) => ({ id: i, name: `object ${i}`, tags: [i, i + 1] }));

const times = (quick ? 100 : 2000) / (Number(size) > 2 ** 24 ? 4 : 1);
for (let i = 0; i < times; i++) if (turn() !== 7) throw new Error(`${way} found another byte`);
const before = process.cpuUsage();
const begun = performance.now();
for (let i = 0; i < times; i++) turn();
const wall = performance.now() - begun;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ version: process.versions.bun, wall: (wall * 1000) / times, cpu: (user + system) / times, alive: heap.length }));
