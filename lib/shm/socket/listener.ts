// Listener: a Unix socket that accepts connections, at a path that a dead process may have left.
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StateError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { OURS, validateFunction, validateInteger, validateOptions, validateOurs, validateSignal } from '../../internal/validate.js';
import { socketAddress } from './unix-address.js';
import { type Connection, type Peer, sameUser, takeConnection } from './connection.js';
import { disown, own } from '../../internal/owned-fd.js';
import { FdWatch } from './epoll.js';
import type { WaitOptions } from './send-fds.js';
import { check, systemError } from '../../internal/syscall.js';

const { errno } = constants;
const BACKLOG = 511;
/** Milliseconds until we try again to accept what there was no descriptor or memory for. */
const PAUSE = 100;
/** Errors of accept(2) that pass: no descriptors, no memory. */
const SHORTAGES = new Set([-errno.EMFILE, -errno.ENFILE, -errno.ENOBUFS, -errno.ENOMEM]);
/** A connection that ended before we looked, or that another thread accepted. */
const PASSING = new Set([-errno.EAGAIN, -errno.ECONNABORTED, -errno.EINTR]);

/** Options of {@link listen}. */
export interface ListenOptions extends WaitOptions {
  /** Whether to talk to this peer; others are hung up on. @default only to our own user */
  readonly allow?: ((peer: Peer) => boolean) | undefined;
  /** Who may connect, as chmod(2) has it. @default 0o600 */
  readonly mode?: number | undefined;
}

/** A socket's inode, for telling whether a path is still ours. */
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

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** A name in the same folder that nobody else makes. */
function besides(path: string): string {
  return join(dirname(path), `.${randomBytes(6).toString('hex')}`);
}

/** Whether the socket at `path` is one that nobody listens to any more. */
function isStale(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const fd = check(binding.socketUnix(), 'socket');
  const result = binding.connect(fd, socketAddress(path));
  binding.closeFd(fd);
  return result === -errno.ECONNREFUSED;
}

/** Takes away a stale socket, and puts it back if it was another one by then. */
function removeStale(path: string): void {
  const aside = besides(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return; // somebody else has
    throw error;
  }
  try {
    if (!isStale(aside)) linkSync(aside, path);
  } finally {
    rmSync(aside);
  }
}

/**
 * Binds at a name of its own and links that to `path` when it listens: who finds a socket at
 * `path` that refuses finds a dead one, never one that is not ready yet.
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
        if (!isCode(error, 'EEXIST')) throw error;
        if (!isStale(path)) throw systemError(-errno.EADDRINUSE, 'bind', { path });
        removeStale(path);
      }
    }
  } finally {
    rmSync(first, { force: true });
  }
}

let startListener: (path: string, onConnection: (connection: Connection) => void, options: ListenOptions) => Listener;

/** Made by {@link listen}. Keeps the process alive. */
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
      // Before there is something at the path.
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
      if (isCode(error, 'ERR_MEMMAP_PEER_REFUSED')) this.#refused += 1;
      else throwAlone(error);
    }
  }

  /** How many peers were hung up on: see `allow`. */
  get refused(): number {
    return this.#refused;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Accepts no more, and removes the path. Connections live on. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop(new StateError('ERR_MEMMAP_CLOSED', 'The listener was closed'));
    disown(this, this.#fd);
    if (this.#place !== undefined && isAt(this.#place)) rmSync(this.#place.path, { force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What a function of the user's throws in the middle of our work is nobody's to catch. */
export function throwAlone(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Listens at a path, or at `'\0'` and an abstract name, and calls `onConnection` for each peer.
 * A socket that a dead process has left at the path is replaced; a living one is EADDRINUSE,
 * and so is any other file. The socket is our user's only, unless `mode` says otherwise.
 *
 * @throws {SystemError} EADDRINUSE, EACCES, ENOENT
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
  signal?.throwIfAborted();
  return startListener(path, onConnection, options);
}
