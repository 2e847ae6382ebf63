// Producer: the sending end of a channel.
import { disposable } from '../../internal/realms/dispose.js';
import type { Writable } from 'node:stream';
import { PeerError, StateError } from '../../errors.js';
import { Bytes } from '../../internal/bytes.js';
import { showAs } from '../../internal/inspect.js';
import { type OURS, invalidType, outOfRange, validateBytes, validateInteger, validateOurs } from '../../internal/validate.js';
import { BroadcastWriter } from './broadcast-ring.js';
import { ChannelEnd, type EndParts } from './end.js';
import { RECORD_HEADER, RingWriter } from './ring.js';
import { writableOf } from './streams.js';
import { FifoLock } from '../wait/fifo.js';
import type { AsyncTimeoutOptions, TimeoutOptions } from '../lock/acquire.js';
import { Deadline } from './deadline.js';

/** Messages between two checks whether the other end is alive. */
const SENDS = 256;

/** The internal part of a producer. */
export let producingEnd: (producer: Producer) => ChannelEnd;
/** Resolves when no send() waits any more. */
export let flushed: (producer: Producer) => Promise<void>;

/** The sending end of a channel. {@link Channel.producer} makes it. */
export class Producer implements Disposable {
  static {
    producingEnd = (producer) => producer.#end;
    flushed = (producer) => producer.#flushed();
  }
  readonly #end: ChannelEnd;
  readonly #ring: RingWriter | BroadcastWriter;
  /** Bytes of the longest message that can be sent. */
  readonly limit: number;
  /** Bytes of the message that is being made in place, or -1. */
  #reserved = -1;
  /** Calls of send() that wait, in order. */
  readonly #waiting: FifoLock = new FifoLock();
  #sends = 0;
  #writable: Writable | undefined;

  /** @internal */
  constructor(key: typeof OURS, place: EndParts) {
    validateOurs(key, 'channel.producer()');
    const end = new ChannelEnd(place);
    const { words, memory, peers } = end;
    const { capacity, slow } = place.shape;
    this.#end = end;
    this.#ring = end.alone
      ? new BroadcastWriter({ words, memory, capacity, readers: peers, loses: slow === 'lose' })
      : new RingWriter(words, memory, capacity);
    end.start(this.#ring);
    this.limit = capacity - RECORD_HEADER;
  }

  /** Whether this end is closed. */
  get closed(): boolean {
    return this.#end.closed;
  }

  /** Throws unless a message may be sent now. */
  #ready(length: number): void {
    this.#end.open();
    if (length > this.limit) throw outOfRange('message.length', `<= ${this.limit}, the longest message that the channel can hold`, length);
    if (this.#reserved !== -1) throw new StateError('ERR_MEMMAP_RESERVED', 'A message is being made in place: call commit() first');
    if (this.#end.alone) return;
    if (++this.#sends % SENDS === 0) this.#end.lookForPeer();
    if (this.#end.peerClosed) throw new PeerError('ERR_MEMMAP_PEER_CLOSED', 'The consumer has closed the channel');
    if (this.#end.peerLost) throw this.#end.died();
  }

  /**
   * Sends a copy of the bytes if there is room now and no other message waits, and returns whether it did.
   *
   * @throws {PeerError} ERR_MEMMAP_PEER_CLOSED, ERR_MEMMAP_PEER_DIED, ERR_MEMMAP_CORRUPT
   * @throws {RangeError} ERR_OUT_OF_RANGE for a message longer than {@link limit}
   * @throws {StateError} ERR_MEMMAP_CLOSED, ERR_MEMMAP_RESERVED
   */
  trySend(message: Uint8Array): boolean {
    validateBytes(message, 'message');
    this.#ready(message.length);
    if (this.#waiting.taken || !this.#end.tryEnter()) return false;
    return this.#put(message);
  }

  /** Sends the message if it fits, and ends the turn. */
  #put(message: Uint8Array): boolean {
    const ring = this.#ring;
    try {
      if (!ring.fits(message.length)) return false;
      ring.put(message);
      ring.publish();
    } finally {
      this.#end.leave();
    }
    this.#end.arrivals.notify();
    return true;
  }

  /**
   * Sends as many of the messages as there is room for, together: the consumer sees all of them at the
   * same time. Returns how many. Throws as {@link trySend} does, and then sends none.
   */
  trySendMany(messages: readonly Uint8Array[]): number {
    if (!Array.isArray(messages)) throw invalidType('messages', 'an Array', messages);
    for (const message of messages) {
      validateBytes(message, 'message');
      if (message.length > this.limit) this.#ready(message.length);
    }
    this.#ready(0);
    if (this.#waiting.taken || !this.#end.tryEnter()) return 0;
    const ring = this.#ring;
    let sent = 0;
    try {
      for (; sent < messages.length; sent++) {
        const message = messages[sent] as Uint8Array;
        if (!ring.fits(message.length)) break;
        ring.put(message);
      }
      if (sent > 0) ring.publish();
    } catch (error) {
      // Discards the messages that were put but not published.
      ring.resume();
      throw error;
    } finally {
      this.#end.leave();
    }
    if (sent > 0) this.#end.arrivals.notify();
    return sent;
  }

  /**
   * Sends a copy of the bytes, and waits for room if there is none. Resolves when they are in the ring: await it
   * for back-pressure, and do not change the bytes before. Messages arrive in the order of the calls.
   *
   * @throws as {@link trySend}; ERR_MEMMAP_TIMEOUT, or the reason of the signal
   */
  send(message: Uint8Array, options?: AsyncTimeoutOptions): Promise<void> {
    try {
      const wait = options === undefined ? undefined : Deadline.until(options);
      if (this.trySend(message)) return Promise.resolve();
      return this.#sendInTurn(message, wait ?? Deadline.until(undefined));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Looks once without announcing a sleeper, so that the other end need not wake this one. */
  #look(message: Uint8Array): true | undefined {
    this.#ready(message.length);
    return (this.#end.tryEnter() && this.#put(message)) || undefined;
  }

  async #sendInTurn(message: Uint8Array, wait: Deadline): Promise<void> {
    const turn = wait.turn(this.#waiting);
    if (turn !== undefined) await turn;
    try {
      if (this.#end.spun(wait, () => this.#look(message)) !== undefined) return;
      for (;;) {
        wait.check();
        const seen = this.#end.vacancies.prepare();
        this.#ready(message.length);
        if (this.#end.turn !== undefined) await this.#end.enter(wait);
        if (this.#put(message)) return;
        await this.#end.pause(this.#end.vacancies, seen, wait);
      }
    } finally {
      this.#waiting.release();
    }
  }

  /** As send(), but blocks the thread while there is no room. @throws {StateError} ERR_MEMMAP_BUSY while calls of send() wait */
  sendSync(message: Uint8Array, options?: TimeoutOptions): void {
    const wait = options === undefined ? undefined : Deadline.until(options);
    if (this.trySend(message)) return;
    if (this.#waiting.taken) throw new StateError('ERR_MEMMAP_BUSY', 'Messages of send() wait for room, and this one would overtake them: await them first');
    this.#sendWhenRoom(message, wait ?? Deadline.until(undefined));
  }

  #sendWhenRoom(message: Uint8Array, wait: Deadline): void {
    if (this.#end.spun(wait, () => this.#look(message)) !== undefined) return;
    for (;;) {
      const seen = this.#end.vacancies.prepare();
      this.#ready(message.length);
      this.#end.enterSync(wait);
      if (this.#put(message)) return;
      this.#end.pauseSync(this.#end.vacancies, seen, wait);
    }
  }

  /**
   * Returns room for a message of up to `length` bytes, to be made in place, or undefined if there is
   * none now. It starts at a multiple of 8 bytes. Nothing else can be sent before commit(), which
   * ends the view; in an 'mpmc' channel other producers wait for it too. Throws as {@link trySend} does.
   */
  reserve(length: number): Buffer | undefined {
    validateInteger(length, 'length', 0);
    this.#ready(length);
    if (this.#waiting.taken || !this.#end.tryEnter()) return undefined;
    let fits = false;
    try {
      fits = this.#ring.fits(length);
    } finally {
      if (!fits) this.#end.leave();
    }
    if (!fits) return undefined;
    this.#reserved = length;
    const { offset } = this.#ring;
    return new Bytes(this.#end.memory.buffer, offset, length);
  }

  /** Waits until a message of `length` bytes fits, for {@link reserve}. Throws as {@link send} does. */
  async room(length: number, options?: AsyncTimeoutOptions): Promise<void> {
    validateInteger(length, 'length', 0);
    const wait = Deadline.until(options);
    if ((this.#fits(length) ?? this.#end.spun(wait, () => this.#fits(length))) !== undefined) return;
    for (;;) {
      const seen = this.#end.vacancies.prepare();
      if (this.#fits(length) !== undefined) return;
      await this.#end.pause(this.#end.vacancies, seen, wait);
    }
  }

  #fits(length: number): true | undefined {
    this.#ready(length);
    if (this.#waiting.taken || !this.#end.tryEnter()) return undefined;
    try {
      return this.#ring.fits(length) || undefined;
    } finally {
      this.#end.leave();
    }
  }

  /**
   * Sends the first `length` bytes of the message made in place, and ends its view.
   *
   * @throws {StateError} ERR_MEMMAP_NOT_RESERVED without {@link reserve}
   */
  commit(length: number = this.#reserved): void {
    this.#end.open();
    if (this.#reserved === -1) throw new StateError('ERR_MEMMAP_NOT_RESERVED', 'No message is being made in place: call reserve() first');
    validateInteger(length, 'length', 0, this.#reserved);
    this.#end.memory.renew();
    this.#reserved = -1;
    this.#ring.end(length);
    this.#ring.publish();
    this.#end.leave();
    this.#end.arrivals.notify();
  }

  /** A stream of bytes that sends what is written to it. It owns this end: its end() closes it. The same stream at each access. */
  get writable(): Writable {
    this.#writable ??= writableOf(this, this);
    return this.#writable;
  }

  /** Resolves when no send() waits any more. */
  async #flushed(): Promise<void> {
    while (this.#waiting.taken) {
      await this.#waiting.acquire(Infinity, undefined);
      this.#waiting.release();
    }
  }

  /**
   * Closes this end for good: the consumer reads what was sent, then sees the end. Idempotent. An end that
   * is not closed is closed when the garbage collector collects it.
   */
  close(): void {
    if (this.#reserved !== -1 && !this.closed) this.#end.leave();
    this.#reserved = -1;
    this.#end.close();
  }

  /** Closes this end at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Producer);

showAs(Producer.prototype, { closed: ({ closed }) => closed });
