// Waiting on a condition, with a watchdog instead of a sleep.
import { setImmediate } from 'node:timers/promises';

/** Resolves once `condition()` is true; collects garbage meanwhile, under --expose-gc. */
export async function until(condition, what, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    globalThis.gc?.();
    await setImmediate();
  }
}
