// The outcomes of a wait, and how long it sleeps at a time.

/** Woken, or the word had changed: look again. */
export const WOKEN = 0;
/** The time is over. */
export const EXPIRED = 1;
/** The signal is aborted. */
export const ABORTED = 2;

/** Milliseconds after which a waiting thread checks what wakes nobody: whether an owner or the other side is alive. */
export const POLL_INTERVAL = 50;
