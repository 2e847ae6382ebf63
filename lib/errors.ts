// The classes of errors. Importing them loads nothing else of the package.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** Calls whose ENOTSUP is about a socket. */
const OF_SOCKETS: ReadonlySet<string> = new Set(['socket', 'bind', 'connect', 'listen', 'accept', 'sendmsg', 'recvmsg']);

/** What Node's table of errors lacks. */
const UNLISTED: Readonly<Record<string, string>> = { EDQUOT: 'disk quota exceeded', ESTALE: 'stale file handle' };

function unlisted(errno: number): readonly [code: string, text: string] {
  const code = Object.keys(UNLISTED).find((name) => (constants.errno as Readonly<Record<string, number>>)[name] === -errno);
  return code === undefined ? ['UNKNOWN', `error ${-errno}`] : [code, UNLISTED[code] as string];
}

/**
 * A system call failed. It has the shape of the errors of `node:fs`, so `error.code === 'ENOENT'`
 * works; the message ends with a remedy where one is known.
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

  /** @internal `remedy`: a sentence for the error `code`, or undefined. */
  constructor(errno: number, syscall: string, { path, remedy }: { path?: string; remedy?: (code: string) => string | undefined } = {}) {
    const [code, words] = getSystemErrorMap().get(errno) ?? unlisted(errno);
    // libuv knows this error of sockets only.
    const text = code === 'ENOTSUP' && !OF_SOCKETS.has(syscall) ? 'operation not supported' : words;
    const where = path === undefined ? '' : ` '${path}'`;
    const sentence = remedy?.(code);
    super(`${code}: ${text}, ${syscall}${where}${sentence === undefined ? '' : `. ${sentence}`}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
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

/** This runtime or this kernel does not support the call; the message says which do. `cause` is the kernel's error, if there is one. */
export class UnsupportedError extends Error {
  /** For example `'ERR_MEMMAP_BUFFER_TOO_LARGE'`. */
  readonly code: string;

  constructor(code: string, message: string, cause?: SystemError) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
UnsupportedError.prototype.name = 'UnsupportedError';

/** Another process is not the expected peer, has died, or sent or wrote invalid data. */
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

/** Why an access to mapped memory faulted. The guard lets the access continue: docs/memory-model.md. */
export type FaultKind = 'truncated' | 'no-space' | 'memory-failure' | 'read-only' | 'no-access' | 'after-close';

/** The kinds of faults that are thrown. Faults after `close()` are only counted and reported. */
export type FaultErrorKind = Exclude<FaultKind, 'after-close'>;

const FAULT_CODE: Readonly<Record<FaultErrorKind, string>> = {
  truncated: 'ERR_MEMMAP_TRUNCATED',
  'no-space': 'ERR_MEMMAP_NO_SPACE',
  'memory-failure': 'ERR_MEMMAP_MEMORY_FAILURE',
  'read-only': 'ERR_MEMMAP_READ_ONLY',
  'no-access': 'ERR_MEMMAP_NO_ACCESS',
};

/** An access to mapped memory faulted: bytes read there may be zeros, and bytes written may be lost. */
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
