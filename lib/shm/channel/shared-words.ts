// SharedWords: the words of shared memory that the algorithms of a channel use. All accesses are sequentially
// consistent. A test replaces it with simulated memory, and runs the algorithms in every order.
import { binding } from '../../internal/binding.js';
import { WordWatch } from '../wait/futex.js';
import { ALL } from '../lock/algorithm/operation.js';

export class SharedWords {
  readonly #array: Int32Array;
  readonly #watches = new Map<number, WordWatch>();

  constructor(array: Int32Array) {
    this.#array = array;
  }

  load(at: number): number {
    return Atomics.load(this.#array, at);
  }
  store(at: number, value: number): void {
    Atomics.store(this.#array, at, value);
  }
  /** Returns the value before, as the following do. */
  add(at: number, value: number): number {
    return Atomics.add(this.#array, at, value);
  }
  exchange(at: number, value: number): number {
    return Atomics.exchange(this.#array, at, value);
  }
  compareExchange(at: number, expected: number, value: number): number {
    return Atomics.compareExchange(this.#array, at, expected, value);
  }

  /** Sleeps while the word has the value, for at most `ms` milliseconds. May wake early. */
  sleep(at: number, value: number, ms: number): void {
    binding.futexWait(this.#array, at, value, ms);
  }
  /** As sleep(), without blocking the thread; also ends when `look`, called now and then, returns true. */
  wait(at: number, value: number, ms: number, abort: AbortSignal | undefined, look: () => boolean): Promise<void> {
    let watch = this.#watches.get(at);
    if (watch === undefined) {
      watch = new WordWatch(this.#array, at);
      this.#watches.set(at, watch);
    }
    return watch.sleep(value, ms, abort, look);
  }
  /** Wakes all threads that sleep on the word. */
  wake(at: number): void {
    binding.futexWake(this.#array, at, ALL);
  }

  /** Called before the memory is unmapped: ends the waits of this thread. */
  end(): void {
    for (const watch of this.#watches.values()) watch.end();
  }
}
