// Turns the kernel's convention, negative is -errno, into exceptions: here and nowhere else.
import { SystemError, UnsupportedError } from '../errors.js';
import { binding } from './binding.js';
import { type FeatureName, lacks } from './features.js';
import { type PathName, shownPath } from './path.js';

/** What an error says besides the number. */
export interface ErrorContext {
  readonly path?: PathName;
  /** What the call needs of the kernel: if the kernel lacks it, the error is ERR_MEMMAP_UNSUPPORTED. */
  readonly feature?: FeatureName;
  /** A sentence for the error `code`, or undefined. Called only after a failure. */
  readonly remedy?: (code: string) => string | undefined;
}

/** The result of a call for addresses that are not memmap's. */
export const NOT_OURS: number = -binding.FAILURE.NOT_OURS;
const { NO_CLOSED_PAGES, NO_PROC } = binding.FAILURE;

interface Failure {
  readonly errno: number;
  readonly syscall: string;
  readonly context: ErrorContext;
}

/** What really failed: the call, or the arming of the guard before it. */
function failureOf(errno: number, syscall: string, context: ErrorContext): Failure {
  if (errno > -NO_CLOSED_PAGES) return { errno, syscall, context };
  const instead = 'Nothing was mapped, because the guard could not be armed. To map without it: configure({ guard: false })';
  const descriptors = `The first map takes two descriptors for the guard: close some, or raise ulimit -n. ${instead}`;
  if (errno > -NO_PROC) {
    const remedy = (code: string): string => (code === 'EMFILE' || code === 'ENFILE' ? descriptors : instead);
    return { errno: errno + NO_CLOSED_PAGES, syscall: 'memfd_create', context: { remedy } };
  }
  const proc = `The guard reads this file: mount /proc with mount -t proc proc /proc. ${instead}`;
  const remedy = (code: string): string => (code === 'EMFILE' || code === 'ENFILE' ? descriptors : code === 'ENOENT' ? proc : instead);
  return { errno: errno + NO_PROC, syscall: 'open', context: { path: '/proc/self/maps', remedy } };
}

export function foreignAddress(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
}

/** The SystemError for -errno. */
export function systemError(result: number, call: string, about: ErrorContext = {}): SystemError {
  const { errno, syscall, context } = failureOf(result, call, about);
  const { path, remedy } = context;
  return new SystemError(errno, syscall, { ...(path !== undefined && { path: shownPath(path) }), ...(remedy && { remedy }) });
}

/** The error for -errno: an UnsupportedError if the kernel lacks the feature that the call needs. */
export function failure(errno: number, syscall: string, context?: ErrorContext): SystemError | UnsupportedError {
  const error = systemError(errno, syscall, context);
  const missing = context?.feature === undefined ? undefined : lacks(context.feature, error.code);
  return missing === undefined ? error : new UnsupportedError('ERR_MEMMAP_UNSUPPORTED', missing, error);
}

/** Returns the result of a native call, or throws the error that it stands for. */
export function check(result: number, syscall: string, context?: ErrorContext): number;
export function check<T extends object>(result: T | number, syscall: string, context?: ErrorContext): T;
export function check(result: unknown, syscall: string, context?: ErrorContext): unknown {
  if (typeof result !== 'number' || result >= 0) return result;
  if (result === NOT_OURS) {
    throw foreignAddress(`${syscall}: the addresses are not memory that memmap mapped and still holds`);
  }
  throw failure(result, syscall, context);
}
