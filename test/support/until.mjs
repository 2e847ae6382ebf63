// Waiting on a condition, with a watchdog instead of a sleep.
import { setImmediate, setTimeout } from 'node:timers/promises';

/** Turns of the event loop without a pause: what is about to happen happens within them. */
const TURNS = 20;
/** Milliseconds between later looks, which leave the processor to what is waited for. */
const PAUSE = 2;

/** Resolves once `condition()` is true; collects garbage meanwhile, under --expose-gc. */
export async function until(condition, what, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (let turn = 0; !(await condition()); turn++) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    globalThis.gc?.();
    await (turn < TURNS ? setImmediate() : setTimeout(PAUSE));
  }
}
