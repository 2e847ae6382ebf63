// LockRunner: the words of one lock in real memory, and the algorithms run over them.
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { PeerError, SystemError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { invalidType, invalidValue, outOfRange, validateInteger } from '../../internal/validate.js';
import { Mapping, memoryOf } from '../../mem/mapping.js';
import { ALIVE, CAS, CorruptWord, LOAD, type Caller, SPIN, SWAP, type Step, type Algorithm, WAIT, WAKE } from './algorithm/operation.js';
import { ABORTED, EXPIRED, WOKEN } from '../wait/outcome.js';
import { sleep } from '../wait/futex.js';
import { Liveness } from '../wait/liveness.js';
import { SameMemory } from './same-memory.js';
import { check } from '../../internal/syscall.js';

const { errno } = constants;

/** Milliseconds of a sleep, after which one looks whether the owner lives. */
const SLICE = 50;
/** Looks at a word before one sleeps: about a microsecond. */
const SPINS = 300;
/** Bytes: words of 64 bits may come. */
const ALIGNMENT = 8;

/** Memory that a lock can be in: a mapping, or the buffer of one, as a worker thread gets it. */
export type LockMemory = Mapping | SharedArrayBuffer;

/** A buffer alone: its words never move. */
const FIXED = { version: 0 };

export class LockRunner {
  /** Of {@link acquire} and its like, on behalf of this thread. */
  readonly blocking: Caller;
  readonly trying: Caller;
  readonly tasks: Caller;
  readonly id: number;
  words: Int32Array;
  readonly #memory: LockMemory;
  readonly #pages: { readonly version: number };
  readonly #offset: number;
  readonly #length: number;
  readonly #liveness: Liveness;
  readonly #same: SameMemory;
  #version: number;

  /** @param length bytes of the lock, a multiple of 4 */
  constructor(memory: LockMemory, offset: number, length: number) {
    const mapped = memory instanceof Mapping;
    if (!mapped && !(memory instanceof SharedArrayBuffer)) {
      throw invalidType('memory', 'a Mapping or a SharedArrayBuffer of one', memory);
    }
    const size = mapped ? memory.length : memory.byteLength;
    if (mapped) memoryOf(memory).pages.open();
    validateInteger(offset, 'offset', 0, Math.max(0, size - length));
    // Subtract, never add: see resolveRange.
    if (length > size - offset) throw outOfRange('offset', `such that ${length} bytes follow`, offset);
    if (((mapped ? memory.byteOffset : 0) + offset) % ALIGNMENT !== 0) {
      throw outOfRange('offset', `a multiple of ${ALIGNMENT} in memory`, offset);
    }
    if (mapped && !memory.access.includes('write')) {
      throw invalidValue('memory', 'must be writable', memory);
    }
    this.#memory = memory;
    this.#pages = mapped ? memoryOf(memory).pages : FIXED;
    this.#offset = offset;
    this.#length = length;
    this.words = mapped
      ? memory.view(Int32Array, { offset, count: length / 4 })
      : new Int32Array(memory as unknown as ArrayBuffer, offset, length / 4);
    this.#version = this.#pages.version;
    this.#same = new SameMemory(mapped ? memory : undefined, offset, this.words);
    this.#liveness = Liveness.of(memory, this.words);
    this.id = this.#liveness.id;
    this.blocking = { id: this.id, tasks: false, waits: true };
    this.trying = { id: this.id, tasks: false, waits: false };
    this.tasks = { id: this.id, tasks: true, waits: true };
  }

  /** Whether the words are where they were, and nobody has taken their buffer. */
  get current(): boolean {
    return this.#pages.version === this.#version && this.words.length > 0;
  }

  /** Throws ERR_MEMMAP_CLOSED; follows a mapping that was resized. */
  follow(): void {
    const memory = this.#memory;
    if (!(memory instanceof Mapping)) return;
    memoryOf(memory).pages.open();
    if (this.current) return;
    this.words = memory.view(Int32Array, { offset: this.#offset, count: this.#length / 4 });
    this.#version = this.#pages.version;
  }

  /** After an operation: throws if it was done to memory that the lock has lost. */
  verify(): void {
    this.#same.verify(this.words);
  }

  /** The first word, without any algorithm. */
  first(): number {
    this.follow();
    const word = Atomics.load(this.words, 0);
    this.verify();
    return word;
  }

  /** Runs an algorithm; blocks the thread while it waits. */
  run<Result>(steps: Algorithm<Result>, deadline: number): Result {
    this.follow();
    try {
      let next = steps.next();
      while (next.done !== true) {
        const step = next.value;
        next = steps.next(step[0] === WAIT ? this.#block(step[1], step[2], deadline) : this.#perform(step));
      }
      this.verify();
      return next.value;
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Runs an algorithm; the thread goes on while it waits. */
  async runAsync<Result>(steps: Algorithm<Result>, deadline: number, signal: AbortSignal | undefined): Promise<Result> {
    this.follow();
    try {
      let next = steps.next();
      while (next.done !== true) {
        const step = next.value;
        next = steps.next(
          step[0] === WAIT ? await this.#yield(step[1], step[2], deadline, signal) : this.#perform(step),
        );
      }
      this.verify();
      return next.value;
    } catch (error) {
      throw this.#named(error);
    }
  }

  #perform([what, at, a, b]: Step): number {
    const { words } = this;
    switch (what) {
      case LOAD: return Atomics.load(words, at);
      case CAS: return Atomics.compareExchange(words, at, a, b);
      case SWAP: return Atomics.exchange(words, at, a);
      case SPIN: {
        let value = a;
        for (let i = 0; i < SPINS && value === a; i++) value = Atomics.load(words, at);
        return value;
      }
      case WAKE: return check(binding.futexWake(words, at, a), 'futex');
      case ALIVE: return this.#liveness.isAlive(at) ? 1 : 0;
      default: throw new TypeError(`no such step: ${what}`);
    }
  }

  #block(at: number, value: number, deadline: number): number {
    const left = deadline - performance.now();
    if (left <= 0) return EXPIRED;
    this.verify();
    const result = binding.futexWait(this.words, at, value, Math.min(SLICE, left));
    if (result !== -errno.EAGAIN && result !== -errno.ETIMEDOUT && result !== -errno.EINTR) check(result, 'futex');
    return WOKEN;
  }

  async #yield(at: number, value: number, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    if (signal?.aborted === true) return ABORTED;
    const left = deadline - performance.now();
    if (left <= 0) return EXPIRED;
    this.verify();
    await sleep(this.words, at, value, Math.min(SLICE, left), signal);
    this.follow();
    return WOKEN;
  }

  #named(error: unknown): unknown {
    try {
      // What a system call has met on the words, an access reports.
      if (error instanceof SystemError && this.words.length > 0) Atomics.load(this.words, 0);
      this.verify();
    } catch (lost) {
      return lost;
    }
    if (!(error instanceof CorruptWord)) return error;
    const offset = this.#offset + 4 * error.at;
    return new PeerError(
      'ERR_MEMMAP_CORRUPT',
      `The word at offset ${offset} holds 0x${(error.value >>> 0).toString(16)}, which no lock can: there is none, or a peer has overwritten it`,
      offset,
    );
  }
}
