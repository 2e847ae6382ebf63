// Channel: a ring of messages in shared memory.
import { showAs } from '../../internal/inspect.js';
import { OURS, validateInteger, validateOptions, validateOurs, validateWord } from '../../internal/validate.js';
import type { EndOptions } from './end.js';
import { CAPACITY, type ChannelKind, KIND, SLOW, type SlowReader } from './header.js';
import { ChannelMemory } from './memory.js';
import { type ChannelHandler, type ChannelServer, type ServeOptions, startServer } from './server.js';
import type { Consumer } from './consumer.js';
import { type ConnectChannelOptions, type DuplexChannel, connectChannel } from './duplex.js';
import type { Producer } from './producer.js';

export interface ChannelOptions {
  /** Bytes of messages and their headers that it can hold: rounded up to a power of two, 64 KiB to 1 GiB. */
  readonly capacity: number;
  /**
   * `'spsc'`: one producer, one consumer. `'mpmc'`: up to 64 of each, and each message goes to one
   * consumer. `'broadcast'`: one producer, and up to 64 consumers that get all that is sent after
   * they came. @default 'spsc'
   */
  readonly kind?: ChannelKind | undefined;
  /** Of a broadcast: whether the producer waits for a slow consumer, or that one loses messages. @default 'wait' */
  readonly slow?: SlowReader | undefined;
}

/**
 * A channel for messages from one process to another: one is the producer, the other the
 * consumer; both may be anywhere that has the descriptor.
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
   * Makes a channel in a memfd of its own, with all its pages, sealed against any change of length.
   *
   * @throws {SystemError} ENOMEM, ENOSPC
   */
  static create(options: ChannelOptions): Channel {
    validateOptions<ChannelOptions>(options, ['capacity', 'kind', 'slow']);
    const { capacity, kind = 'spsc', slow = 'wait' } = options;
    validateInteger(capacity, 'options.capacity', 1, CAPACITY.most);
    validateWord(kind, 'options.kind', KIND);
    validateWord(slow, 'options.slow', SLOW);
    return new Channel(OURS, ChannelMemory.create({ kind, slow, capacity }));
  }

  /**
   * A channel that another process has made. The descriptor stays the caller's.
   *
   * @throws {PeerError} ERR_MEMMAP_NOT_MEMORY, ERR_MEMMAP_NOT_SEALED, ERR_MEMMAP_CORRUPT
   */
  static fromFd(fd: number): Channel {
    return new Channel(OURS, ChannelMemory.fromFd(fd));
  }

  /**
   * Listens at a path, or at `'\0'` and an abstract name, and gives each client a channel in each
   * direction. Resolves when clients can connect. As with `listen()`, only our own user is talked
   * to unless `allow` says otherwise, and what a dead process has left at the path is replaced.
   *
   * ```js
   * await using server = await Channel.serve('/run/echo', async (channel) => {
   *   for await (const message of channel) await channel.send(message);
   * });
   * ```
   *
   * @param handler - called once for each client. If it returns a promise, the channel is ended and
   * closed when that is settled; otherwise the handler closes it. See ServeOptions.onError
   * @throws {SystemError} EADDRINUSE, EACCES, ENOENT
   */
  static async serve(path: string, handler: ChannelHandler, options: ServeOptions = {}): Promise<ChannelServer> {
    return startServer(path, handler, options);
  }

  /**
   * Connects to a `Channel.serve()`: a channel in each direction.
   *
   * @throws {SystemError} ENOENT, EACCES; ECONNREFUSED if nobody listens
   * @throws {PeerError} ERR_MEMMAP_PEER_REFUSED if `allow` says no, ERR_MEMMAP_PEER_CLOSED if the
   * server hangs up, ERR_MEMMAP_BAD_MESSAGE and what fromFd() throws if it gives no channel
   * @throws {StateError} ERR_MEMMAP_TIMEOUT
   */
  static async connect(path: string, options: ConnectChannelOptions = {}): Promise<DuplexChannel> {
    return connectChannel(path, options);
  }

  get kind(): ChannelKind {
    return this.#memory.shape.kind;
  }

  /** Bytes. */
  get capacity(): number {
    return this.#memory.shape.capacity;
  }

  get closed(): boolean {
    return this.#memory.closed;
  }

  /** The descriptor, for a child or a peer. `close()` closes it. */
  get fd(): number {
    return this.#memory.fd;
  }

  /**
   * A sending end. In any process; after the death of one, the next goes on.
   *
   * @throws {StateError} ERR_MEMMAP_TAKEN
   */
  producer(options?: EndOptions): Producer {
    return this.#memory.producer(options);
  }

  /** A receiving end: as producer(). */
  consumer(options?: EndOptions): Consumer {
    return this.#memory.consumer(options);
  }

  /** Closes the descriptor. Ends that have been made go on. Idempotent. */
  close(): void {
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

showAs(Channel.prototype, {
  kind: ({ kind }) => kind,
  capacity: ({ capacity }) => capacity,
  closed: ({ closed }) => closed,
});
