// What the locks' algorithms ask of whoever runs them: one access to shared memory, a pause,
// or a question. They are generators of such steps, so that a test can run the very same code
// over a simulated memory, in every order. lib/shm/lock/lock-word.ts runs them over real memory.

export const LOAD = 0;
/** Compare and exchange; gives the value before. */
export const CAS = 1;
/** Exchange; gives the value before. */
export const SWAP = 2;
/** A look for some time; gives the value at last. */
export const SPIN = 3;
/** Sleeps while the word has the value, for a while: WOKEN, or why not. */
export const WAIT = 4;
/** Wakes some of those who sleep. */
export const WAKE = 5;
/** 1 if the owner of this id lives, 0 if not. */
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

/** What an algorithm came to, besides EXPIRED and ABORTED. */
export const DONE = 0;
/** Done, and the owner before has died. */
export const OWNER_DIED = 3;
/** Whom it would wait for is the thread that waits. */
export const OWN = 4;
/** The caller is not the owner. */
export const NOT_OWNER = 5;

/** Woken with WAKE: all of them. */
export const ALL = 0x7fff_ffff;

// The words of a lock, as docs/abi.md has them.

/** The last owner died, and nobody has owned it since. */
export const DIED = 0x4000_0000;
/** Somebody may sleep until the word changes. */
export const WAITERS: number = 0x8000_0000 | 0;

/** Who runs an algorithm. */
export interface Caller {
  readonly id: number;
  /** Whether another task of the same thread may do what it waits for: it does not block. */
  readonly tasks: boolean;
  /** Whether it may sleep. Else it tries, and comes to EXPIRED. */
  readonly waits: boolean;
}

/** Thrown by an algorithm that reads what nobody can have written. */
export class CorruptWord {
  readonly at: number;
  readonly value: number;

  constructor(at: number, value: number) {
    this.at = at;
    this.value = value;
  }
}
