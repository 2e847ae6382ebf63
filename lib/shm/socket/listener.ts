// Listener: a Unix socket that accepts connections. It replaces a socket that a dead process has left.
import { disposable } from '../../internal/realms/dispose.js';
import { codeOf } from '../../internal/realms/kinds.js';
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StateError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { OURS, validateFunction, validateInteger, validateOptions, validateOurs, validateSignal } from '../../internal/validate.js';
import { demandSocket, socketAddress } from './unix-address.js';
import { type Connection, type Peer, sameUser, takeConnection } from './connection.js';
import { disown, own } from '../../internal/descriptors/owned-fd.js';
import { FdWatch } from './epoll.js';
import type { WaitOptions } from './send-fds.js';
import { check, systemError } from '../../internal/syscall.js';

const { errno } = constants;
const BACKLOG = 511;
/** Milliseconds until accept(2) is tried again after a lack of descriptors or memory. */
const PAUSE = 100;
/** Errors of accept(2) that can pass: no descriptors, no memory. */
const SHORTAGES = new Set([-errno.EMFILE, -errno.ENFILE, -errno.ENOBUFS, -errno.ENOMEM]);
/** Errors for a connection that has ended already, or that another thread accepted. */
const PASSING = new Set([-errno.EAGAIN, -errno.ECONNABORTED, -errno.EINTR]);

/** Options of {@link listen}. */
export interface ListenOptions extends WaitOptions {
  /** Whether to accept this peer; connections of others are closed. @default only processes of the same user */
  readonly allow?: ((peer: Peer) => boolean) | undefined;
  /** The permissions of the socket, as for chmod(2). @default 0o600 */
  readonly mode?: number | undefined;
}

/** The inode of a socket, to check whether a path still refers to it. */
interface SocketInode {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

function placeOf(path: string): SocketInode {
  const { dev, ino } = lstatSync(path);
  return { path, dev, ino };
}

function isAt({ path, dev, ino }: SocketInode): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.dev === dev && now.ino === ino;
}

/** A random name in the same folder. */
function besides(path: string): string {
  return join(dirname(path), `.${randomBytes(6).toString('hex')}`);
}

/** Whether `path` is a socket at which no process listens any more. */
function isStale(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const fd = check(binding.socketUnix(), 'socket');
  const result = binding.connect(fd, socketAddress(path));
  binding.closeFd(fd);
  return result === -errno.ECONNREFUSED;
}

/** Removes a stale socket; puts it back if another process has replaced it meanwhile. */
function removeStale(path: string): void {
  const aside = besides(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return; // another process has removed it
    throw error;
  }
  try {
    if (!isStale(aside)) linkSync(aside, path);
  } finally {
    rmSync(aside);
  }
}

/**
 * Binds at a temporary name, and links that to `path` once it listens. So a socket at `path` that
 * refuses connections is always a dead one, never one that is not ready yet.
 */
function bindAt(fd: number, path: string, mode: number): SocketInode {
  const first = besides(path);
  check(binding.bind(fd, socketAddress(first)), 'bind', { path });
  try {
    chmodSync(first, mode);
    check(binding.listen(fd, BACKLOG), 'listen', { path });
    for (;;) {
      try {
        linkSync(first, path);
        return placeOf(path);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        if (!isStale(path)) throw systemError(-errno.EADDRINUSE, 'bind', { path });
        removeStale(path);
      }
    }
  } finally {
    rmSync(first, { force: true });
  }
}

let startListener: (path: string, onConnection: (connection: Connection) => void, options: ListenOptions) => Listener;

/** A listening Unix socket, made by {@link listen}. Keeps the process alive until it is closed. */
export class Listener implements Disposable {
  static {
    startListener = (path, onConnection, options) => Listener.#start(path, onConnection, options);
  }
  readonly #fd: number;
  readonly #watch: FdWatch;
  /** Undefined for an abstract name. */
  readonly #place: SocketInode | undefined;
  #refused = 0;
  #closed = false;
  /** The path, or `'\0'` and an abstract name, where it listens. */
  readonly path: string;

  private constructor(key: typeof OURS, fd: number, watch: FdWatch, path: string, place: SocketInode | undefined) {
    validateOurs(key, 'listen()');
    this.#fd = fd;
    this.#watch = watch;
    this.#place = place;
    this.path = path;
    own(this, fd);
  }

  static #start(path: string, onConnection: (connection: Connection) => void, options: ListenOptions): Listener {
    const { allow = sameUser, mode = 0o600, signal } = options;
    const fd = check(binding.socketUnix(), 'socket');
    let listener: Listener;
    try {
      const address = socketAddress(path);
      // Made first, since it may throw: there is nothing at the path yet.
      const watch = new FdWatch(fd);
      if (path.startsWith('\0')) {
        check(binding.bind(fd, address), 'bind', { path });
        check(binding.listen(fd, BACKLOG), 'listen', { path });
        listener = new Listener(OURS, fd, watch, path, undefined);
      } else {
        listener = new Listener(OURS, fd, watch, path, bindAt(fd, path, mode));
      }
    } catch (error) {
      binding.closeFd(fd);
      throw error;
    }
    signal?.addEventListener('abort', () => listener.close(), { once: true });
    listener.#run(onConnection, allow).catch((error: unknown) => {
      listener.close();
      throwAlone(error);
    });
    return listener;
  }

  async #run(onConnection: (connection: Connection) => void, allow: (peer: Peer) => boolean): Promise<void> {
    for (;;) {
      try {
        await this.#watch.ready('read');
      } catch (error) {
        if (this.#closed) return;
        throw error;
      }
      const fd = binding.accept(this.#fd);
      if (SHORTAGES.has(fd)) {
        await delay(PAUSE);
        if (this.#closed) return;
      } else if (!PASSING.has(fd)) {
        this.#give(check(fd, 'accept4'), onConnection, allow);
      }
    }
  }

  #give(fd: number, onConnection: (connection: Connection) => void, allow: (peer: Peer) => boolean): void {
    try {
      const connection = takeConnection(fd, allow);
      queueMicrotask(() => onConnection(connection));
    } catch (error) {
      if (codeOf(error) === 'ERR_MEMMAP_PEER_REFUSED') this.#refused += 1;
      else throwAlone(error);
    }
  }

  /** How many peers `allow` has refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether the listener is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Stops accepting, and removes the path. Existing connections stay open. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop(new StateError('ERR_MEMMAP_CLOSED', 'The listener was closed'));
    disown(this, this.#fd);
    if (this.#place !== undefined && isAt(this.#place)) rmSync(this.#place.path, { force: true });
  }

  /** Closes the listener at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Listener);

/** Throws an error of a user's callback as an uncaught exception, outside the present call. */
export function throwAlone(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Listens at a path, or at `'\0'` and an abstract name, and calls `onConnection` for each peer. A socket
 * that a dead process has left at the path is replaced. Only processes of the same user can connect, unless
 * `mode` and `allow` permit others.
 *
 * @throws {SystemError} EADDRINUSE if a process listens at the path, or it is another kind of file;
 * EACCES, ENOENT; EAGAIN if the thread that waits for sockets cannot be started
 * @throws {RangeError} ERR_OUT_OF_RANGE for a path of more than 107 bytes
 */
export function listen(
  path: string,
  onConnection: (connection: Connection) => void,
  options: ListenOptions = {},
): Listener {
  socketAddress(path);
  validateFunction(onConnection, 'onConnection');
  validateOptions<ListenOptions>(options, ['allow', 'mode', 'signal']);
  const { allow, mode, signal } = options;
  if (allow !== undefined) validateFunction(allow, 'options.allow');
  if (mode !== undefined) validateInteger(mode, 'options.mode', 0, 0o777);
  validateSignal(signal);
  demandSocket(path);
  signal?.throwIfAborted();
  return startListener(path, onConnection, options);
}
