import { getSystemErrorMap } from 'node:util';
import { type FeatureName, lacks } from './internal/features.js';

/** Twins of core/guard.h: added to the error of what the guard could not be given. */
const NO_CLOSED_PAGES = 2 ** 13;
const NO_PROC = 2 ** 14;

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

/**
 * A system call failed. Same shape as the errors of `node:fs`, so `error.code === 'ENOENT'`
 * works as everywhere; the message ends with a way out where one is known.
 */
export class SystemError extends Error {
  /** For example `'ENOMEM'`. */
  readonly code: string;
  /** Negative, as in `node:fs`. */
  readonly errno: number;
  /** For example `'mmap'`. */
  readonly syscall: string;
  /** The file concerned, if there is one. */
  declare readonly path?: string;

  constructor(result: number, call: string, about: ErrorContext = {}) {
    const { errno, syscall, context } = failureOf(result, call, about);
    const [code, text] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', `error ${-errno}`];
    const where = context.path === undefined ? '' : ` '${context.path}'`;
    const wayOut = context.remedy?.(code);
    super(`${code}: ${text}, ${syscall}${where}${wayOut === undefined ? '' : `. ${wayOut}`}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    if (context.path !== undefined) this.path = context.path;
  }
}
SystemError.prototype.name = 'SystemError';

/** The call came at the wrong moment: after `close()`, for example. */
export class StateError extends Error {
  /** For example `'ERR_MEMMAP_CLOSED'`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
StateError.prototype.name = 'StateError';

/** This runtime or this kernel cannot do it; the message says which can. `cause` is the kernel's error. */
export class UnsupportedError extends Error {
  /** For example `'ERR_MEMMAP_BUFFER_TOO_LARGE'`. */
  readonly code: string;

  constructor(code: string, message: string, cause?: SystemError) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
UnsupportedError.prototype.name = 'UnsupportedError';

/** What another process gave, or is, is not what it must be. */
export class PeerError extends Error {
  /** For example `'ERR_MEMMAP_CORRUPT'`. */
  readonly code: string;
  /** Bytes into the data at fault, where that is known. */
  readonly offset?: number;

  constructor(code: string, message: string, offset?: number) {
    super(message);
    this.code = code;
    if (offset !== undefined) this.offset = offset;
  }
}
PeerError.prototype.name = 'PeerError';

/** @internal */
export function corrupt(message: string, offset: number): PeerError {
  return new PeerError('ERR_MEMMAP_CORRUPT', message, offset);
}

/** What an access met that the guard let go on: docs/memory-model.md. */
export type FaultKind = 'truncated' | 'no-space' | 'memory-failure' | 'read-only' | 'no-access' | 'after-close';

/** Faults after `close()` are counted and told of, never thrown: the mapping is closed anyway. */
export type FaultErrorKind = Exclude<FaultKind, 'after-close'>;

const FAULT_CODE: Readonly<Record<FaultErrorKind, string>> = {
  truncated: 'ERR_MEMMAP_TRUNCATED',
  'no-space': 'ERR_MEMMAP_NO_SPACE',
  'memory-failure': 'ERR_MEMMAP_MEMORY_FAILURE',
  'read-only': 'ERR_MEMMAP_READ_ONLY',
  'no-access': 'ERR_MEMMAP_NO_ACCESS',
};

/** Accesses met no memory, or none they were allowed to use: what they read is not to be relied on. */
export class FaultError extends Error {
  /** For example `'ERR_MEMMAP_TRUNCATED'`. */
  readonly code: string;
  /** Undefined for faults of several mappings together: ERR_MEMMAP_FAULT. */
  readonly kind?: FaultErrorKind;
  /** Bytes from the start of the mapping. */
  readonly offset?: number;
  /** The file concerned, if there is one. */
  readonly path?: string;

  constructor(message: string, kind?: FaultErrorKind, offset?: number, path?: string) {
    super(message);
    this.code = kind === undefined ? 'ERR_MEMMAP_FAULT' : FAULT_CODE[kind];
    if (kind !== undefined) this.kind = kind;
    if (offset !== undefined) this.offset = offset;
    if (path !== undefined) this.path = path;
  }
}
FaultError.prototype.name = 'FaultError';

/** What a SystemError knows besides the number. */
export interface ErrorContext {
  readonly path?: string;
  /** What the call needs of the kernel: ERR_MEMMAP_UNSUPPORTED if that is what is missing. */
  readonly feature?: FeatureName;
  /** A sentence for the error `code`, or undefined. Called only after a failure. */
  readonly remedy?: (code: string) => string | undefined;
}

/** @internal Twin of kNotOurs in napi/convert.h: beyond every errno. */
const NOT_OURS = -4096;

/** @internal */
export function foreignAddress(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
}

/** @internal Lifts the kernel's convention, negative is -errno, into an exception. */
export function check(result: number, syscall: string, context?: ErrorContext): number;
export function check<T extends object>(result: T | number, syscall: string, context?: ErrorContext): T;
export function check(result: unknown, syscall: string, context?: ErrorContext): unknown {
  if (typeof result !== 'number' || result >= 0) return result;
  if (result === NOT_OURS) {
    throw foreignAddress(`${syscall}: the addresses are not memory that memmap mapped and still holds`);
  }
  throw failure(result, syscall, context);
}

/** @internal The exception for -errno. */
export function failure(errno: number, syscall: string, context?: ErrorContext): SystemError | UnsupportedError {
  const error = new SystemError(errno, syscall, context);
  const missing = context?.feature === undefined ? undefined : lacks(context.feature, error.code);
  return missing === undefined ? error : new UnsupportedError('ERR_MEMMAP_UNSUPPORTED', missing, error);
}
