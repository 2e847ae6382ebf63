// Closed mappings keep their addresses until their buffers are collected. V8 does not count the
// bytes of a SharedArrayBuffer, so it would not collect them by itself: this file makes it.
import { constants } from 'node:os';
import { binding } from './binding.js';

/** The census takes a lock, so only one close in this many reads it. */
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
export function collectUnderPressure(): void {
  closes += 1;
  if (closes % STRIDE !== 0) return;
  let now = pressure();
  if (now >= patience) {
    // The engine may have unmapped some of them already, without notice.
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
 * Returns what `map` returns: -errno if it fails. After ENOMEM, whose cause may be closed mappings that keep
 * their addresses, it has their buffers collected and calls `map` again.
 */
export function retryAfterGc<T>(map: () => T): T {
  const result = map();
  if (result !== -constants.errno.ENOMEM) return result;
  binding.collect();
  binding.collect(); // waits for what the first one left to another thread
  return map();
}
