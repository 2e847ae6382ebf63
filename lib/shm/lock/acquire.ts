// Waiting as the locks' users see it: options, giving up.
import { performance } from 'node:perf_hooks';
import { StateError } from '../../errors.js';
import { validateOptions, validateSignal, validateTimeout } from '../../internal/validate.js';
import type { LockRunner } from './lock-word.js';
import { DONE, NOT_OWNER, OWN, OWNER_DIED, type Algorithm } from './algorithm/operation.js';
import { ABORTED, EXPIRED, WOKEN } from '../wait/outcome.js';
import type { FifoLock } from '../wait/fifo.js';

/** Options of what waits. */
export interface TimeoutOptions {
  /** Milliseconds; 0 tries once. @default Infinity */
  readonly timeout?: number | undefined;
}

/** Options of what waits without blocking the thread. */
export interface AsyncTimeoutOptions extends TimeoutOptions {
  /** Gives up; the promise rejects with the signal's reason. */
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

/** What `lock()` and its like tell. */
export interface LockResult {
  /** The owner before ended without unlocking: what the lock guards may be half-changed. */
  readonly ownerDied: boolean;
}

const CLEAN: LockResult = Object.freeze({ ownerDied: false });
const INHERITED: LockResult = Object.freeze({ ownerDied: true });

/** An outcome as a result, or as what is thrown. */
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
      return new StateError('ERR_MEMMAP_DEADLOCK', 'This thread has the lock already: it would wait for itself for ever');
    case NOT_OWNER: return new StateError('ERR_MEMMAP_NOT_OWNER', 'This thread does not have the lock');
    default: return new TypeError(`no such outcome: ${outcome}`);
  }
}

/** Waits for a lock, blocking. */
export function waitSync(place: LockRunner, steps: Algorithm<number>, options: TimeoutOptions | undefined): LockResult {
  return toResult(place.run(steps, deadlineOf(options, KNOWN)));
}

/**
 * Waits without blocking, in turn if there are turns. `undo` gives back what was got though the
 * signal was aborted meanwhile; without it, what happened has happened.
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

/** Tries. False if it cannot be had now. */
export function tryRun(place: LockRunner, steps: Algorithm<number>): LockResult | false {
  const outcome = place.run(steps, 0);
  return outcome === EXPIRED || outcome === OWN ? false : toResult(outcome);
}
