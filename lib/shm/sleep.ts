// Sleeping on a word without blocking the thread: the waiter thread of the process sleeps, and
// calls back (src-native/core/waiter.h).
import { check } from '../errors.js';
import { binding } from '../internal/binding.js';

const sleepers = new Map<number, () => void>();
let listening = false;

function woken(id: number): void {
  const wakeUp = sleepers.get(id);
  sleepers.delete(id);
  wakeUp?.();
}

/**
 * Resolves when the word has been woken or does not hold `value`, after `ms`, and when the
 * signal is aborted: never rejects. Keeps the process alive meanwhile.
 */
export function sleep(words: Int32Array, at: number, value: number, ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (!listening) {
    check(binding.onWake(woken), 'napi_create_threadsafe_function');
    listening = true;
  }
  const id = check(binding.waitAsync(words, at, value, ms), 'futex_waitv');
  return new Promise((resolve) => {
    const abort = (): void => {
      // If it is over already a wake-up was taken: it must be made use of.
      if (binding.cancelWait(id)) woken(id);
    };
    signal?.addEventListener('abort', abort, { once: true });
    sleepers.set(id, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
  });
}
