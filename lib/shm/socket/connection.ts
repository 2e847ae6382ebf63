// Connection: sends descriptors and bytes to another process, and receives them, over a Unix socket.
import { disposable } from '../../internal/realms/dispose.js';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { PeerError, StateError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { CallFacts } from '../../internal/call-facts.js';
import { showAs } from '../../internal/inspect.js';
import { OURS, validateOurs } from '../../internal/validate.js';
import { disown, own } from '../../internal/descriptors/owned-fd.js';
import { ANY, MessageFrame, HEADER_LENGTH, type Limits, MAX_FDS_AT_ONCE, bareOf, partsOf } from './frame.js';
import { FdWatch, orAborted } from './epoll.js';
import { WOKEN } from '../wait/outcome.js';
import { FifoLock } from '../wait/fifo.js';
import { check, systemError } from '../../internal/syscall.js';

const { errno } = constants;
/** Milliseconds between two attempts if the kernel does not signal when to try again. */
export const PAUSE = 10;

/** The process at the other end when it connected or began to listen: SO_PEERCRED in unix(7). */
export interface Peer {
  /** Its process ID; 0 if this process cannot see its pid namespace. */
  readonly pid: number;
  /** Its effective user ID. */
  readonly uid: number;
  /** Its effective group ID. */
  readonly gid: number;
}

/** A message that {@link receiveFds} returns. */
export interface Message {
  /** The descriptors, close-on-exec. The receiver must close them. */
  readonly fds: readonly number[];
  /** The bytes; empty if only descriptors were sent. */
  readonly payload: Buffer;
}

const credentials = new CallFacts(binding.FACTS.peer);
const received = new Int32Array(MAX_FDS_AT_ONCE);
const found = new CallFacts(binding.FACTS.received);
const head = Buffer.alloc(HEADER_LENGTH);
const bytes = Buffer.alloc(2 ** 16);

/** Calls `run` after all earlier calls have ended, unless the signal is aborted before. */
async function inTurn<T>(turns: FifoLock, run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const why = await turns.acquire(Infinity, signal);
  if (why !== WOKEN) throw signal?.reason;
  try {
    return await run();
  } finally {
    turns.release();
  }
}

export function sameUser({ uid }: Peer): boolean {
  return uid === process.geteuid?.();
}

/** Makes a connection that owns `fd`; closes it if it throws. @throws {PeerError} ERR_MEMMAP_PEER_REFUSED */
export let takeConnection: (fd: number, allow: (peer: Peer) => boolean) => Connection;
/** Sends one message, after earlier ones. */
export let sendMessage: (connection: Connection, fds: Int32Array, payload: Uint8Array, signal: AbortSignal | undefined) => Promise<void>;
/** Receives one message. `limits` applies only to messages with a frame. */
export let receiveMessage: (connection: Connection, signal: AbortSignal | undefined, limits?: Limits) => Promise<Message | undefined>;
/** Waits until the peer sends something, which stays unread: true; or closes its end: false. */
export let stirs: (connection: Connection) => Promise<boolean>;

/**
 * One end of a Unix socket, from {@link connect} or {@link listen}. {@link sendFds} and {@link receiveFds}
 * use it; iterating over it receives messages until the peer closes its end.
 */
export class Connection implements Disposable {
  static {
    takeConnection = (fd, allow) => Connection.#over(fd, allow);
    sendMessage = (connection, fds, payload, signal) => connection.#sendInTurn(fds, payload, signal);
    receiveMessage = (connection, signal, limits) => connection.#receiveInTurn(signal, limits);
    stirs = (connection) => connection.#stirs();
  }
  readonly #fd: number;
  readonly #watch: FdWatch;
  readonly #sending = new FifoLock();
  readonly #receiving = new FifoLock();
  #frame: MessageFrame | undefined;
  #closed = false;
  /** The process at the other end. */
  readonly peer: Peer;

  private constructor(key: typeof OURS, fd: number, peer: Peer) {
    validateOurs(key, 'connect() or listen()');
    this.#fd = fd;
    this.peer = peer;
    this.#watch = new FdWatch(fd);
    own(this, fd);
  }

  static #over(fd: number, allow: (peer: Peer) => boolean): Connection {
    try {
      check(binding.peerCredentials(fd, credentials.numbers), 'getsockopt');
      const pid = credentials.get('pid');
      const uid = credentials.get('uid');
      const peer = { pid, uid, gid: credentials.get('gid') };
      // Only true permits: a promise does not.
      const answer: unknown = allow(peer);
      if (answer !== true) {
        throw new PeerError('ERR_MEMMAP_PEER_REFUSED', `Process ${pid} of user ${uid} is not allowed to connect: options.allow must return true for it`);
      }
      return new Connection(OURS, fd, peer);
    } catch (error) {
      binding.closeFd(fd);
      throw error;
    }
  }

  /** Whether the connection is closed at this end. */
  get closed(): boolean {
    return this.#closed;
  }

  #open(): number {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'The connection is closed');
    return this.#fd;
  }

  #sendInTurn(fds: Int32Array, payload: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    return inTurn(this.#sending, () => this.#send(fds, payload, signal), signal);
  }

  async #send(fds: Int32Array, payload: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    let begun = false;
    try {
      for (const part of partsOf(fds, payload)) {
        for (let done = 0; done < part.bytes.length; ) {
          const sent = binding.sendPart(this.#open(), part.bytes.subarray(done), done === 0 ? part.fds : new Int32Array(0));
          if (sent === -errno.EAGAIN) {
            await this.#watch.ready('write', signal);
          } else if (sent === -binding.E.TOOMANYREFS) {
            await orAborted(delay(PAUSE), signal);
          } else {
            done += check(sent, 'sendmsg');
            begun = true;
          }
        }
      }
    } catch (error) {
      // The peer could not tell later messages from the rest of this one.
      if (begun) this.close();
      throw error;
    }
  }

  #receiveInTurn(signal: AbortSignal | undefined, limits: Limits = ANY): Promise<Message | undefined> {
    return inTurn(this.#receiving, () => this.#receive(signal, limits), signal);
  }

  async #stirs(): Promise<boolean> {
    for (;;) {
      const seen = binding.peek(this.#open(), head);
      if (seen !== -errno.EAGAIN) return seen > 0;
      await this.#watch.ready('read');
    }
  }

  async #receive(signal: AbortSignal | undefined, limits: Limits): Promise<Message | undefined> {
    for (;;) {
      const message = this.#take(this.#open(), limits);
      if (message !== 'wait') return message;
      await this.#watch.ready('read', signal);
    }
  }

  /** Reads what has arrived of a message, without waiting. Undefined at the end. */
  #take(fd: number, limits: Limits): Message | 'wait' | undefined {
    try {
      if (this.#frame === undefined) {
        const seen = binding.peek(fd, head);
        if (seen === -errno.EAGAIN) return 'wait';
        if (check(seen, 'recv') === 0) return undefined;
        if (!MessageFrame.starts(head.subarray(0, seen))) return this.#takeBare(fd, limits);
        this.#frame = new MessageFrame(limits);
      }
      while (!this.#frame.complete) {
        const count = this.#part(fd, this.#frame.room, this.#frame.fds);
        if (count === undefined) return 'wait';
        if (count === 0) throw new PeerError('ERR_MEMMAP_BAD_MESSAGE', 'The peer closed its end in the middle of a message');
        this.#frame.filled(count);
      }
      const { fds, payload } = this.#frame;
      this.#frame = undefined;
      return given(fds, payload, limits);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #takeBare(fd: number, limits: Limits): Message | 'wait' {
    const fds: number[] = [];
    const count = this.#part(fd, bytes, fds);
    return count === undefined ? 'wait' : given(fds, bareOf(bytes.subarray(0, count), fds), limits);
  }

  /** Receives bytes and returns how many; undefined if none have arrived. The thread holds the descriptors. */
  #part(fd: number, into: Buffer, fds: number[]): number | undefined {
    const count = binding.receivePart(fd, into, received, found.numbers);
    if (count === -errno.EAGAIN) return undefined;
    check(count, 'recvmsg');
    const many = found.get('fds');
    const lost = found.get('lost');
    fds.push(...received.subarray(0, many));
    if (lost === 0) return count;
    // Remove them from the list, which may be that of the frame: close() must not close them again.
    for (const one of fds.splice(0)) binding.closeFd(one);
    throw systemError(-errno.EMFILE, 'recvmsg', { remedy: () => 'Received descriptors were lost: raise the limit of open files, ulimit -n' });
  }

  /** Closes the socket. Calls that wait for it reject with ERR_MEMMAP_CLOSED. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of this.#frame?.fds ?? []) binding.closeFd(fd);
    this.#watch.stop(new StateError('ERR_MEMMAP_CLOSED', 'The connection was closed'));
    disown(this, this.#fd);
  }

  /** Closes the socket at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Receives messages until the peer closes its end. The receiver must close their descriptors. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    for (;;) {
      const message = await this.#receiveInTurn(undefined);
      if (message === undefined) return;
      yield message;
    }
  }
}
disposable(Connection);

/** The message. Its descriptors belong to the user from here on; those of a message of the package's own, which has limits, to the thread. */
function given(fds: readonly number[], payload: Buffer, limits: Limits): Message {
  if (limits === ANY) for (const fd of fds) binding.giveFd(fd);
  return { fds, payload };
}

showAs(Connection.prototype, { peer: ({ peer }) => peer, closed: ({ closed }) => closed });
