// Addresses for tests that need to know where they map.
import { maps } from './proc.mjs';

const ALIGNMENT = 2n ** 21n;
let next = 2n ** 37n;

/** The first address of a hole of `length` bytes, aligned for huge pages. Each is given once. */
export function hole(length) {
  const size = ((BigInt(length) + ALIGNMENT - 1n) / ALIGNMENT) * ALIGNMENT;
  const all = maps();
  for (;;) {
    const start = next;
    // A hole stays around it, so that the kernel merges nothing and can grow it in place.
    next += size + ALIGNMENT * 16n;
    if (!all.some((one) => one.start < next && start - ALIGNMENT * 16n < one.end)) return start;
  }
}
