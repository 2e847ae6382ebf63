// Consumer: the receiving end of a channel.
import { disposable } from '../../internal/realms/dispose.js';
import type { Readable } from 'node:stream';
import { StateError } from '../../errors.js';
import { Bytes } from '../../internal/bytes.js';
import { showAs } from '../../internal/inspect.js';
import { type OURS, outOfRange, validateBytes, validateFunction, validateInteger, validateOptions, validateOurs } from '../../internal/validate.js';
import { BroadcastReader } from './broadcast-ring.js';
import { ChannelEnd, type EndParts } from './end.js';
import { RingReader } from './ring.js';
import { readableOf } from './streams.js';
import type { AsyncTimeoutOptions, TimeoutOptions } from '../lock/acquire.js';
import { Deadline } from './deadline.js';

/** Options of {@link Consumer.drain}. */
export interface DrainOptions {
  /** The most messages to take, at least 1. @default all that have arrived */
  readonly most?: number | undefined;
}

/** The internal part of a consumer. */
export let consumingEnd: (consumer: Consumer) => ChannelEnd;

/** The receiving end of a channel. {@link Channel.consumer} makes it. */
export class Consumer implements AsyncIterable<Buffer>, Disposable {
  static {
    consumingEnd = (consumer) => consumer.#end;
  }
  readonly #end: ChannelEnd;
  readonly #ring: RingReader | BroadcastReader;
  /** Whether the producer may overwrite a message while it is read. */
  readonly #loses: boolean;
  #lost = 0;
  /** Bytes after which drain() releases what it has read, so that the producer can continue. */
  readonly #batch: number;
  #draining = false;
  #readable: Readable | undefined;

  /** @internal */
  constructor(key: typeof OURS, place: EndParts) {
    validateOurs(key, 'channel.consumer()');
    const end = new ChannelEnd(place);
    const { words, memory, own } = end;
    const { kind, capacity, slow } = place.shape;
    this.#end = end;
    this.#loses = kind === 'broadcast' && slow === 'lose';
    this.#ring =
      kind === 'broadcast'
        ? new BroadcastReader({ words, memory, capacity, readers: own, loses: this.#loses }, own.at(end.place))
        : new RingReader(words, memory, capacity);
    end.start(this.#ring);
    this.#batch = capacity / 4;
  }

  /** Whether this end is closed. */
  get closed(): boolean {
    return this.#end.closed;
  }

  /**
   * Returns a copy of the next message, or undefined if there is none now.
   *
   * @throws {PeerError} ERR_MEMMAP_CORRUPT
   */
  tryReceive(): Buffer | undefined {
    this.#end.open();
    if (this.#draining && this.#end.memory.detached) this.#end.memory.renew();
    if (this.#draining) return this.#copy();
    return this.#end.tryEnter() ? this.#take() : undefined;
  }

  /**
   * Copies the next message to the beginning of `target` and returns its length in bytes, or undefined if
   * there is none now. For large messages this is several times as fast as {@link tryReceive}, which
   * allocates memory for each.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE if the message is longer than `target`; it stays the next message
   * @throws {PeerError} ERR_MEMMAP_CORRUPT
   */
  tryReceiveInto(target: Uint8Array): number | undefined {
    validateBytes(target, 'target');
    this.#end.open();
    if (this.#draining && this.#end.memory.detached) this.#end.memory.renew();
    if (this.#draining) return this.#copyInto(target);
    return this.#end.tryEnter() ? this.#takeInto(target) : undefined;
  }

  /** Copies the next message out, and ends the turn. */
  #take(): Buffer | undefined {
    let message: Buffer | undefined;
    try {
      message = this.#copy();
      if (message !== undefined) this.#ring.release();
    } finally {
      this.#end.leave();
    }
    if (message !== undefined) this.#end.vacancies.notify();
    return message;
  }

  #takeInto(target: Uint8Array): number | undefined {
    let length: number | undefined;
    try {
      length = this.#copyInto(target);
      if (length !== undefined) this.#ring.release();
    } finally {
      this.#end.leave();
    }
    if (length !== undefined) this.#end.vacancies.notify();
    return length;
  }

  #copy(): Buffer | undefined {
    const ring = this.#ring;
    for (;;) {
      const length = ring.next();
      if (length < 0) return undefined;
      const message = Buffer.allocUnsafe(length);
      const { offset } = ring;
      this.#end.memory.bytes.copy(message, 0, offset, offset + length);
      if (!ring.intact()) continue;
      ring.skip(length);
      return message;
    }
  }

  #copyInto(target: Uint8Array): number | undefined {
    const ring = this.#ring;
    for (;;) {
      const length = ring.next();
      if (length < 0) return undefined;
      if (length > target.length) throw outOfRange('target.length', `>= ${length}, the length of the message`, target.length);
      const { offset } = ring;
      this.#end.memory.bytes.copy(target, 0, offset, offset + length);
      if (!ring.intact()) continue;
      ring.skip(length);
      return length;
    }
  }

  /** The next message in place; a copy if the producer may overwrite it. */
  #inPlace(): Buffer | undefined {
    if (this.#loses) return this.#copy();
    const ring = this.#ring;
    const length = ring.next();
    if (length < 0) return undefined;
    const { offset } = ring;
    ring.skip(length);
    return new Bytes(this.#end.memory.buffer, offset, length);
  }

  /** How many messages of a broadcast this consumer has lost by being slow, up to the last one it received. */
  get lost(): number {
    this.#lost += this.#ring.takeLost();
    return this.#lost;
  }

  /** Throws inside drain(). */
  #free(): void {
    this.#end.open();
    if (this.#draining) throw new StateError('ERR_MEMMAP_DRAINING', 'drain() is under way on this consumer: wait until it returns, or use tryReceive()');
  }

  /** Whether nothing more can come. Must be read before the last look for a message. */
  #over(): boolean {
    return this.#end.peerClosed || this.#end.peerLost;
  }

  /** No message is left and none will come: undefined if the producer closed, an error if it died. */
  #finish(): undefined {
    if (this.#end.peerClosed) return undefined;
    throw this.#end.died();
  }

  /**
   * Waits for the next message; undefined when the producer has closed and all messages are read.
   *
   * @throws {PeerError} ERR_MEMMAP_PEER_DIED when the producer has died and all its messages are read; ERR_MEMMAP_CORRUPT
   * @throws {StateError} ERR_MEMMAP_TIMEOUT, ERR_MEMMAP_CLOSED; or the reason of the signal
   */
  receive(options?: AsyncTimeoutOptions): Promise<Buffer | undefined> {
    return this.#wait(() => this.#take(), options);
  }

  /** As receive(), but blocks the thread. */
  receiveSync(options?: TimeoutOptions): Buffer | undefined {
    return this.#waitSync(() => this.#take(), options);
  }

  /** Waits for the next message and copies it as {@link tryReceiveInto} does. Do not use `target` until the promise settles. */
  async receiveInto(target: Uint8Array, options?: AsyncTimeoutOptions): Promise<number | undefined> {
    validateBytes(target, 'target');
    return this.#wait(() => this.#takeInto(target), options);
  }

  /** As receiveInto(), but blocks the thread. */
  receiveIntoSync(target: Uint8Array, options?: TimeoutOptions): number | undefined {
    validateBytes(target, 'target');
    return this.#waitSync(() => this.#takeInto(target), options);
  }

  /** Waits until `take` finds something in this consumer's turn; `take` ends the turn. Undefined if nothing will come. */
  async #wait<Found>(take: () => Found | undefined, options: AsyncTimeoutOptions | undefined): Promise<Found | undefined> {
    const wait = Deadline.until(options);
    this.#free();
    const first = this.#look(take) ?? this.#end.spun(wait, () => this.#look(take));
    if (first !== undefined) return first;
    for (;;) {
      wait.check();
      const seen = this.#end.arrivals.prepare();
      const over = this.#over();
      if (this.#end.turn !== undefined) await this.#end.enter(wait);
      const found = take();
      if (found !== undefined) return found;
      if (over) return this.#finish();
      await this.#end.pause(this.#end.arrivals, seen, wait);
    }
  }

  #waitSync<Found>(take: () => Found | undefined, options: TimeoutOptions | undefined): Found | undefined {
    const wait = Deadline.until(options);
    this.#free();
    const first = this.#look(take) ?? this.#end.spun(wait, () => this.#look(take));
    if (first !== undefined) return first;
    for (;;) {
      const seen = this.#end.arrivals.prepare();
      const over = this.#over();
      this.#end.enterSync(wait);
      const found = take();
      if (found !== undefined) return found;
      if (over) return this.#finish();
      this.#end.pauseSync(this.#end.arrivals, seen, wait);
    }
  }

  /** Looks once without announcing a sleeper, so that the other end need not wake this one. */
  #look<Found>(take: () => Found | undefined): Found | undefined {
    return this.#end.tryEnter() ? take() : undefined;
  }

  /**
   * Calls `use` with each message that has arrived, in place, and returns how many. A view ends when `use`
   * has returned for the last message, or earlier: copy what you keep. A hostile producer can write to the
   * memory meanwhile: read each byte once, or copy. A message counts as read even if `use` throws. In an
   * 'mpmc' channel other consumers wait meanwhile. In a broadcast with `slow: 'lose'` messages are copies.
   *
   * @throws {StateError} ERR_MEMMAP_DRAINING inside `use`
   * @throws {PeerError} ERR_MEMMAP_CORRUPT
   */
  drain(use: (message: Buffer) => void, options: DrainOptions = {}): number {
    this.#free();
    validateFunction(use, 'use');
    validateOptions<DrainOptions>(options, ['most']);
    const { most = Number.MAX_SAFE_INTEGER } = options;
    validateInteger(most, 'options.most', 1);
    if (!this.#end.tryEnter()) return 0;
    const ring = this.#ring;
    let count = 0;
    this.#draining = true;
    try {
      for (let message; count < most && (message = this.#inPlace()) !== undefined; ) {
        count += 1;
        use(message);
        if (ring.held >= this.#batch || this.#end.memory.detached) this.#endViews();
      }
    } finally {
      this.#draining = false;
      if (!this.closed) {
        if (ring.held > 0) this.#endViews();
        this.#end.leave();
      }
    }
    return count;
  }

  #endViews(): void {
    this.#end.memory.renew();
    this.#ring.release();
    this.#end.vacancies.notify();
  }

  /** Waits until there is a message for drain(): true; false if none will come. Throws as {@link receive} does. */
  async ready(options?: AsyncTimeoutOptions): Promise<boolean> {
    return (await this.#wait(() => this.#has(), options)) ?? false;
  }

  #has(): true | undefined {
    try {
      return this.#ring.next() >= 0 || undefined;
    } finally {
      this.#end.leave();
    }
  }

  /** Iterates over the messages until the producer closes. Leaving the loop early leaves the channel open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const message = await this.receive();
      if (message === undefined) return;
      yield message;
    }
  }

  /** The received messages as one stream of bytes, which owns this end and closes it. The same stream at each access. */
  get readable(): Readable {
    this.#readable ??= readableOf(this, this);
    return this.#readable;
  }

  /**
   * Closes this end for good; the producer notices it. Idempotent. An end that is not closed is closed when the
   * garbage collector collects it.
   */
  close(): void {
    // Inside drain(): release what has been read.
    if (this.#draining && !this.closed) {
      this.#ring.release();
      this.#end.leave();
    }
    this.#end.close();
  }

  /** Closes this end at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Consumer);

showAs(Consumer.prototype, { closed: ({ closed }) => closed });
