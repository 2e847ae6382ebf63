// The steps of the locks' algorithms: one access to shared memory, a pause, or a question. The
// algorithms are generators of such steps, so that a test can run the same code over simulated
// memory, in every order. lib/shm/lock/lock-word.ts runs them over real memory.

export const LOAD = 0;
/** Compare and exchange; returns the value before. */
export const CAS = 1;
/** Exchange; returns the value before. */
export const SWAP = 2;
/** Polls the word for a while, until it changes; returns its last value. */
export const SPIN = 3;
/** Sleeps while the word has the value, for a while; returns WOKEN, EXPIRED or ABORTED. */
export const WAIT = 4;
/** Wakes some of the threads that sleep on the word. */
export const WAKE = 5;
/** Returns 1 if the owner with this id is alive, 0 if not. */
export const ALIVE = 6;

/** A step: what, the index of the word (ALIVE: the id), and the step's values. */
export type Step = readonly [what: number, at: number, a: number, b: number];
export type Algorithm<Result> = Generator<Step, Result, number>;

export const load = (at: number): Step => [LOAD, at, 0, 0];
export const cas = (at: number, expected: number, value: number): Step => [CAS, at, expected, value];
export const swap = (at: number, value: number): Step => [SWAP, at, value, 0];
export const spin = (at: number, value: number): Step => [SPIN, at, value, 0];
export const wait = (at: number, value: number): Step => [WAIT, at, value, 0];
export const wake = (at: number, count: number): Step => [WAKE, at, count, 0];
export const alive = (id: number): Step => [ALIVE, id, 0, 0];

/** The outcomes of an algorithm, besides EXPIRED and ABORTED. */
export const DONE = 0;
/** Done, and the previous owner has died. */
export const OWNER_DIED = 3;
/** The caller would wait for itself. */
export const OWN = 4;
/** The caller is not the owner. */
export const NOT_OWNER = 5;

/** A count for WAKE: all. */
export const ALL = 0x7fff_ffff;

// The words of a lock, as docs/abi.md has them.

/** The last owner died, and nobody has owned it since. */
export const DIED = 0x4000_0000;
/** A thread may sleep until the word changes. */
export const WAITERS: number = 0x8000_0000 | 0;

/** The thread or task that runs an algorithm. */
export interface Caller {
  readonly id: number;
  /** Whether it does not block the thread, so that another task of the thread may release the lock. */
  readonly tasks: boolean;
  /** Whether it may sleep. Otherwise it tries once, and returns EXPIRED. */
  readonly waits: boolean;
}

/** Thrown by an algorithm that reads a value that no algorithm writes. */
export class CorruptWord {
  readonly at: number;
  readonly value: number;

  constructor(at: number, value: number) {
    this.at = at;
    this.value = value;
  }
}
