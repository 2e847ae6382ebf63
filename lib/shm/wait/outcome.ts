// What a wait came to.

/** Look again. It may have slept, or not at all. */
export const WOKEN = 0;
/** It did not sleep: the time is over. Of an algorithm: that is why it gave up. */
export const EXPIRED = 1;
/** Likewise: the signal is aborted. */
export const ABORTED = 2;
