// DuplexChannel: two channels between two processes, one for each direction, and the socket over
// which they were made. The socket stays open as long as both live: when it ends, the other process has.
import { disposable } from '../../internal/realms/dispose.js';
import type { Duplex, Readable, Writable } from 'node:stream';
import { showAs } from '../../internal/inspect.js';
import { OURS, validateFunction, validateOptions, validateOurs, validateSignal, validateTimeout } from '../../internal/validate.js';
import { type EndOptions, validateSpin } from './end.js';
import { type Connection, type Peer, sameUser, stirs } from '../socket/connection.js';
import { type Consumer, consumingEnd } from './consumer.js';
import { type ChannelEnds, accept, within } from './handshake.js';
import { type Producer, flushed, producingEnd } from './producer.js';
import { type ConnectOptions, connect } from '../socket/send-fds.js';
import { type StreamOptions, duplexOf, readableOf, writableOf } from './streams.js';
import { type AsyncTimeoutOptions } from '../lock/acquire.js';

/** Milliseconds that a peer has for the handshake. */
export const PATIENCE = 10_000;

/** Options of {@link Channel.connect}. */
export interface ConnectChannelOptions extends ConnectOptions, EndOptions {
  /** Milliseconds to connect and make the channel, or Infinity. @default 10000 */
  readonly timeout?: number | undefined;
}

/** Takes ownership of the connection and the ends. */
export let newDuplexChannel: (connection: Connection, ends: ChannelEnds, onClose: () => void) => DuplexChannel;

/**
 * A channel in each direction between two processes; `Channel.serve()` and `Channel.connect()` make one
 * in each process. Keeps the process alive until it, or the other end, is closed.
 */
export class DuplexChannel implements AsyncIterable<Buffer>, AsyncDisposable, Disposable {
  static {
    newDuplexChannel = (connection, ends, onClose) => new DuplexChannel(OURS, connection, ends, onClose);
  }
  readonly #connection: Connection;
  readonly #onClose: () => void;
  #readable: Readable | undefined;
  #writable: Writable | undefined;
  readonly #streams: (Readable | Writable)[] = [];
  #closed = false;
  /** The sending end. All its methods may be used. */
  readonly producer: Producer;
  /** The receiving end. All its methods may be used. */
  readonly consumer: Consumer;
  /** Resolves when the other end has closed or died, or this one was closed. Never rejects. */
  readonly gone: Promise<void>;

  private constructor(key: typeof OURS, connection: Connection, ends: ChannelEnds, onClose: () => void) {
    validateOurs(key, 'Channel.serve() or Channel.connect()');
    this.#connection = connection;
    this.#onClose = onClose;
    this.producer = ends.producer;
    this.consumer = ends.consumer;
    this.gone = this.#follow();
  }

  /** Waits for the end of the socket. A peer that sends anything there breaks the protocol, which ends it too. */
  async #follow(): Promise<void> {
    try {
      await stirs(this.#connection);
    } catch {
      // Closed at this end, or broken.
    }
    if (this.#closed) return;
    this.#connection.close();
    consumingEnd(this.consumer).peerHasGone();
    const death = producingEnd(this.producer).peerHasGone();
    // A reader reaches the end by itself, after the last message; an idle writable would not notice.
    if (death !== undefined) this.#writable?.destroy(death);
  }

  /** The process at the other end, as the kernel recorded it when it connected or began to listen. */
  get peer(): Peer {
    return this.#connection.peer;
  }

  /** Whether this end is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See {@link Producer.send}. */
  send(message: Uint8Array, options?: AsyncTimeoutOptions): Promise<void> {
    return this.producer.send(message, options);
  }

  /** See {@link Producer.trySend}. */
  trySend(message: Uint8Array): boolean {
    return this.producer.trySend(message);
  }

  /** See {@link Consumer.receive}. */
  receive(options?: AsyncTimeoutOptions): Promise<Buffer | undefined> {
    return this.consumer.receive(options);
  }

  /** See {@link Consumer.tryReceive}. */
  tryReceive(): Buffer | undefined {
    return this.consumer.tryReceive();
  }

  /** Iterates over the messages until the other end stops sending. Leaving the loop early leaves the channel open. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    return this.consumer[Symbol.asyncIterator]();
  }

  /** The received messages as one stream of bytes. The same stream at each access. See {@link stream}. */
  get readable(): Readable {
    this.#readable ??= this.#owned(readableOf(this.consumer, { close: () => this.#closeEnd(this.consumer) }));
    return this.#readable;
  }

  /** A stream of bytes that sends what is written to it. The same stream at each access. Its end() ends the sending direction. */
  get writable(): Writable {
    this.#writable ??= this.#owned(writableOf(this.producer, { close: () => this.#closeEnd(this.producer) }));
    return this.#writable;
  }

  /**
   * Both directions as one stream, of bytes or of messages. It owns the channel, and closes it. If the
   * other end dies, it is destroyed with ERR_MEMMAP_PEER_DIED once all messages are read.
   */
  stream(options?: StreamOptions): Duplex {
    return this.#owned(duplexOf(this, this, options));
  }

  #owned<Stream extends Readable | Writable>(stream: Stream): Stream {
    this.#streams.push(stream);
    return stream;
  }

  #closeEnd(end: Producer | Consumer): void {
    end.close();
    if (this.producer.closed && this.consumer.closed) this.close();
  }

  /**
   * Ends the sending direction after messages that still wait for room: the other end reads them all, then
   * gets undefined. Receiving continues. Never rejects.
   */
  async end(): Promise<void> {
    for (const stream of this.#streams) {
      if ('writableFinished' in stream) await finished(stream);
    }
    await flushed(this.producer);
    this.#closeEnd(this.producer);
  }

  /**
   * Closes both directions. The other end can still read messages that were sent; messages that wait for
   * room, or were not read here, are lost. Streams are destroyed. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Before the channels under them, so that they do not fail.
    for (const stream of this.#streams) stream.destroy();
    this.producer.close();
    this.consumer.close();
    // Last, so that a peer that sees the socket end finds the channels ended.
    this.#connection.close();
    this.#onClose();
  }

  /** Closes it at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
disposable(DuplexChannel);

/** Ends a stream, and waits until it has written everything or is destroyed. */
function finished(stream: Writable): Promise<void> {
  if (stream.writableFinished || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => resolve();
    stream.once('finish', done).once('close', done).end();
  });
}

/** See Channel.connect(). */
export async function connectChannel(path: string, options: ConnectChannelOptions = {}): Promise<DuplexChannel> {
  validateOptions<ConnectChannelOptions>(options, ['allow', 'signal', 'spin', 'timeout']);
  const { allow = sameUser, signal, spin = 0, timeout = PATIENCE } = options;
  validateFunction(allow, 'options.allow');
  validateSignal(signal);
  validateSpin(spin);
  validateTimeout(timeout);
  signal?.throwIfAborted();
  return within(timeout, signal, async (limit) => {
    const connection = await connect(path, { allow, signal: limit });
    try {
      return newDuplexChannel(connection, await accept(connection, { spin }, limit), () => undefined);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

showAs(DuplexChannel.prototype, { peer: ({ peer }) => peer, closed: ({ closed }) => closed });
