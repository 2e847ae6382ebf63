// Waiting for descriptors to be ready outside the event loop: one native thread waits for all of
// them, and calls this file.
import { binding } from '../../internal/binding.js';
import { sharedByCopies } from '../../internal/copies.js';
import { checkStarted } from '../../internal/thread.js';
import { check } from '../../internal/syscall.js';

type Direction = 'read' | 'write';

interface Waiter {
  readonly wake: () => void;
  readonly fail: (reason: unknown) => void;
}

const MAX_NUMBER = 2 ** 32;

/** Watches that wait, by number. */
const waiting = sharedByCopies('watches', () => new Map<number, FdWatch>());
const numbers = sharedByCopies('watchNumbers', () => ({ last: 0 }));
let listens = false;

function report(): void {
  for (const number of binding.takeReady()) waiting.get(number)?.wake();
}

function listenToThread(): void {
  if (listens) return;
  checkStarted(binding.onReady(report), 'epoll_create1');
  listens = true;
}

/** Settles as `promise`, or rejects with the signal's reason if that comes first. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    // eslint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Waits for one descriptor, with one waiter for each direction. Waiting keeps the process alive. */
export class FdWatch {
  readonly #fd: number;
  readonly #number: number;
  readonly #waiters = new Map<Direction, Waiter>();

  constructor(fd: number) {
    listenToThread();
    do numbers.last = (numbers.last + 1) % MAX_NUMBER;
    while (waiting.has(numbers.last));
    this.#fd = fd;
    this.#number = numbers.last;
  }

  /** Resolves when a call may succeed or fail without waiting. */
  async ready(direction: Direction, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const ready = new Promise<void>((wake, fail) => this.#waiters.set(direction, { wake, fail }));
    try {
      this.#arm();
      await orAborted(ready, signal);
    } finally {
      if (this.#waiters.delete(direction)) this.#settle();
    }
  }

  #arm(): void {
    if (waiting.size === 0) binding.keepAlive(true);
    waiting.set(this.#number, this);
    check(binding.arm(this.#fd, this.#number, this.#waiters.has('read'), this.#waiters.has('write')), 'epoll_ctl');
  }

  #settle(): void {
    if (this.#waiters.size > 0) return;
    if (waiting.delete(this.#number) && waiting.size === 0) binding.keepAlive(false);
  }

  #take(): readonly Waiter[] {
    const all = [...this.#waiters.values()];
    this.#waiters.clear();
    this.#settle();
    return all;
  }

  /** Wakes the waiters of both directions; each tries its call again. */
  wake(): void {
    for (const { wake } of this.#take()) wake();
  }

  /** Called before the descriptor is closed: rejects all waits. */
  stop(reason: Error): void {
    binding.disarm(this.#fd);
    for (const { fail } of this.#take()) fail(reason);
  }
}
