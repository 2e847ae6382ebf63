// Where the soak of the locks has what, in bytes.
export const LENGTH = 4096;
export const LOCKS = { mutex: 0, rwLock: 256 };
/** Two numbers that the mutex guards, and two of the lock for readers and writers. */
export const NUMBERS = { offset: 1024, length: 16 };
/** How much each process has done. */
export const STEPS = { offset: 2048, length: 64 };
/** Owners that died, of the mutex and among the writers, as somebody was told. */
export const DEATHS = { offset: 2112, length: 8 };
