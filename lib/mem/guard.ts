// The guard as a whole: on or off, and whether anything has happened.
import { FaultError, StateError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { validateBoolean, validateFunction, validateOptions } from '../internal/validate.js';
import { faultCount } from './faults.js';

/** Options of {@link configure}. */
export interface Configuration {
  /**
   * Whether accesses that the kernel would end the process for are let go on instead. `false`
   * only before the first map, in any thread. @default true
   */
  readonly guard?: boolean | undefined;
}

/**
 * Settings of the whole process.
 *
 * @throws {StateError} ERR_MEMMAP_TOO_LATE to change what is in use already
 */
export function configure(options: Configuration): void {
  validateOptions<Configuration>(options, ['guard']);
  if (options.guard === undefined) return;
  validateBoolean(options.guard, 'options.guard');
  const done = options.guard ? binding.guardEnabled() : binding.disableGuard();
  if (done) return;
  throw new StateError(
    'ERR_MEMMAP_TOO_LATE',
    options.guard
      ? 'The guard was disabled earlier and cannot be enabled again'
      : 'Memory has been mapped under the guard already: turn it off before the first map',
  );
}

function throwIfMore(before: number): void {
  const faults = faultCount() - before;
  if (faults === 0) return;
  throw new FaultError(
    `${faults} accesses to mapped memory met none that they could use: what was read may be zeros. ` +
      'check() of each mapping tells which and why',
  );
}

/**
 * Runs `f` and throws if meanwhile any access of the process to mapped memory met a fault:
 * the result would not be what the files say. With an asynchronous `f`, the promise rejects.
 *
 * ```js
 * const total = guard(() => sum(file.view(Float64Array)));
 * ```
 *
 * @throws {FaultError} ERR_MEMMAP_FAULT
 */
export function guard<T>(f: () => T): T {
  validateFunction(f, 'f');
  const before = faultCount();
  const result = f();
  if (result instanceof Promise) {
    return result.then((value: unknown) => {
      throwIfMore(before);
      return value;
    }) as T;
  }
  throwIfMore(before);
  return result;
}
