// The outcomes of a wait.

/** Woken, or the word had changed: look again. */
export const WOKEN = 0;
/** The time is over. */
export const EXPIRED = 1;
/** The signal is aborted. */
export const ABORTED = 2;
