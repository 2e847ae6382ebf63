// ChannelEnd: the common part of producers and consumers: their place in the channel, the state of the
// other side, taking turns, and waiting.
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
import { POLL_INTERVAL } from '../wait/outcome.js';
import { SharedWords } from './shared-words.js';

/**
 * The longest sleep of an asynchronous wait, in milliseconds. A process killed between a change and its
 * signal wakes no sleeper; if another has taken its place, its death is not noticed either.
 */
const LONGEST_SLEEP = 1000;
/** How often to look for a message between two readings of the clock. */
const SPINS_PER_CLOCK = 50;
/** Attempts of a call that does not wait to get its turn: others hold it for a microsecond. */
const ATTEMPTS = 1000;

/** Options of {@link Channel.producer} and {@link Channel.consumer}. */
export interface EndOptions {
  /**
   * Microseconds to busy-poll before sleeping, or Infinity. Lowers latency; blocks the event loop while
   * polling. @default 0
   */
  readonly spin?: number | undefined;
}

/** Microseconds, or Infinity. */
export function validateSpin(spin: unknown): asserts spin is number {
  if (typeof spin !== 'number') throw invalidType('options.spin', 'of type number', spin);
  if (!(spin >= 0)) throw outOfRange('options.spin', '>= 0 microseconds', spin);
}

/** The parts that an end is made from. */
export interface EndParts {
  readonly memory: SharedMemory;
  readonly shape: Shape;
  readonly own: Side;
  readonly peers: Side;
  readonly options: EndOptions | undefined;
}

/** One side of a channel. */
export interface Side {
  /** Indices of the first word of its ends, and of its mutex. */
  readonly ends: number;
  readonly turn: number;
  /** Kinds of channels that have several ends at this side. */
  readonly many: readonly ChannelKind[];
}

export const SENDING: Side = { ends: WORD.producers, turn: WORD.sending, many: ['mpmc'] };
export const RECEIVING: Side = { ends: WORD.consumers, turn: WORD.receiving, many: ['mpmc', 'broadcast'] };

/** What an end must release. Separate from it, because the end may have been collected. */
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
  // Wakes the other side, and ends that wait at this one.
  for (const signal of signals) signal.wake();
  words.end();
  liveness.release();
  mapping.close();
}

/** An end that was not closed leaves when it is collected; otherwise the other side would wait forever. */
const dropped = new FinalizationRegistry<Standing>(leave);

/** A ring that continues where another end of its side has stopped. */
export interface Resumable {
  resume(): void;
}

export class ChannelEnd {
  readonly #standing: Standing;
  /** Whether it can act without an end at the other side. */
  readonly alone: boolean;
  readonly words: SharedWords;
  readonly memory: MirroredBuffer;
  readonly own: Members;
  readonly place: number;
  readonly peers: Members;
  /** Signals that messages have arrived, and that there is room. */
  readonly arrivals: EventCount;
  readonly vacancies: EventCount;
  /** With several ends at this side, only the owner of this mutex may act. */
  readonly turn: Mutex | undefined;
  /** How long to busy-poll, in milliseconds. */
  readonly #spin: number;
  #ring: Resumable | undefined;
  #closed = false;
  #lost = false;
  /** Whether the other side is known to be gone, whatever its places in the channel say. */
  #gone = false;

  constructor(parts: EndParts) {
    const { memory, shape, own, peers, options = {} } = parts;
    validateOptions<EndOptions>(options, ['spin']);
    const { spin = 0 } = options;
    validateSpin(spin);
    this.#spin = spin / 1000;
    this.alone = own === SENDING && shape.kind === 'broadcast';
    // A mapping for the header, which stays valid when the views of the data end.
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
      // Take the place first: the ring behind it belongs to one end at a time.
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

  /** Continues where the previous end has stopped; frees the place if that fails. */
  start(ring: Resumable): void {
    this.#ring = ring;
    // With several ends, each turn begins with resume().
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

  /** Whether all ends at the other side have closed. */
  get peerClosed(): boolean {
    return this.peers.closed;
  }

  /** Whether the last check found that all ends at the other side have died, and none has come since. */
  get peerLost(): boolean {
    return this.#lost && this.lookForPeer();
  }

  /** Checks whether ends at the other side have died: true if a wait must look again. Makes system calls. */
  lookForPeer(): boolean {
    // A broadcast waits only for readers that are alive.
    if (this.alone) return this.peers.bury();
    this.#lost = this.#gone || this.peers.died;
    return this.#lost;
  }

  /** Called when the other side has ended and will send nothing more. Returns the error, unless it has closed properly. */
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

  /** Tries to get the turn at this side. leave() ends it. */
  tryEnter(): boolean {
    if (this.turn === undefined) return true;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.turn.tryLock() !== false) return this.#resumed();
    }
    return false;
  }

  /** Waits for the turn. A thread or process that died in its turn has published nothing. */
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

  /** Busy-polls for the time of the `spin` option. */
  spun<Found>(wait: Deadline, look: () => Found | undefined): Found | undefined {
    if (this.#spin === 0) return undefined;
    const end = performance.now() + wait.slice(this.#spin);
    do {
      for (let i = 0; i < SPINS_PER_CLOCK; i++) {
        const found = look();
        if (found !== undefined) return found;
      }
    } while (performance.now() < end);
    return undefined;
  }

  /** Waits for a signal after `seen`. May return early. */
  async pause(signal: EventCount, seen: number, wait: Deadline): Promise<void> {
    await signal.wait(seen, wait.slice(LONGEST_SLEEP), wait.signal, () => this.lookForPeer());
    this.open();
    wait.check();
  }

  /** As pause(), but blocks the thread. */
  pauseSync(signal: EventCount, seen: number, wait: Deadline): void {
    signal.sleep(seen, wait.slice(POLL_INTERVAL));
    if (!signal.since(seen)) this.lookForPeer();
    wait.check();
  }

  /** Closes this end for good; the other side notices it. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    dropped.unregister(this);
    leave(this.#standing);
    this.memory.close();
  }
}
