// Where the soak of the locks has what: offsets in bytes, counts in numbers of 32 bits.
export const LENGTH = 4096;
export const LOCKS = { mutex: 0, rwLock: 256 };
/** Two numbers that the mutex guards, and two of the lock for readers and writers. */
export const NUMBERS = { offset: 1024, count: 4 };
/** How much each process has done. */
export const STEPS = { offset: 2048, count: 16 };
/** Owners that died, of the mutex and among the writers, as somebody was told. */
export const DEATHS = { offset: 2112, count: 2 };
