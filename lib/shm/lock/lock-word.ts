// LockRunner: the words of one lock in real memory. Runs the algorithms over them.
import { isSharedArrayBuffer } from '../../internal/realms/kinds.js';
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { PeerError, SystemError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { invalidType, invalidValue, outOfRange, validateInteger } from '../../internal/validate.js';
import { Mapping, memoryOf } from '../../mem/mapping.js';
import { ALIVE, CAS, CorruptWord, LOAD, type Caller, SPIN, SWAP, type Step, type Algorithm, WAIT, WAKE } from './algorithm/operation.js';
import { ABORTED, EXPIRED, POLL_INTERVAL, WOKEN } from '../wait/outcome.js';
import { sleep } from '../wait/futex.js';
import { Liveness } from '../wait/liveness.js';
import { SameMemory } from './same-memory.js';
import { check } from '../../internal/syscall.js';

const { errno } = constants;

/** How often to read a word before sleeping: about a microsecond. */
const SPINS = 300;
/** Bytes: a future format may use words of 64 bits. */
const ALIGNMENT = 8;

/** The memory of a lock: a mapping, or the SharedArrayBuffer of one, as a worker thread receives it. */
export type LockMemory = Mapping | SharedArrayBuffer;

/** For a buffer without a mapping: its words never move. */
const FIXED = { version: 0 };

export class LockRunner {
  /** This thread as the caller of an algorithm: blocking, trying once, or as an asynchronous task. */
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
    if (!mapped && !isSharedArrayBuffer(memory)) {
      throw invalidType('memory', 'a Mapping or a SharedArrayBuffer of one', memory);
    }
    const size = mapped ? memory.length : memory.byteLength;
    if (mapped) memoryOf(memory).pages.open();
    validateInteger(offset, 'offset', 0, Math.max(0, size - length));
    // Subtract, never add: see resolveRange.
    if (length > size - offset) throw outOfRange('offset', `at least ${length} bytes, the length of the lock, before the end of the memory`, offset);
    if (((mapped ? memory.byteOffset : 0) + offset) % ALIGNMENT !== 0) {
      throw outOfRange('offset', `a multiple of ${ALIGNMENT} in memory`, offset);
    }
    if (mapped && !memory.access.includes('write')) {
      throw invalidValue('memory', "must be a writable mapping: access: 'read-write'", memory);
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

  /** Whether the words have not moved, and their buffer was not transferred. */
  get current(): boolean {
    return this.#pages.version === this.#version && this.words.length > 0;
  }

  /** Takes the words again if the mapping was resized. Throws ERR_MEMMAP_CLOSED. */
  follow(): void {
    const memory = this.#memory;
    if (!(memory instanceof Mapping)) return;
    memoryOf(memory).pages.open();
    if (this.current) return;
    this.words = memory.view(Int32Array, { offset: this.#offset, count: this.#length / 4 });
    this.#version = this.#pages.version;
  }

  /** Called after an operation: throws if the memory of the lock was lost. */
  verify(): void {
    this.#same.verify(this.words);
  }

  /** Reads the first word, without an algorithm. */
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

  /** Runs an algorithm; does not block the thread while it waits. */
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
      default: throw new TypeError(`Unknown step ${what}`);
    }
  }

  #block(at: number, value: number, deadline: number): number {
    const left = deadline - performance.now();
    if (left <= 0) return EXPIRED;
    this.verify();
    const result = binding.futexWait(this.words, at, value, Math.min(POLL_INTERVAL, left));
    if (result !== -errno.EAGAIN && result !== -errno.ETIMEDOUT && result !== -errno.EINTR) check(result, 'futex');
    return WOKEN;
  }

  async #yield(at: number, value: number, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    if (signal?.aborted === true) return ABORTED;
    const left = deadline - performance.now();
    if (left <= 0) return EXPIRED;
    this.verify();
    await sleep(this.words, at, value, Math.min(POLL_INTERVAL, left), signal);
    this.follow();
    return WOKEN;
  }

  #named(error: unknown): unknown {
    try {
      // A system call that failed on the words does not count a fault; an access does.
      if (error instanceof SystemError && this.words.length > 0) Atomics.load(this.words, 0);
      this.verify();
    } catch (lost) {
      return lost;
    }
    if (!(error instanceof CorruptWord)) return error;
    const offset = this.#offset + 4 * error.at;
    return new PeerError(
      'ERR_MEMMAP_CORRUPT',
      `The word at offset ${offset} holds 0x${(error.value >>> 0).toString(16)}, which is not valid for this kind of lock: there is another lock or other data, or a peer has overwritten it`,
      offset,
    );
  }
}
