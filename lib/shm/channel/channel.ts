// Channel: a ring of messages in shared memory.
import { disposable } from '../../internal/realms/dispose.js';
import { showAs } from '../../internal/inspect.js';
import { OURS, validateInteger, validateOptions, validateOurs, validateEnum } from '../../internal/validate.js';
import type { EndOptions } from './end.js';
import { CAPACITY, type ChannelKind, KIND, SLOW, type SlowReader } from './header.js';
import { ChannelMemory } from './memory.js';
import { type ChannelHandler, type ChannelServer, type ServeOptions, startServer } from './server.js';
import type { Consumer } from './consumer.js';
import { type ConnectChannelOptions, type DuplexChannel, connectChannel } from './duplex.js';
import type { Producer } from './producer.js';

/** Options of {@link Channel.create}. */
export interface ChannelOptions {
  /** Bytes of messages and their headers (8 bytes each) that it can hold: rounded up to a power of two, 64 KiB to 1 GiB. */
  readonly capacity: number;
  /**
   * `'spsc'`: one producer, one consumer. `'mpmc'`: up to 64 of each; each message goes to one
   * consumer. `'broadcast'`: one producer, and up to 64 consumers; each receives all messages sent
   * after it was made. @default 'spsc'
   */
  readonly kind?: ChannelKind | undefined;
  /** For a broadcast: the producer waits for a slow consumer (`'wait'`), or the consumer loses messages (`'lose'`). @default 'wait' */
  readonly slow?: SlowReader | undefined;
}

/**
 * A channel for messages in shared memory. Its ends, a producer and a consumer, can be made in any
 * process or thread that has the descriptor.
 *
 * ```js
 * using channel = Channel.create({ capacity: 1 << 20 });
 * spawn(process.execPath, ['consumer.mjs'], { stdio: ['inherit', 'inherit', 'inherit', channel.fd] });
 * using producer = channel.producer();
 * await producer.send(Buffer.from('hello'));
 * ```
 */
export class Channel implements Disposable {
  readonly #memory: ChannelMemory;

  private constructor(key: typeof OURS, memory: ChannelMemory) {
    validateOurs(key, 'Channel.create() or fromFd()');
    this.#memory = memory;
  }

  /**
   * Makes a channel in a new memfd, with all pages allocated, and sealed against changes of length.
   *
   * @throws {SystemError} ENOMEM, ENOSPC
   */
  static create(options: ChannelOptions): Channel {
    validateOptions<ChannelOptions>(options, ['capacity', 'kind', 'slow']);
    const { capacity, kind = 'spsc', slow = 'wait' } = options;
    validateInteger(capacity, 'options.capacity', 1, CAPACITY.most);
    validateEnum(kind, 'options.kind', KIND);
    validateEnum(slow, 'options.slow', SLOW);
    return new Channel(OURS, ChannelMemory.create({ kind, slow, capacity }));
  }

  /**
   * Opens a channel that another process has made, and checks its header. The caller still owns `fd`.
   *
   * @throws {PeerError} ERR_MEMMAP_NOT_MEMORY, ERR_MEMMAP_NOT_SEALED, ERR_MEMMAP_CORRUPT
   */
  static fromFd(fd: number): Channel {
    return new Channel(OURS, ChannelMemory.fromFd(fd));
  }

  /**
   * Listens at a path, or at `'\0'` and an abstract name, and gives each client a channel in each
   * direction. Resolves when clients can connect. As with `listen()`, only processes of the same user
   * are accepted unless `allow` permits others, and a socket that a dead process left is replaced.
   *
   * ```js
   * await using server = await Channel.serve('/run/echo', async (channel) => {
   *   for await (const message of channel) await channel.send(message);
   * });
   * ```
   *
   * @param handler - called once for each client. If it returns a promise, the channel is ended and
   * closed when the promise settles; otherwise the handler must close it. See {@link ServeOptions.onError}
   * @throws {SystemError} EADDRINUSE, EACCES, ENOENT
   */
  static async serve(path: string, handler: ChannelHandler, options: ServeOptions = {}): Promise<ChannelServer> {
    return startServer(path, handler, options);
  }

  /**
   * Connects to a `Channel.serve()` of another process, and returns a channel in each direction.
   *
   * @throws {SystemError} ENOENT, EACCES; ECONNREFUSED if no process listens
   * @throws {PeerError} ERR_MEMMAP_PEER_REFUSED if `allow` refuses the server, ERR_MEMMAP_PEER_CLOSED if
   * the server hangs up, ERR_MEMMAP_BAD_MESSAGE and as fromFd() if it sends no valid channel
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   */
  static async connect(path: string, options: ConnectChannelOptions = {}): Promise<DuplexChannel> {
    return connectChannel(path, options);
  }

  /** The kind it was made with: {@link ChannelOptions.kind}. */
  get kind(): ChannelKind {
    return this.#memory.shape.kind;
  }

  /** Bytes of messages and their headers that it can hold. */
  get capacity(): number {
    return this.#memory.shape.capacity;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#memory.closed;
  }

  /** The descriptor, to pass to a child or a peer. `close()` closes it. @throws {StateError} ERR_MEMMAP_CLOSED */
  get fd(): number {
    return this.#memory.fd;
  }

  /**
   * Makes a sending end. If the process of an earlier end has died, the new one takes its place.
   *
   * @throws {StateError} ERR_MEMMAP_TAKEN if the channel has all the producers that its kind permits
   * @throws {PeerError} ERR_MEMMAP_CORRUPT
   */
  producer(options?: EndOptions): Producer {
    return this.#memory.producer(options);
  }

  /** Makes a receiving end. Throws as {@link producer} does. */
  consumer(options?: EndOptions): Consumer {
    return this.#memory.consumer(options);
  }

  /** Closes the descriptor. Existing ends continue to work. Idempotent. */
  close(): void {
    this.#memory.close();
  }

  /** Closes the descriptor at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Channel);

showAs(Channel.prototype, {
  kind: ({ kind }) => kind,
  capacity: ({ capacity }) => capacity,
  closed: ({ closed }) => closed,
});
