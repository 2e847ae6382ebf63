// The same with the bytes asked for and touched, against other packages. Those that cannot
// unmap leave it to the garbage collector.
import { closeSync, fstatSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { mapFile } from 'memmap';
import { largeHeap } from './harness/heap.mjs';

const require = createRequire(import.meta.url);
const TIMES = 20;
const OURS = 'memmap';

/** How each maps a file, calls use(bytes), and unmaps if it can. */
const WAYS = {
  [OURS]: () => (path, use) => {
    const mapping = mapFile(path);
    const value = use(mapping.bytes);
    mapping.close();
    return value;
  },
  "memmap, buffer: 'array'": () => (path, use) => {
    const mapping = mapFile(path, { buffer: 'array' });
    const value = use(mapping.bytes);
    mapping.close();
    return value;
  },
  '@riaskov/mmap-io': () => {
    const mmap = require('@riaskov/mmap-io');
    return (path, use) => {
      const fd = openSync(path, 'r');
      const bytes = mmap.map(fstatSync(fd).size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0);
      closeSync(fd);
      return use(bytes);
    };
  },
  'great-big-file-reader': async () => {
    const { MMapping } = await import('great-big-file-reader');
    return (path, use) => {
      const fd = openSync(path, 'r');
      const file = new MMapping(path, fd);
      closeSync(fd);
      const value = use(file.getBuffer(0n, Number(file.length)));
      file.unmap();
      return value;
    };
  },
  koffi: () => {
    const koffi = require('koffi');
    const libc = koffi.load('libc.so.6');
    const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
    const munmap = libc.func('int munmap(void *, size_t)');
    return (path, use) => {
      const fd = openSync(path, 'r');
      const { size } = fstatSync(fd);
      const memory = mmap(null, size, 1, 1, fd, 0);
      const value = use(new Uint8Array(koffi.view(memory, size)));
      munmap(memory, size);
      closeSync(fd);
      return value;
    };
  },
};

const ends = (bytes) => bytes[0] + bytes[bytes.length - 1];

export default {
  title: 'map, touch and close with a 300 MB heap alive',
  files: (quick) => ({ warm: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 26 } }),
  cases: Object.entries(WAYS).map(([name, load]) => ({
    name,
    rival: !name.startsWith(OURS),
    async prepare({ files, quick }) {
      const way = await load();
      const heap = largeHeap(quick);
      return {
        operations: TIMES,
        round() {
          let sum = 0;
          for (let i = 0; i < TIMES; i++) sum += way(files.warm, ends);
          return heap.length > 0 ? sum : 0;
        },
      };
    },
  })),
  comparisons: Object.keys(WAYS).slice(1).map((against) => ({ of: OURS, against })),
};
