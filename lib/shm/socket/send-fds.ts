// Sending descriptors between processes: SCM_RIGHTS over a Unix socket.
// https://man7.org/linux/man-pages/man7/unix.7.html
import { isUint8Array } from '../../internal/realms/kinds.js';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { binding } from '../../internal/binding.js';
import { invalidType, outOfRange, validateFd, validateFunction, validateOptions, validateSignal } from '../../internal/validate.js';
import { demandSocket, socketAddress } from './unix-address.js';
import { Connection, type Message, PAUSE, type Peer, receiveMessage, sameUser, sendMessage, takeConnection } from './connection.js';
import { MAX_FDS, MAX_PAYLOAD } from './frame.js';
import { orAborted } from './epoll.js';
import { check } from '../../internal/syscall.js';

const { errno } = constants;

/** A descriptor, or an object that has one: a SharedMemory, a FileHandle. */
export type HasFd = number | { readonly fd: number };

/** Options of {@link sendFds} and {@link receiveFds}. */
export interface WaitOptions {
  /** Ends the wait when aborted; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link connect}. */
export interface ConnectOptions extends WaitOptions {
  /** Whether to accept this peer. @default only a process of the same user */
  readonly allow?: ((peer: Peer) => boolean) | undefined;
}

function validateConnection(connection: unknown): asserts connection is Connection {
  if (!(connection instanceof Connection)) throw invalidType('connection', 'a Connection', connection);
}

function numberOf(fd: unknown): number {
  const number: unknown = typeof fd === 'object' && fd !== null ? (fd as { fd?: unknown }).fd : fd;
  validateFd(number, 'fds');
  return number;
}

/**
 * Sends up to 65,536 descriptors and up to 16 MiB of bytes as one message. The peer receives duplicates;
 * the caller may close its descriptors once the promise resolves. Waits while the peer does not read. If
 * `signal` interrupts a message, the connection is closed.
 *
 * @throws {SystemError} EPIPE, ECONNRESET if the peer has closed its end; EBADF
 * @throws {StateError} ERR_MEMMAP_CLOSED
 */
export async function sendFds(
  connection: Connection,
  fds: readonly HasFd[],
  payload: string | Uint8Array = '',
  options: WaitOptions = {},
): Promise<void> {
  validateConnection(connection);
  if (!Array.isArray(fds)) throw invalidType('fds', 'an Array', fds);
  if (fds.length > MAX_FDS) throw outOfRange('fds.length', `<= ${MAX_FDS}`, fds.length);
  const numbers = Int32Array.from(fds as readonly unknown[], numberOf);
  if (typeof payload !== 'string' && !isUint8Array(payload)) {
    throw invalidType('payload', 'of type string or a Uint8Array', payload);
  }
  const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
  if (data.length > MAX_PAYLOAD) throw outOfRange('payload.length', `<= ${MAX_PAYLOAD}`, data.length);
  validateOptions<WaitOptions>(options, ['signal']);
  validateSignal(options.signal);
  await sendMessage(connection, numbers, data, options.signal);
}

/**
 * Receives the next message; undefined when the peer has closed its end. The caller must close its
 * descriptors. Do not trust what a peer sends: `SharedMemory.fromFd()` checks a descriptor. If `signal` ends
 * the wait, nothing is lost: the next call continues.
 *
 * @throws {PeerError} ERR_MEMMAP_BAD_MESSAGE; the connection is then closed
 * @throws {SystemError} EMFILE if this process may not have so many descriptors; the connection is then closed
 * @throws {StateError} ERR_MEMMAP_CLOSED
 */
export async function receiveFds(connection: Connection, options: WaitOptions = {}): Promise<Message | undefined> {
  validateConnection(connection);
  validateOptions<WaitOptions>(options, ['signal']);
  validateSignal(options.signal);
  return receiveMessage(connection, options.signal);
}

/**
 * Connects to a Unix socket at a path, or at `'\0'` and an abstract name. Waits while the listener
 * is too busy to accept.
 *
 * @throws {SystemError} ENOENT, EACCES; ECONNREFUSED if no process listens
 * @throws {PeerError} ERR_MEMMAP_PEER_REFUSED if `allow` refuses the listener
 */
export async function connect(path: string, options: ConnectOptions = {}): Promise<Connection> {
  const address = socketAddress(path);
  validateOptions<ConnectOptions>(options, ['allow', 'signal']);
  const { allow = sameUser, signal } = options;
  validateFunction(allow, 'options.allow');
  validateSignal(signal);
  demandSocket(path);
  signal?.throwIfAborted();
  const fd = check(binding.socketUnix(), 'socket');
  try {
    for (;;) {
      const result = binding.connect(fd, address);
      if (result !== -errno.EAGAIN) {
        check(result, 'connect', { path });
        break;
      }
      await orAborted(delay(PAUSE), signal);
    }
  } catch (error) {
    binding.closeFd(fd);
    throw error;
  }
  return takeConnection(fd, allow);
}
