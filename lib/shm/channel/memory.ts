// ChannelMemory: the memory of a channel, from which its ends are made.
import { disposable } from '../../internal/realms/dispose.js';
import { OURS } from '../../internal/validate.js';
import { type EndOptions, RECEIVING, SENDING } from './end.js';
import { CAPACITY, HEADER_LENGTH, type Shape, readHeader, writeHeader } from './header.js';
import { Consumer } from './consumer.js';
import { Producer } from './producer.js';
import { SharedMemory } from '../memory/shared-memory.js';

export class ChannelMemory implements Disposable {
  readonly #memory: SharedMemory;
  readonly shape: Shape;

  private constructor(memory: SharedMemory, shape: Shape) {
    this.#memory = memory;
    this.shape = shape;
  }

  /** Makes a memfd with all pages allocated, sealed against changes of length. The capacity is rounded up. */
  static create(asked: Shape): ChannelMemory {
    const shape = { ...asked, capacity: Math.max(CAPACITY.least, 2 ** Math.ceil(Math.log2(asked.capacity))) };
    const memory = SharedMemory.create({ length: HEADER_LENGTH + shape.capacity });
    try {
      memory.seal('grow', 'shrink', 'seal');
      using mapping = memory.map();
      writeHeader(mapping.view(Int32Array, { count: HEADER_LENGTH / 4 }), shape);
    } catch (error) {
      memory.close();
      throw error;
    }
    return new ChannelMemory(memory, shape);
  }

  /** Opens a channel that another process has made. The caller still owns `fd`. */
  static fromFd(fd: number): ChannelMemory {
    const memory = SharedMemory.fromFd(fd, { require: ['grow', 'shrink'], length: HEADER_LENGTH });
    try {
      using mapping = memory.map();
      const words = mapping.view(Int32Array, { count: HEADER_LENGTH / 4 });
      return new ChannelMemory(memory, readHeader(words, memory.length));
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#memory.closed;
  }

  get fd(): number {
    return this.#memory.fd;
  }

  producer(options?: EndOptions): Producer {
    return new Producer(OURS, { memory: this.#memory, shape: this.shape, own: SENDING, peers: RECEIVING, options });
  }

  consumer(options?: EndOptions): Consumer {
    return new Consumer(OURS, { memory: this.#memory, shape: this.shape, own: RECEIVING, peers: SENDING, options });
  }

  /** Closes the descriptor. Existing ends continue to work. */
  close(): void {
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(ChannelMemory);
