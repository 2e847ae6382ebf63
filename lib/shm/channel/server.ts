// ChannelServer: a listening socket that gives each client a pair of channels.
import { disposable } from '../../internal/realms/dispose.js';
import { codeOf } from '../../internal/realms/kinds.js';
import { PeerError, StateError } from '../../errors.js';
import { OURS, validateFunction, validateInteger, validateOptions, validateOurs, validateSignal, validateTimeout } from '../../internal/validate.js';
import { type EndOptions, validateSpin } from './end.js';
import { CAPACITY } from './header.js';
import type { Connection, Peer } from '../socket/connection.js';
import { type DuplexChannel, PATIENCE, newDuplexChannel } from './duplex.js';
import { offer, within } from './handshake.js';
import { type ListenOptions, Listener, listen, throwAlone } from '../socket/listener.js';
import type { Resolved } from '../../internal/resolved.js';

/** Called once for each client. If it returns a promise, the channel is ended and closed when the promise settles. */
export type ChannelHandler = (channel: DuplexChannel) => unknown;

/** Options of {@link Channel.serve}. */
export interface ServeOptions extends ListenOptions, EndOptions {
  /** Bytes of each direction: see {@link ChannelOptions.capacity}. @default 1048576 */
  readonly capacity?: number | undefined;
  /** The most clients at a time, at least 1; the connections of others are closed. @default 1000 */
  readonly limit?: number | undefined;
  /** Milliseconds that a client has for the handshake. @default 10000 */
  readonly timeout?: number | undefined;
  /**
   * Called for each client whose channel could not be made, and with errors that the handler throws. Without
   * it, an error of the handler is an uncaught exception, unless it is a PeerError: a client cannot end the
   * server.
   */
  readonly onError?: ((error: unknown, peer: Peer) => void) | undefined;
}

const KNOWN = ['allow', 'capacity', 'limit', 'mode', 'onError', 'signal', 'spin', 'timeout'] as const;
/** Errors of a handler that waits when the server closes. */
const ENDED = /^ERR_(MEMMAP_CLOSED|STREAM_PREMATURE_CLOSE)$/;

type Settings = Resolved<Pick<ServeOptions, 'capacity' | 'limit' | 'spin' | 'timeout'>> & Pick<ServeOptions, 'onError'>;

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

export let startServer: (path: string, handler: ChannelHandler, options: ServeOptions) => ChannelServer;

/** A server of channels, made by {@link Channel.serve}. Keeps the process alive until it is closed. */
export class ChannelServer implements AsyncDisposable, Disposable {
  static {
    startServer = (path, handler, options) => ChannelServer.#start(path, handler, options);
  }
  readonly #listener: Listener;
  readonly #handler: ChannelHandler;
  readonly #settings: Settings;
  readonly #open = new Set<DuplexChannel>();
  /** The handshakes under way. */
  readonly #greeting = new Set<AbortController>();
  #refused = 0;

  private constructor(key: typeof OURS, listener: Listener, handler: ChannelHandler, settings: Settings) {
    validateOurs(key, 'Channel.serve()');
    this.#listener = listener;
    this.#handler = handler;
    this.#settings = settings;
  }

  static #start(path: string, handler: ChannelHandler, options: ServeOptions): ChannelServer {
    validateFunction(handler, 'handler');
    validateOptions<ServeOptions>(options, KNOWN);
    const { capacity = 2 ** 20, limit = 1000, spin = 0, timeout = PATIENCE, allow, mode, onError, signal } = options;
    validateInteger(capacity, 'options.capacity', 1, CAPACITY.most);
    validateInteger(limit, 'options.limit', 1);
    validateSpin(spin);
    validateTimeout(timeout);
    if (onError !== undefined) validateFunction(onError, 'options.onError');
    validateSignal(signal);
    signal?.throwIfAborted();
    // `server` is assigned before the first connection is reported, after this function returns.
    const listener = listen(path, (connection) => void server.#welcome(connection), {
      ...(allow !== undefined && { allow }),
      ...(mode !== undefined && { mode }),
    });
    const server = new ChannelServer(OURS, listener, handler, { capacity, limit, spin, timeout, ...(onError !== undefined && { onError }) });
    signal?.addEventListener('abort', () => server.close(), { once: true });
    return server;
  }

  async #welcome(connection: Connection): Promise<void> {
    const { limit, timeout } = this.#settings;
    const controller = new AbortController();
    try {
      if (this.clients >= limit) {
        throw new PeerError('ERR_MEMMAP_PEER_REFUSED', `The server has ${limit} clients already: raise options.limit to accept more`);
      }
      this.#greeting.add(controller);
      const ends = await within(timeout, controller.signal, (signal) => offer(connection, this.#settings, signal));
      this.#greeting.delete(controller);
      const channel = newDuplexChannel(connection, ends, () => this.#open.delete(channel));
      this.#open.add(channel);
      if (this.closed) channel.close();
      else void this.#serve(channel);
    } catch (error) {
      this.#greeting.delete(controller);
      connection.close();
      if (this.closed) return;
      this.#refused += 1;
      this.#tell(error, connection.peer);
    }
  }

  async #serve(channel: DuplexChannel): Promise<void> {
    try {
      const result = this.#handler(channel);
      if (!isPromise(result)) return;
      await result;
      await channel.end();
    } catch (error) {
      this.#failed(error, channel.peer);
    }
    channel.close();
  }

  #failed(error: unknown, peer: Peer): void {
    if (this.closed && ENDED.test(codeOf(error))) return;
    if (this.#settings.onError === undefined && !(error instanceof PeerError)) throwAlone(error);
    this.#tell(error, peer);
  }

  #tell(error: unknown, peer: Peer): void {
    const { onError } = this.#settings;
    if (onError !== undefined) queueMicrotask(() => onError(error, peer));
  }

  /** The path, or `'\0'` and an abstract name, where it listens. */
  get path(): string {
    return this.#listener.path;
  }

  /** Clients that have a channel or are in the handshake. */
  get clients(): number {
    return this.#open.size + this.#greeting.size;
  }

  /** How many clients got no channel: see `allow`, `limit`, `timeout` and `onError` of {@link ServeOptions}. */
  get refused(): number {
    return this.#listener.refused + this.#refused;
  }

  /** Whether the server is closed. */
  get closed(): boolean {
    return this.#listener.closed;
  }

  /**
   * Stops accepting clients, removes the path, and closes the channels of all clients, which can still read
   * what was sent. Handlers that wait get ERR_MEMMAP_CLOSED. Idempotent.
   */
  close(): void {
    if (this.closed) return;
    this.#listener.close();
    for (const controller of this.#greeting) controller.abort(new StateError('ERR_MEMMAP_CLOSED', 'The server was closed'));
    for (const channel of this.#open) channel.close();
  }

  /** Closes the server at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the server at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
disposable(ChannelServer);
