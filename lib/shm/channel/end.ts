// ChannelEnd: what a producer and a consumer are both made of: their place in the channel, what they
// see of the other side, taking turns, and waiting.
import { performance } from 'node:perf_hooks';
import { PeerError, StateError } from '../../errors.js';
import { invalidType, outOfRange, validateOptions } from '../../internal/validate.js';
import { type ChannelKind, HEADER_LENGTH, type Shape, WORD } from './header.js';
import { Members, MOST_ENDS } from './members.js';
import { Mutex } from '../lock/mutex.js';
import { MirroredBuffer } from './mirrored-buffer.js';
import type { SharedMapping } from '../memory/shared-mapping.js';
import type { SharedMemory } from '../memory/shared-memory.js';
import { EventCount } from './event-count.js';
import type { Deadline } from './deadline.js';
import { Liveness } from '../wait/liveness.js';
import { SharedWords } from './shared-words.js';

/**
 * Milliseconds of a sleep that does not block the thread. Who was killed between a change and its
 * signal tells nobody; if another has taken its place by then, its death is not seen either.
 */
const NAP = 1000;
/** Of one that does: milliseconds without a signal, after which one looks whether the other side lives. */
const SLICE = 50;
/** Looks between two looks at the clock. */
const LOOKS = 50;
/** Attempts to get a turn of who does not wait: others hold it for a microsecond. */
const ATTEMPTS = 1000;

/** Options of an end. */
export interface EndOptions {
  /**
   * Microseconds for which who waits looks again and again before it sleeps: the thread is busy
   * meanwhile, its event loop stands still, and a message that comes in this time is there at
   * once. @default 0
   */
  readonly spin?: number | undefined;
}

/** Microseconds; Infinity, too. */
export function validateSpin(spin: unknown): asserts spin is number {
  if (typeof spin !== 'number') throw invalidType('options.spin', 'of type number', spin);
  if (!(spin >= 0)) throw outOfRange('options.spin', '>= 0 microseconds', spin);
}

/** What an end is made of. */
export interface EndParts {
  readonly memory: SharedMemory;
  readonly shape: Shape;
  readonly own: Side;
  readonly peers: Side;
  readonly options: EndOptions | undefined;
}

/** One side of a channel. */
export interface Side {
  /** Index of the first word of its ends, and of its mutex. */
  readonly ends: number;
  readonly turn: number;
  /** Kinds of channels that have many such ends. */
  readonly many: readonly ChannelKind[];
}

export const SENDING: Side = { ends: WORD.producers, turn: WORD.sending, many: ['mpmc'] };
export const RECEIVING: Side = { ends: WORD.consumers, turn: WORD.receiving, many: ['mpmc', 'broadcast'] };

/** What must be given back of an end: without it, since it may have been collected. */
interface Standing {
  readonly own: Members;
  readonly place: number;
  readonly words: SharedWords;
  readonly signals: readonly EventCount[];
  readonly liveness: Liveness;
  readonly mapping: SharedMapping;
}

function leave({ own, place, words, signals, liveness, mapping }: Standing): void {
  own.leave(place);
  // The other side, and those who wait at this one.
  for (const signal of signals) signal.wake();
  words.end();
  liveness.release();
  mapping.close();
}

/** An end that nobody closes leaves when it is collected: the other side would wait for ever. */
const dropped = new FinalizationRegistry<Standing>(leave);

/** What goes on where another end of its side has stopped. */
export interface Resumable {
  resume(): void;
}

export class ChannelEnd {
  readonly #standing: Standing;
  /** Whether it needs nobody at the other side. */
  readonly alone: boolean;
  readonly words: SharedWords;
  readonly memory: MirroredBuffer;
  readonly own: Members;
  readonly place: number;
  readonly peers: Members;
  /** Messages have come; room has come. */
  readonly arrivals: EventCount;
  readonly vacancies: EventCount;
  /** Of several ends at this side one at a time may act. */
  readonly turn: Mutex | undefined;
  /** Milliseconds. */
  readonly #spin: number;
  #ring: Resumable | undefined;
  #closed = false;
  #lost = false;
  /** Whether somebody has told that the other side is gone: its places say what they like. */
  #gone = false;

  constructor(parts: EndParts) {
    const { memory, shape, own, peers, options = {} } = parts;
    validateOptions<EndOptions>(options, ['spin']);
    const { spin = 0 } = options;
    validateSpin(spin);
    this.#spin = spin / 1000;
    this.alone = own === SENDING && shape.kind === 'broadcast';
    // The header: it stays where it is, whatever becomes of the data.
    const mapping = memory.map();
    let liveness: Liveness;
    try {
      const array = mapping.view(Int32Array, { count: HEADER_LENGTH / 4 });
      this.words = new SharedWords(array);
      this.arrivals = new EventCount(this.words, WORD.messages);
      this.vacancies = new EventCount(this.words, WORD.room);
      liveness = Liveness.hold(mapping, array);
    } catch (error) {
      mapping.close();
      throw error;
    }
    try {
      const [mine, theirs] = [own, peers].map(({ ends, many }) =>
        new Members(this.words, ends, many.includes(shape.kind) ? MOST_ENDS : 1, liveness),
      ) as [Members, Members];
      this.own = mine;
      this.peers = theirs;
      this.turn = shape.kind === 'mpmc' ? new Mutex(mapping, 4 * own.turn) : undefined;
      // First the place: what is behind it is of one end at a time.
      this.place = this.own.join();
    } catch (error) {
      liveness.release();
      mapping.close();
      throw error;
    }
    const signals = [this.arrivals, this.vacancies];
    this.#standing = { own: this.own, place: this.place, words: this.words, signals, liveness, mapping };
    try {
      this.memory = new MirroredBuffer(memory.fd, HEADER_LENGTH, shape.capacity);
    } catch (error) {
      leave(this.#standing);
      throw error;
    }
    dropped.register(this, this.#standing, this);
  }

  /** Goes on where the end before has stopped; if that is impossible, the place is free again. */
  start(ring: Resumable): void {
    this.#ring = ring;
    // Where others act meanwhile, each turn begins with it.
    if (this.turn !== undefined) return;
    try {
      ring.resume();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  open(): void {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'This end of the channel is closed');
  }

  /** Whether all at the other side have said that they have ended. */
  get peerClosed(): boolean {
    return this.peers.closed;
  }

  /** Whether those who were at the other side have died, as far as has been looked, and nobody came after them. */
  get peerLost(): boolean {
    return this.#lost && this.lookForPeer();
  }

  /** Whether something has become of the other side that concerns who waits. Makes system calls. */
  lookForPeer(): boolean {
    // A broadcast waits for readers that live.
    if (this.alone) return this.peers.bury();
    this.#lost = this.#gone || this.peers.died;
    return this.#lost;
  }

  /** The other side has ended: what it has sent is all there will be. The error that this is, unless it has closed. */
  peerHasGone(): PeerError | undefined {
    if (this.#closed || this.peerClosed) return undefined;
    this.#gone = true;
    this.#lost = true;
    this.arrivals.wake();
    this.vacancies.wake();
    return this.died();
  }

  died(): PeerError {
    return new PeerError('ERR_MEMMAP_PEER_DIED', 'The thread or process at the other end of the channel has died');
  }

  /** Gets a turn at this side, if no other end has it for long. To be given back with leave(). */
  tryEnter(): boolean {
    if (this.turn === undefined) return true;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.turn.tryLock() !== false) return this.#resumed();
    }
    return false;
  }

  /** Waits for a turn. A thread or process that died in its turn has published nothing of it. */
  async enter(wait: Deadline): Promise<void> {
    if (this.turn === undefined) return;
    await this.turn.lockAsync(wait.rest());
    if (this.#closed) this.turn.unlock();
    this.open();
    this.#resumed();
  }

  enterSync(wait: Deadline): void {
    if (this.turn === undefined) return;
    this.turn.lock({ timeout: wait.rest().timeout });
    this.#resumed();
  }

  #resumed(): true {
    try {
      this.#ring?.resume();
    } catch (error) {
      this.leave();
      throw error;
    }
    return true;
  }

  leave(): void {
    this.turn?.unlock();
  }

  /** Looks until there is something, for as long as this end may without sleeping. */
  spun<Found>(wait: Deadline, look: () => Found | undefined): Found | undefined {
    if (this.#spin === 0) return undefined;
    const end = performance.now() + wait.slice(this.#spin);
    do {
      for (let i = 0; i < LOOKS; i++) {
        const found = look();
        if (found !== undefined) return found;
      }
    } while (performance.now() < end);
    return undefined;
  }

  /** Waits for a signal since `seen`. Returns early now and then. */
  async pause(signal: EventCount, seen: number, wait: Deadline): Promise<void> {
    await signal.wait(seen, wait.slice(NAP), wait.signal, () => this.lookForPeer());
    this.open();
    wait.check();
  }

  /** As pause(), blocking the thread. */
  pauseSync(signal: EventCount, seen: number, wait: Deadline): void {
    signal.sleep(seen, wait.slice(SLICE));
    if (!signal.since(seen)) this.lookForPeer();
    wait.check();
  }

  /** Ends it for good; the other side sees it. Idempotent. What nobody closes is closed when it is collected. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    dropped.unregister(this);
    leave(this.#standing);
    this.memory.close();
  }
}
