// ChannelEnd: what a producer and a consumer have in common: their place in the channel, the
// sight of the other end, and waiting for it.
import { PeerError, StateError } from '../errors.js';
import { END, HEADER_LENGTH } from './channel-header.js';
import { RingMemory } from './ring-memory.js';
import type { SharedMapping } from './shared-mapping.js';
import type { SharedMemory } from './shared-memory.js';
import type { Signal } from './signal.js';
import type { Wait } from './wait.js';
import { Witness } from './witness.js';

/** Milliseconds of a sleep, after which one looks whether the other end lives. */
const SLICE = 50;

/** What an end is made of. */
export interface Place {
  readonly memory: SharedMemory;
  readonly capacity: number;
  /** Of the words of this end, and of the other. */
  readonly own: number;
  readonly peer: number;
}

export abstract class ChannelEnd implements Disposable {
  /** The header: it stays where it is, whatever becomes of the data. */
  readonly #mapping: SharedMapping;
  protected readonly words: Int32Array;
  protected readonly memory: RingMemory;
  readonly #witness: Witness;
  readonly #own: number;
  readonly #peer: number;
  #closed = false;
  #lost = false;

  protected constructor({ memory, capacity, own, peer }: Place) {
    this.#own = own;
    this.#peer = peer;
    this.#mapping = memory.map();
    this.words = this.#mapping.view(Int32Array, { offset: 0, length: HEADER_LENGTH / 4 });
    try {
      this.#witness = Witness.of(this.#mapping, this.words);
      this.#take();
      this.memory = new RingMemory(memory.fd, HEADER_LENGTH, capacity);
    } catch (error) {
      this.#mapping.close();
      throw error;
    }
  }

  /** Becomes the owner of this end, unless one lives. */
  #take(): void {
    const at = this.#own + END.owner;
    for (;;) {
      const owner = Atomics.load(this.words, at);
      if (owner !== 0 && this.#lives(owner)) {
        throw new StateError('ERR_MEMMAP_TAKEN', 'Another thread has this end of the channel');
      }
      if (Atomics.compareExchange(this.words, at, owner, this.#witness.id) === owner) break;
    }
    Atomics.store(this.words, this.#own + END.closed, 0);
  }

  /** The kernel tells a thread of others only. */
  #lives(id: number): boolean {
    return id === this.#witness.id || this.#witness.lives(id);
  }

  get closed(): boolean {
    return this.#closed;
  }

  protected open(): void {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'This end of the channel is closed');
  }

  /** Whether the other end has said that it has ended. */
  protected get peerClosed(): boolean {
    return Atomics.load(this.words, this.#peer + END.closed) !== 0;
  }

  /** Whether the other end has been there, and its owner has died. */
  protected get peerLost(): boolean {
    return this.#lost;
  }

  /** @internal */
  lookForPeer(): void {
    const owner = Atomics.load(this.words, this.#peer + END.owner);
    this.#lost = owner !== 0 && !this.peerClosed && !this.#lives(owner);
  }

  protected lost(): PeerError {
    return new PeerError('ERR_MEMMAP_PEER_DIED', 'The thread or process at the other end of the channel has died');
  }

  /** Waits for a signal since `seen`. Returns early now and then. */
  protected async pause(signal: Signal, seen: number, wait: Wait): Promise<void> {
    await signal.wait(seen, wait.slice(SLICE), wait.signal);
    this.open();
    this.lookForPeer();
    wait.check();
  }

  /** As pause(), holding the thread up. */
  protected pauseSync(signal: Signal, seen: number, wait: Wait): void {
    signal.sleep(seen, wait.slice(SLICE));
    this.lookForPeer();
    wait.check();
  }

  /** What is to be done before the pages go. */
  protected abstract end(): void;

  /** Ends this end for good; the other one learns of it. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.end();
    this.#closed = true;
    Atomics.store(this.words, this.#own + END.closed, 1);
    Atomics.store(this.words, this.#own + END.owner, 0);
    this.wake();
    this.memory.close();
    this.#mapping.close();
  }

  /** Wakes the other end, and those who wait at this one. */
  protected abstract wake(): void;

  [Symbol.dispose](): void {
    this.close();
  }
}
