// How a command ends: its exit code, and the errors that are the user's to mend.

/** Exit codes, as the man page lists them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** As shells have it: 128 and the signal's number. */
  interrupted: 130,
} as const;

/** What each exit code means. */
export const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'all was done',
  failed: 'something failed, or needs care; the rest was done',
  usage: 'the command line is wrong: nothing was done',
  interrupted: 'interrupted by SIGINT or SIGTERM',
};

/** The command line is wrong, or what it names cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What to report of an error: what happened, and no stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Runs with a signal that SIGINT and SIGTERM abort. A second one ends the process at once.
 *
 * @returns what `run` returns; EXIT.interrupted if it threw the signal's reason
 */
export async function interruptible(run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(new Error('interrupted'));
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, abort);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, abort);
  try {
    return await run(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) return EXIT.interrupted;
    throw error;
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, abort);
  }
}
