// How a command ends: its exit code, and errors of the command line.

/** Exit codes, as the man page lists them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** As in shells: 128 plus the number of the signal. */
  interrupted: 130,
} as const;

/** What each exit code means. */
export const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'everything was done',
  failed: 'something failed, or needs care; the rest was done',
  usage: 'the command line is wrong; nothing was done',
  interrupted: 'interrupted by SIGINT or SIGTERM',
};

/** The command line is wrong, or what it names cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The message of an error, without its stack. */
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
