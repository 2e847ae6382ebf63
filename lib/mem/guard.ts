// The guard as a whole: on or off, and whether any access faulted.
import { isPromise } from '../internal/realms/kinds.js';
import { FaultError, StateError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { validateBoolean, validateFunction, validateOptions } from '../internal/validate.js';
import { faultCount } from './faults.js';

/** Options of {@link configure}. */
export interface Configuration {
  /**
   * Whether accesses to mapped memory that would end the process with SIGBUS or SIGSEGV continue instead.
   * `false` is possible only before the first map of any thread. @default true
   */
  readonly guard?: boolean | undefined;
}

/**
 * Changes settings of the whole process.
 *
 * @throws {StateError} ERR_MEMMAP_TOO_LATE if memory has been mapped already, or the guard was disabled
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
      : 'Memory has been mapped under the guard already: disable the guard before the first map',
  );
}

function throwIfMore(before: number): void {
  const faults = faultCount() - before;
  if (faults === 0) return;
  throw new FaultError(
    `${faults} accesses to mapped memory faulted: bytes that were read may be zeros. ` +
      'Call check() on each mapping to see which and why',
  );
}

/**
 * Runs `f` and throws if any access of the process to mapped memory faulted meanwhile: the result
 * would not match the files. With an asynchronous `f`, the promise rejects.
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
  if (isPromise(result)) {
    return result.then((value: unknown) => {
      throwIfMore(before);
      return value;
    }) as T;
  }
  throwIfMore(before);
  return result;
}
