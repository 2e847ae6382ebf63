// Sleeping on a word without blocking the thread: the waiter thread of the process sleeps, and
// calls back (src-native/core/wait/waiter.h).
import { binding } from '../../internal/binding.js';
import { sharedByCopies } from '../../internal/copies.js';
import { checkStarted } from '../../internal/thread.js';
import { check } from '../../internal/syscall.js';
import { POLL_INTERVAL } from './outcome.js';

/** The callback of each wait of this thread, by its number. */
const waits = sharedByCopies('waits', () => new Map<number, () => void>());
let listening = false;

/** Bun and Deno have only parts of libuv, under its names. */
const inLoop = process.versions['bun'] === undefined && process.versions['deno'] === undefined;

function listen(): void {
  if (listening) return;
  check(binding.onWake((wait) => waits.get(wait)?.(), inLoop), 'napi_create_threadsafe_function');
  listening = true;
}

/**
 * Resolves when the word is woken or does not hold `value`, after `ms` milliseconds, or when the
 * signal is aborted. Never rejects. Keeps the process alive meanwhile.
 */
export function sleep(words: Int32Array, at: number, value: number, ms: number, signal: AbortSignal | undefined): Promise<void> {
  listen();
  const wait = checkStarted(binding.waitAsync(words, at, value, ms), 'futex_waitv');
  return new Promise((resolve) => {
    const end = (): void => {
      waits.delete(wait);
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      // If the wait is over already, it has consumed a wake-up, which the caller must use.
      if (binding.cancelWait(wait)) end();
    };
    signal?.addEventListener('abort', abort, { once: true });
    waits.set(wait, end);
  });
}

/** After this many ticks without sleepers a word is no longer watched. */
const IDLE = 4;

/** A task that sleeps until the word does not hold `value`. */
interface Sleeper {
  readonly value: number;
  readonly wakeUp: () => void;
  /** Called at each tick: whether to wake it although the word has not changed. */
  readonly look: () => boolean;
}

/** Active watches; the clock ticks while there are any. */
const running = new Set<WordWatch>();
/** The number of sleepers: while there are any, the clock keeps the process alive. */
let asleep = 0;
let clock: NodeJS.Timeout | undefined;

function tick(): void {
  for (const watch of running) watch.tick();
  if (running.size > 0) return;
  clearInterval(clock);
  clock = undefined;
}

/**
 * Repeated sleeping on the same word. Its changes are reported until no task has slept on it for a while,
 * so that a sleep makes no system call. The words must stay mapped until end().
 */
export class WordWatch {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #sleepers = new Set<Sleeper>();
  #wait = 0;
  #idle = 0;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /**
   * Resolves when the word does not hold `value`, after `ms` milliseconds, when `look` returns true, or when
   * the signal is aborted. Never rejects. Keeps the process alive meanwhile.
   */
  sleep(value: number, ms: number, signal: AbortSignal | undefined, look: () => boolean): Promise<void> {
    if (this.#changed(value)) return Promise.resolve();
    if (!running.has(this)) this.#start(value);
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        this.#sleepers.delete(sleeper);
        clearTimeout(timer);
        signal?.removeEventListener('abort', wakeUp);
        asleep -= 1;
        if (asleep === 0) clock?.unref();
        resolve();
      };
      const sleeper = { value, wakeUp, look };
      const timer = ms === Infinity ? undefined : setTimeout(wakeUp, ms);
      signal?.addEventListener('abort', wakeUp, { once: true });
      this.#sleepers.add(sleeper);
      asleep += 1;
      if (asleep === 1) clock?.ref();
    });
  }

  #changed(value: number): boolean {
    return Atomics.load(this.#words, this.#at) !== value;
  }

  #start(value: number): void {
    listen();
    this.#wait = checkStarted(binding.watch(this.#words, this.#at, value), 'futex_waitv');
    waits.set(this.#wait, () => this.#wake(({ value: seen }) => this.#changed(seen)));
    running.add(this);
    clock ??= setInterval(tick, POLL_INTERVAL).unref();
  }

  #wake(which: (sleeper: Sleeper) => boolean): void {
    for (const sleeper of this.#sleepers) if (which(sleeper)) sleeper.wakeUp();
  }

  /** Called at each tick. */
  tick(): void {
    this.#wake(({ look }) => look());
    this.#idle = this.#sleepers.size > 0 ? 0 : this.#idle + 1;
    if (this.#idle > IDLE) this.#stop();
  }

  #stop(): void {
    if (!running.delete(this)) return;
    binding.unwatch(this.#wait);
    waits.delete(this.#wait);
  }

  /** Wakes all sleepers, and stops watching. */
  end(): void {
    this.#stop();
    this.#wake(() => true);
  }
}
