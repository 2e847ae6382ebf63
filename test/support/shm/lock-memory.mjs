// Memory for the locks of a test, and words for what they answer.
import { SharedMemory } from 'memmap/shm';

export const NO = { timeout: 30 };
export const LONG = { timeout: 30_000 };
export const CLEAN = { ownerDied: false };
export const INHERITED = { ownerDied: true };
/** Of a lock's word: somebody may sleep until it changes. */
export const WAITERS = 0x8000_0000 | 0;
export const code = (name) => ({ code: `ERR_MEMMAP_${name}` });

/** A page of shared memory for each test of the calling describe block, in which all is free. */
export function lockMemory() {
  const at = { word: (offset) => at.memory.view(Int32Array, { offset, count: 1 }) };
  beforeEach(() => {
    at.shared = SharedMemory.create({ length: 4096 });
    at.memory = at.shared.map();
    at.counter = at.word(1024);
  });
  afterEach(() => {
    at.memory.close();
    at.shared.close();
  });
  return at;
}
