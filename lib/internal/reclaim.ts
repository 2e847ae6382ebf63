// Closed mappings whose buffers are not collected yet keep their addresses. V8 counts no
// byte of a SharedArrayBuffer, so nothing would make it collect them: this does.
import { constants } from 'node:os';
import { binding } from './binding.js';

/** Closes between two looks at the census, which takes a lock. */
const STRIDE = 256;
/** A fourth of the mappings, and an eighth of the address space, of a process. */
const MAX_RETIRED = 2 ** 14;
const MAX_RETIRED_BYTES = 2 ** 44;

let closes = 0;
let patience = 1;

const { census: CENSUS } = binding.FACTS;

function pressure(): number {
  const counts = binding.census();
  return Math.max((counts[CENSUS.retired] ?? 0) / MAX_RETIRED, (counts[CENSUS.retiredBytes] ?? 0) / MAX_RETIRED_BYTES);
}

/** Called after each close of a mapping that had a buffer. */
export function reclaim(): void {
  closes += 1;
  if (closes % STRIDE !== 0) return;
  let now = pressure();
  if (now >= patience) {
    // Those of the engine may be gone already: it does not tell.
    binding.sweep();
    now = pressure();
  }
  if (now < patience) {
    if (now < 0.5) patience = 1;
    return;
  }
  binding.collect();
  // What survives is still in use: collecting again at once would find nothing.
  patience = now + 1;
}

/**
 * What `map` returns: -errno if it fails. Where there is no room, closed mappings may still
 * take it: their buffers are collected, and `map` is called again.
 */
export function withRoom<T>(map: () => T): T {
  const result = map();
  if (result !== -constants.errno.ENOMEM) return result;
  binding.collect();
  binding.collect(); // waits for what the first one left to another thread
  return map();
}
