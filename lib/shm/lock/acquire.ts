// The public side of waiting for a lock: options, timeouts, results.
import { performance } from 'node:perf_hooks';
import { StateError } from '../../errors.js';
import { validateOptions, validateSignal, validateTimeout } from '../../internal/validate.js';
import type { LockRunner } from './lock-word.js';
import { DONE, NOT_OWNER, OWN, OWNER_DIED, type Algorithm } from './algorithm/operation.js';
import { ABORTED, EXPIRED, WOKEN } from '../wait/outcome.js';
import type { FifoLock } from '../wait/fifo.js';

/** Options of calls that wait. */
export interface TimeoutOptions {
  /** Milliseconds; 0 tries once. @default Infinity */
  readonly timeout?: number | undefined;
}

/** Options of calls that wait without blocking the thread. */
export interface AsyncTimeoutOptions extends TimeoutOptions {
  /** Ends the wait when aborted; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const KNOWN = ['timeout'] as const;
const KNOWN_ASYNC = ['timeout', 'signal'] as const;

/** When the waiting ends, by performance.now(). */
export function deadlineOf(options: AsyncTimeoutOptions | undefined, known: readonly (keyof AsyncTimeoutOptions)[]): number {
  if (options === undefined) return Infinity;
  validateOptions<AsyncTimeoutOptions>(options, known);
  const { timeout = Infinity, signal } = options;
  validateTimeout(timeout);
  validateSignal(signal);
  return performance.now() + timeout;
}

/** The result of `lock()` and similar calls. */
export interface LockResult {
  /** The previous owner ended without unlocking: the data that the lock protects may be half-changed. */
  readonly ownerDied: boolean;
}

const CLEAN: LockResult = Object.freeze({ ownerDied: false });
const INHERITED: LockResult = Object.freeze({ ownerDied: true });

/** Turns an outcome into a result, or throws its error. */
export function toResult(outcome: number, signal?: AbortSignal): LockResult {
  if (outcome === DONE) return CLEAN;
  if (outcome === OWNER_DIED) return INHERITED;
  throw failure(outcome, signal);
}

function failure(outcome: number, signal: AbortSignal | undefined): unknown {
  switch (outcome) {
    case ABORTED: return signal?.reason;
    case EXPIRED: return new StateError('ERR_MEMMAP_TIMEOUT', 'Timed out');
    case OWN:
      return new StateError('ERR_MEMMAP_DEADLOCK', 'This thread has the lock already and would wait for itself forever: unlock() it first');
    case NOT_OWNER: return new StateError('ERR_MEMMAP_NOT_OWNER', 'This thread does not have the lock, so it cannot unlock it');
    default: return new TypeError(`Unknown outcome ${outcome}`);
  }
}

/** Waits for a lock, and blocks the thread. */
export function waitSync(place: LockRunner, steps: Algorithm<number>, options: TimeoutOptions | undefined): LockResult {
  return toResult(place.run(steps, deadlineOf(options, KNOWN)));
}

/**
 * Waits without blocking the thread, in the order of `turns` if given. `undo` releases the lock if the signal
 * was aborted meanwhile; without it, the result stands.
 */
export async function waitAsync(
  place: LockRunner,
  turns: FifoLock | undefined,
  start: () => Algorithm<number>,
  undo: (() => void) | undefined,
  options: AsyncTimeoutOptions | undefined,
): Promise<LockResult> {
  const deadline = deadlineOf(options, KNOWN_ASYNC);
  const signal = options?.signal;
  place.follow();
  const aborted = (): boolean => signal?.aborted === true;
  if (aborted()) throw failure(ABORTED, signal);
  if (turns !== undefined) {
    const why = await turns.acquire(deadline, signal);
    if (why !== WOKEN) throw failure(why, signal);
  }
  try {
    const result = toResult(await place.runAsync(start(), deadline, signal), signal);
    if (undo === undefined || !aborted()) return result;
    undo();
    throw failure(ABORTED, signal);
  } finally {
    turns?.release();
  }
}

/** Tries once. False if the lock is not free. */
export function tryRun(place: LockRunner, steps: Algorithm<number>): LockResult | false {
  const outcome = place.run(steps, 0);
  return outcome === EXPIRED || outcome === OWN ? false : toResult(outcome);
}
