// futex(2): sleeping on a word of memory, and waking the threads that sleep on it, in any process that
// maps the memory. https://man7.org/linux/man-pages/man2/futex.2.html
import { constants } from 'node:os';
import { binding } from '../internal/binding.js';
import { check } from '../internal/syscall.js';
import { invalidType, outOfRange, validateInteger, validateOptions, validateTimeout } from '../internal/validate.js';
import { type Where, addressOf } from './where.js';

const { errno } = constants;
const WORD = 4;
const MOST_WOKEN = 2 ** 31 - 1;
/** FUTEX_WAITV_MAX */
const MOST_WAITERS = 128;

/** A word to sleep on, as {@link futex_waitv} takes it. */
export interface FutexWaiter {
  /** The word, 4 bytes at a multiple of 4: a view or buffer that begins with it, or its address. */
  readonly addr: Where;
  /** What the word must hold: 32 bits, signed or not. */
  readonly expected: number;
}

function wordAt(addr: Where, name: string): bigint {
  if (addr === null) throw invalidType(name, 'a buffer, a view or an address', addr);
  const address = addressOf(addr);
  const bytes = typeof addr === 'object' ? addr.byteLength : WORD;
  if (bytes < WORD) throw outOfRange(`${name}.byteLength`, `>= ${WORD}, the bytes of a word`, bytes);
  if (address % 4n !== 0n) throw outOfRange(name, `at a multiple of ${WORD} in memory`, address);
  return address;
}

function validateExpected(expected: unknown, name: string): asserts expected is number {
  validateInteger(expected, name, -(2 ** 31), 2 ** 32 - 1);
}

/** Calls again after an interruption by a signal, until the timeout has passed. */
function until(timeout: number, call: (ms: number) => number): number {
  const deadline = performance.now() + timeout;
  for (let left = timeout; ; left = Math.max(0, deadline - performance.now())) {
    const result = call(left);
    if (result !== -errno.EINTR) return result;
  }
}

/**
 * futex(2) FUTEX_WAIT, across processes: blocks the thread while the word holds `expected`, until
 * {@link futex_wake} wakes it. It may return without a wake-up: read the word, and call again if need be.
 *
 * @param timeout milliseconds
 * @throws {SystemError} EAGAIN if the word holds something else, ETIMEDOUT, EFAULT
 */
export function futex_wait(addr: Where, expected: number, timeout: number = Infinity): void {
  const address = wordAt(addr, 'addr');
  validateExpected(expected, 'expected');
  validateTimeout(timeout, 'timeout');
  check(until(timeout, (ms) => binding.futexWaitAt(address, expected | 0, ms)), 'futex');
}

/**
 * futex(2) FUTEX_WAKE: wakes up to `count` threads that sleep on the word, in this process and others.
 *
 * @returns how many it woke
 * @throws {SystemError} EFAULT
 */
export function futex_wake(addr: Where, count = 1): number {
  const address = wordAt(addr, 'addr');
  validateInteger(count, 'count', 0, MOST_WOKEN);
  return check(binding.futexWakeAt(address, count), 'futex');
}

/**
 * futex_waitv(2), Linux 5.16: as {@link futex_wait}, on up to 128 words at once.
 *
 * @param timeout milliseconds
 * @returns the index of a word that was woken; others may have been woken too
 * @throws {SystemError} EAGAIN if a word holds something else, ETIMEDOUT, EFAULT
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED on an older kernel
 */
export function futex_waitv(waiters: readonly FutexWaiter[], timeout: number = Infinity): number {
  if (!Array.isArray(waiters)) throw invalidType('waiters', 'an array of { addr, expected }', waiters);
  validateInteger(waiters.length, 'waiters.length', 1, MOST_WAITERS);
  validateTimeout(timeout, 'timeout');
  const addresses = new BigUint64Array(waiters.length);
  const expected = new Int32Array(waiters.length);
  for (const [i, waiter] of (waiters as readonly FutexWaiter[]).entries()) {
    validateOptions<FutexWaiter>(waiter, ['addr', 'expected'], `waiters[${i}]`);
    validateExpected(waiter.expected, `waiters[${i}].expected`);
    addresses[i] = wordAt(waiter.addr, `waiters[${i}].addr`);
    expected[i] = waiter.expected;
  }
  return check(until(timeout, (ms) => binding.futexWaitv(addresses, expected, ms)), 'futex_waitv', { feature: 'multiFutex' });
}
