// Mappings placed into a reservation, over and over at the same addresses, while others still hold
// views of what was there before.
import { mapFile, reserve } from 'memmap';
import { assertBytes, FULL, PAGE } from '../files.mjs';

const PAGES = 16;
/** Placements until the reservation is given back for another one. */
const LIFE = 200;
const MOST_ROUNDS = 100;
/** Only where the runtime can put such a buffer over addresses that stay. */
const SHARED = Number(process.versions.node.split('.')[0]) >= 22 ? ['shared', 'array'] : ['array'];

export function placingActs({ one, next, steady, count, lend, expose, close }) {
  let space;
  let left = 0;
  const placed = [];

  function renewed() {
    if (left === 0) {
      // With what is still placed there.
      if (space !== undefined) close(space);
      placed.length = 0;
      space = reserve(PAGES * PAGE);
      left = LIFE;
    }
    left -= 1;
    return space;
  }

  function placeOne(at, pages) {
    const overlaps = placed.filter((other) => other.at < at + pages && at < other.at + other.pages);
    for (const other of overlaps) {
      close(other.mapping);
      placed.splice(placed.indexOf(other), 1);
    }
    // So long that somebody's read may be in the middle of its fault.
    for (let spin = next(50) * 20; spin > 0; spin--);
    const filePage = next(FULL / PAGE - pages);
    const mapping = renewed().place(at * PAGE, {
      file: one(steady), offset: filePage * PAGE, length: pages * PAGE, access: one(['read', 'read-write']), buffer: one(SHARED),
    });
    placed.push({ at, pages, mapping });
    assertBytes(mapping.bytes, filePage * PAGE, next, 'a placed mapping');
    count('placements');
    return mapping;
  }

  return {
    /** A thread reads on while the mapping is closed, and while something else is placed there. */
    place() {
      const at = next(PAGES);
      const pages = 1 + next(PAGES - at);
      expose(placeOne(at, pages));
      for (let rounds = next(MOST_ROUNDS); rounds > 0; rounds--) placeOne(at, pages);
    },
    /** Stray writes through a mapping that is for reading: they never reach the file. */
    stray() {
      const path = one(steady);
      const mapping = mapFile(path, { access: 'read', buffer: one(['shared', 'array']) });
      try {
        const { bytes } = mapping;
        for (let i = 0; i < 10; i++) {
          const at = next(FULL);
          const { [at]: byte } = bytes;
          bytes[at] = byte ^ 0xff;
        }
        lend(mapping, false);
        const page = next(FULL / PAGE);
        const fresh = mapFile(path, { offset: page * PAGE, length: PAGE });
        assertBytes(fresh.bytes, page * PAGE, next, 'the file after stray writes');
        close(fresh);
        count('strays');
      } finally {
        close(mapping);
      }
    },
    end() {
      if (space !== undefined) close(space);
    },
  };
}
