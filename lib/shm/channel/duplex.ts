// DuplexChannel: two channels between two processes, one for each direction, and the socket over
// which they were made. The socket stays open as long as both live: its end reports the other's.
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
  /** Milliseconds until there must be a channel. @default 10000 */
  readonly timeout?: number | undefined;
}

/** Takes them all. */
export let newDuplexChannel: (connection: Connection, ends: ChannelEnds, onClose: () => void) => DuplexChannel;

/**
 * This process's end of what `Channel.serve()` and `Channel.connect()` make. Keeps the process
 * alive until it, or the other end, is closed.
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
  /** What is sent through, and what is received through: all that they can do may be used. */
  readonly producer: Producer;
  readonly consumer: Consumer;
  /** Kept when the other end has closed or died, or this one was closed. */
  readonly gone: Promise<void>;

  private constructor(key: typeof OURS, connection: Connection, ends: ChannelEnds, onClose: () => void) {
    validateOurs(key, 'Channel.serve() or Channel.connect()');
    this.#connection = connection;
    this.#onClose = onClose;
    this.producer = ends.producer;
    this.consumer = ends.consumer;
    this.gone = this.#follow();
  }

  /** Waits for the end of the socket. To say anything there is against the rules, and the end, too. */
  async #follow(): Promise<void> {
    try {
      await stirs(this.#connection);
    } catch {
      // Closed at this end, or broken: it tells no more.
    }
    if (this.#closed) return;
    this.#connection.close();
    consumingEnd(this.consumer).peerHasGone();
    const death = producingEnd(this.producer).peerHasGone();
    // What reads comes to the end by itself, after what was sent; what has nothing to write would not.
    if (death !== undefined) this.#writable?.destroy(death);
  }

  /** Who is at the other end, as the kernel has known it since it connected or listened. */
  get peer(): Peer {
    return this.#connection.peer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** See Producer.send(). */
  send(message: Uint8Array, options?: AsyncTimeoutOptions): Promise<void> {
    return this.producer.send(message, options);
  }

  /** See Producer.trySend(). */
  trySend(message: Uint8Array): boolean {
    return this.producer.trySend(message);
  }

  /** See Consumer.receive(). */
  receive(options?: AsyncTimeoutOptions): Promise<Buffer | undefined> {
    return this.consumer.receive(options);
  }

  /** See Consumer.tryReceive(). */
  tryReceive(): Buffer | undefined {
    return this.consumer.tryReceive();
  }

  /** Message by message, until the other end sends no more. Leaving the loop early leaves the channel open. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    return this.consumer[Symbol.asyncIterator]();
  }

  /** What is received, as a stream of bytes. Always the same one. See {@link stream}. */
  get readable(): Readable {
    this.#readable ??= this.#owned(readableOf(this.consumer, { close: () => this.#closeEnd(this.consumer) }));
    return this.#readable;
  }

  /** What is sent, as a stream of bytes. Always the same one. Its end() is that of the channel. */
  get writable(): Writable {
    this.#writable ??= this.#owned(writableOf(this.producer, { close: () => this.#closeEnd(this.producer) }));
    return this.#writable;
  }

  /**
   * Both directions as one stream, of bytes or of messages. It owns the channel, and closes it.
   * The death of the other end destroys it with ERR_MEMMAP_PEER_DIED, once all is read.
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
   * Sends no more, once what waits for room is sent: the other end reads all of it, then gets
   * undefined. Receiving goes on. Never rejects.
   */
  async end(): Promise<void> {
    for (const stream of this.#streams) {
      if ('writableFinished' in stream) await finished(stream);
    }
    await flushed(this.producer);
    this.#closeEnd(this.producer);
  }

  /**
   * Closes both directions. What has been sent stays readable for the other end; what waits for
   * room, or was not read here, is lost. Streams are destroyed. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Before what is under them: they have not failed.
    for (const stream of this.#streams) stream.destroy();
    this.producer.close();
    this.consumer.close();
    // Last: who sees it end finds the channels ended.
    this.#connection.close();
    this.#onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** Ends a stream, and waits until it has written all, or never will. */
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
