// Channel: a ring of messages in shared memory.
import { illegalConstructor, validateInteger, validateOptions, validateWord } from '../internal/validate.js';
import { type EndOptions, RECEIVING, SENDING } from './channel-end.js';
import {
  CAPACITY,
  type ChannelKind,
  HEADER_LENGTH,
  KIND,
  SLOW,
  type Shape,
  type SlowReader,
  readHeader,
  writeHeader,
} from './channel-header.js';
import { Consumer } from './consumer.js';
import { Producer } from './producer.js';
import { SharedMemory } from './shared-memory.js';

export interface ChannelOptions {
  /** Bytes of messages and their headers that it can hold: rounded up to a power of two, 64 KiB to 1 GiB. */
  readonly capacity: number;
  /**
   * `'spsc'`: one producer, one consumer. `'mpmc'`: up to 64 of each, and each message goes to one
   * consumer. `'broadcast'`: one producer, and up to 64 consumers that get all that is sent after
   * they came. @default 'spsc'
   */
  readonly kind?: ChannelKind;
  /** Of a broadcast: whether the producer waits for a slow consumer, or that one loses messages. @default 'wait' */
  readonly slow?: SlowReader;
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
  readonly #memory: SharedMemory;
  readonly #shape: Shape;

  private constructor(memory: SharedMemory, shape: Shape) {
    if (!(memory instanceof SharedMemory)) throw illegalConstructor('Channel.create() or fromFd()');
    this.#memory = memory;
    this.#shape = shape;
  }

  /**
   * Makes a channel in a memfd of its own, with all its pages, sealed against any change of length.
   *
   * @throws {SystemError} ENOMEM, ENOSPC
   */
  static create(options: ChannelOptions): Channel {
    validateOptions<ChannelOptions>(options, ['capacity', 'kind', 'slow']);
    const { capacity: asked, kind = 'spsc', slow = 'wait' } = options;
    validateInteger(asked, 'options.capacity', 1, CAPACITY.most);
    validateWord(kind, 'options.kind', KIND);
    validateWord(slow, 'options.slow', SLOW);
    const shape = { kind, slow, capacity: Math.max(CAPACITY.least, 2 ** Math.ceil(Math.log2(asked))) };
    const memory = SharedMemory.create({ length: HEADER_LENGTH + shape.capacity });
    try {
      memory.seal('grow', 'shrink', 'seal');
      using mapping = memory.map();
      writeHeader(mapping.view(Int32Array, { offset: 0, length: HEADER_LENGTH }), shape);
    } catch (error) {
      memory.close();
      throw error;
    }
    return new Channel(memory, shape);
  }

  /**
   * A channel that another process has made. The descriptor stays the caller's.
   *
   * @throws {PeerError} ERR_MEMMAP_NOT_MEMORY, ERR_MEMMAP_NOT_SEALED, ERR_MEMMAP_CORRUPT
   */
  static fromFd(fd: number): Channel {
    const memory = SharedMemory.fromFd(fd, { require: ['grow', 'shrink'], length: HEADER_LENGTH });
    try {
      using mapping = memory.map();
      const words = mapping.view(Int32Array, { offset: 0, length: HEADER_LENGTH });
      return new Channel(memory, readHeader(words, memory.length));
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  get kind(): ChannelKind {
    return this.#shape.kind;
  }

  /** Bytes. */
  get capacity(): number {
    return this.#shape.capacity;
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
    return new Producer({ memory: this.#memory, shape: this.#shape, own: SENDING, peers: RECEIVING, options });
  }

  /** A receiving end: as producer(). */
  consumer(options?: EndOptions): Consumer {
    return new Consumer({ memory: this.#memory, shape: this.#shape, own: RECEIVING, peers: SENDING, options });
  }

  /** Closes the descriptor. Ends that have been made go on. Again: nothing. */
  close(): void {
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
