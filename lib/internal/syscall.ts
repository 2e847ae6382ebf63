// The kernel's convention, negative is -errno, made an exception: here and nowhere else.
import { SystemError, UnsupportedError } from '../errors.js';
import { binding } from './binding.js';
import { type FeatureName, lacks } from './features.js';

/** What an error knows besides the number. */
export interface ErrorContext {
  readonly path?: string;
  /** What the call needs of the kernel: ERR_MEMMAP_UNSUPPORTED if that is what is missing. */
  readonly feature?: FeatureName;
  /** A sentence for the error `code`, or undefined. Called only after a failure. */
  readonly remedy?: (code: string) => string | undefined;
}

/** What a call returns for addresses that are not memmap's. */
export const NOT_OURS: number = -binding.FAILURE.NOT_OURS;
const { NO_CLOSED_PAGES, NO_PROC } = binding.FAILURE;

interface Failure {
  readonly errno: number;
  readonly syscall: string;
  readonly context: ErrorContext;
}

/** What really failed, if it is not the call but the guard in front of it. */
function failureOf(errno: number, syscall: string, context: ErrorContext): Failure {
  if (errno > -NO_CLOSED_PAGES) return { errno, syscall, context };
  const instead = 'Nothing was mapped, for want of protection. To do without it: configure({ guard: false })';
  const descriptors = `The first map takes two descriptors for the guard: close some, or raise ulimit -n. ${instead}`;
  if (errno > -NO_PROC) {
    return { errno: errno + NO_CLOSED_PAGES, syscall: 'memfd_create', context: { remedy: () => descriptors } };
  }
  const proc = `The guard asks /proc what is mapped: mount it with mount -t proc proc /proc. ${instead}`;
  const remedy = (code: string): string => (code === 'EMFILE' || code === 'ENFILE' ? descriptors : proc);
  return { errno: errno + NO_PROC, syscall: 'open', context: { path: '/proc/self/maps', remedy } };
}

export function foreignAddress(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
}

/** The error for -errno, whatever the kernel may lack. */
export function systemError(result: number, call: string, about: ErrorContext = {}): SystemError {
  const { errno, syscall, context } = failureOf(result, call, about);
  return new SystemError(errno, syscall, context);
}

/** The same, or what says that the kernel lacks what the call needs. */
export function failure(errno: number, syscall: string, context?: ErrorContext): SystemError | UnsupportedError {
  const error = systemError(errno, syscall, context);
  const missing = context?.feature === undefined ? undefined : lacks(context.feature, error.code);
  return missing === undefined ? error : new UnsupportedError('ERR_MEMMAP_UNSUPPORTED', missing, error);
}

/** Lifts the kernel's convention into an exception. */
export function check(result: number, syscall: string, context?: ErrorContext): number;
export function check<T extends object>(result: T | number, syscall: string, context?: ErrorContext): T;
export function check(result: unknown, syscall: string, context?: ErrorContext): unknown {
  if (typeof result !== 'number' || result >= 0) return result;
  if (result === NOT_OURS) {
    throw foreignAddress(`${syscall}: the addresses are not memory that memmap mapped and still holds`);
  }
  throw failure(result, syscall, context);
}
