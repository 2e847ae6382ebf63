// What does the guard cost: nothing while nothing is wrong, and how much is a fault? And what
// does a checked copy cost against one that trusts the memory?
import { truncateSync } from 'node:fs';
import { configure, mapFile } from 'memmap';

const PAGE = 4096;
const READS = 1_000_000;
/** Mappings of a round, each of which meets one fault. */
const FAULTS = 400;
const SCRATCH = 16 * PAGE;
/** The byte that is touched. */
const AT = 5 * PAGE;
/** Bytes copied in a round. */
const COPIED = 2 ** 26;
const COPY_SIZES = { '4 KiB': 2 ** 12, '64 KiB': 2 ** 16, '1 MiB': 2 ** 20 };

/** Parts of a sum: a function that is called often is compiled as well in every process. */
const PARTS = 64;

function sumOf(values) {
  let total = values[0];
  for (let i = 1; i < values.length; i++) total += values[i];
  return total;
}

const loops = {
  'sum of doubles'(mapping) {
    const length = mapping.length / PARTS;
    const parts = Array.from({ length: PARTS }, (_, i) => mapping.view(Float64Array, { offset: i * length, count: length / 8 }));
    return { operations: mapping.length / 8, round: () => parts.reduce((total, part) => total + sumOf(part), 0) };
  },
  'scan of bytes'(mapping) {
    const bytes = mapping.view(Uint8Array, { count: mapping.length / 4 });
    return {
      operations: bytes.length,
      round() {
        let found = 0;
        for (let i = 0; i < bytes.length; i++) if (bytes[i] === 64) found++;
        return found;
      },
    };
  },
  'random reads'(mapping) {
    const values = mapping.view(Float64Array);
    const mask = values.length - 1; // the files have a power of two of numbers
    return {
      operations: READS,
      round() {
        let sum = 0;
        let x = 88675123;
        for (let i = 0; i < READS; i++) {
          x ^= x << 13;
          x ^= x >>> 17;
          x ^= x << 5;
          sum += values[x & mask];
        }
        return sum;
      },
    };
  },
};

const readName = (loop, access, guarded) => `${loop}, '${access}', ${guarded ? 'guard' : 'no guard'}`;

// Whoever comes first finds colder caches: each does, once.
const ORDER = { read: [true, false], 'read-write': [false, true] };
const ACCESSES = Object.keys(ORDER);

const reads = Object.entries(loops).flatMap(([loop, prepare]) =>
  ACCESSES.flatMap((access) =>
    ORDER[access].map((guarded) => ({
      name: readName(loop, access, guarded),
      group: loop,
      prepare({ files }) {
        configure({ guard: guarded });
        return prepare(mapFile(files.numbers, { access }));
      },
    })),
  ),
);

const read = (bytes) => bytes[AT];
const write = (bytes) => (bytes[AT] = 1);

/** `cause` acts on each mapping; `count` is where mapping.faults has the fault. */
const FAULT_KINDS = {
  truncated: { access: 'read-write', count: 'truncated', cause: ({ path }) => truncateSync(path, PAGE), touch: read },
  'read-only': { access: 'read', count: 'violations', cause() {}, touch: write },
  'no-access': { access: 'read-write', count: 'violations', cause: (mapping) => mapping.protect('none'), touch: read },
  'after-close': { access: 'read-write', count: 'afterClose', cause: (mapping) => mapping.close(), touch: read },
};

function faulting(path, { access, count, cause, touch }) {
  let mappings = [];
  let views;
  return {
    operations: FAULTS,
    arrange() {
      for (const mapping of mappings) {
        if (mapping.faults[count] !== 1) throw new Error(`${mapping.faults[count]} faults instead of one`);
        mapping.close();
      }
      truncateSync(path, SCRATCH);
      mappings = Array.from({ length: FAULTS }, () => mapFile(path, { access }));
      views = mappings.map((mapping) => mapping.view(Uint8Array));
      for (const view of views) read(view);
      for (const mapping of mappings) cause(mapping);
    },
    round() {
      let sum = 0;
      for (const view of views) sum += touch(view);
      return sum;
    },
  };
}

const faults = Object.entries(FAULT_KINDS).flatMap(([kind, how]) => [
  { name: `fault: ${kind}`, group: kind, prepare: ({ files }) => faulting(files.scratch, how) },
  { name: `C: ${kind}`, group: kind, native: 'fault', args: ({ files }) => [kind, files.scratch, FAULTS] },
]);

/** Each copies `size` bytes at `offset` of the mapping. */
const COPIES = {
  copyOut: (mapping) => (offset, size) => mapping.copyOut(offset, size)[0],
  'Buffer.from(subarray)': ({ bytes }) => (offset, size) => Buffer.from(bytes.subarray(offset, offset + size))[0],
  copyIn(mapping, source) {
    return (offset) => {
      mapping.copyIn(offset, source);
      return source[0];
    };
  },
  'bytes.set': ({ bytes }, source) => (offset) => {
    bytes.set(source, offset);
    return source[0];
  },
};

const copies = Object.entries(COPY_SIZES).flatMap(([label, size]) =>
  Object.entries(COPIES).map(([how, prepare]) => ({
    name: `${how}, ${label}`,
    group: label,
    prepare({ files }) {
      const mapping = mapFile(files.copied, { access: 'read-write', populate: true });
      const act = prepare(mapping, Buffer.alloc(size, 7));
      mapping.bytes.fill(7);
      const operations = COPIED / size;
      return {
        operations,
        round() {
          let sum = 0;
          for (let i = 0; i < operations; i++) sum += act((i * size) % mapping.length, size);
          return sum;
        },
      };
    },
  })),
);

export default {
  title: 'what the guard costs',
  files: (quick) => ({
    numbers: { kind: 'numbers', length: quick ? 2 ** 24 : 2 ** 28 },
    scratch: { kind: 'sparse', length: SCRATCH },
    copied: { kind: 'sparse', length: 2 ** 22 },
  }),
  cases: [...reads, ...faults, ...copies],
  comparisons: [
    ...Object.keys(loops).flatMap((loop) =>
      ACCESSES.map((access) => ({ of: readName(loop, access, true), against: readName(loop, access, false), atMost: 1.05 })),
    ),
    ...Object.keys(FAULT_KINDS).map((kind) => ({ of: `fault: ${kind}`, against: `C: ${kind}` })),
    ...Object.keys(COPY_SIZES).flatMap((label) => [
      { of: `copyOut, ${label}`, against: `Buffer.from(subarray), ${label}` },
      { of: `copyIn, ${label}`, against: `bytes.set, ${label}` },
    ]),
  ],
};
