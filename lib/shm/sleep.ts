// Sleeping on a word without blocking the thread: the waiter thread of the process sleeps, and
// calls back (src-native/core/waiter.h).
import { check } from '../errors.js';
import { binding } from '../internal/binding.js';

/** What is to be done about each wait of this thread, by its number. */
const waits = new Map<number, () => void>();
let listening = false;

/** Bun and Deno have parts of libuv only, under its names. */
const inLoop = process.versions['bun'] === undefined && process.versions['deno'] === undefined;

function listen(): void {
  if (listening) return;
  check(binding.onWake((wait) => waits.get(wait)?.(), inLoop), 'napi_create_threadsafe_function');
  listening = true;
}

/**
 * Resolves when the word has been woken or does not hold `value`, after `ms`, and when the
 * signal is aborted: never rejects. Keeps the process alive meanwhile.
 */
export function sleep(words: Int32Array, at: number, value: number, ms: number, signal: AbortSignal | undefined): Promise<void> {
  listen();
  const wait = check(binding.waitAsync(words, at, value, ms), 'futex_waitv');
  return new Promise((resolve) => {
    const end = (): void => {
      waits.delete(wait);
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      // If it is over already a wake-up was taken: it must be made use of.
      if (binding.cancelWait(wait)) end();
    };
    signal?.addEventListener('abort', abort, { once: true });
    waits.set(wait, end);
  });
}

/** Milliseconds after which a word that nobody waits for is not watched any more. */
const IDLE = 200;

/** One who waits for a word to hold something else than `value`. */
interface Sleeper {
  readonly value: number;
  readonly wakeUp: () => void;
}

/**
 * Sleeping on a word that is slept on again and again: the waiter thread goes on watching it, and
 * is not told of each sleep. The words must stay mapped until end().
 */
export class Watch {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #sleepers = new Set<Sleeper>();
  #wait: number | undefined;
  #used = false;
  #clock: NodeJS.Timeout | undefined;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** As the function sleep(); a wake-up of a word that holds `value` still may go unheard. */
  sleep(value: number, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#changed(value)) return Promise.resolve();
    this.#start(value);
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        this.#sleepers.delete(sleeper);
        clearTimeout(timer);
        signal?.removeEventListener('abort', wakeUp);
        resolve();
      };
      const sleeper = { value, wakeUp };
      const timer = setTimeout(wakeUp, ms);
      signal?.addEventListener('abort', wakeUp, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  #changed(value: number): boolean {
    return Atomics.load(this.#words, this.#at) !== value;
  }

  #start(value: number): void {
    this.#used = true;
    if (this.#wait !== undefined) return;
    listen();
    this.#wait = check(binding.watch(this.#words, this.#at, value), 'futex_waitv');
    waits.set(this.#wait, () => {
      for (const sleeper of this.#sleepers) if (this.#changed(sleeper.value)) sleeper.wakeUp();
    });
    this.#clock = setInterval(() => this.#rest(), IDLE).unref();
  }

  #rest(): void {
    if (!this.#used && this.#sleepers.size === 0) this.#stop();
    this.#used = false;
  }

  #stop(): void {
    if (this.#wait === undefined) return;
    clearInterval(this.#clock);
    binding.unwatch(this.#wait);
    waits.delete(this.#wait);
    this.#wait = undefined;
  }

  /** Wakes who sleeps, and lets the words go. */
  end(): void {
    this.#stop();
    for (const sleeper of this.#sleepers) sleeper.wakeUp();
  }
}
