// Work on many files: its interruption, its summary and its exit code.
import type { Command } from 'commander';
import { EXIT, interruptible } from './exit.js';
import type { ProgressBar } from './progress.js';
import type { Terminal } from './terminal.js';

/** Options of the summary. */
export interface SummaryOptions {
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Adds the options of the summary to a command. */
export function withSummary(command: Command): Command {
  return command.option('-q, --quiet', 'report failures only').option('--json', 'print the summary as JSON');
}

/** Runs until it is done, or interrupted. @returns whether it was interrupted */
export async function untilInterrupted(bar: ProgressBar, run: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const code = await interruptible(async (signal) => {
    // At once: a second signal ends the process immediately.
    signal.addEventListener('abort', () => bar.stop());
    await run(signal);
    return EXIT.done;
  }).finally(() => bar.stop());
  return code === EXIT.interrupted;
}

export interface Summary {
  /** For people. */
  readonly text: string;
  /** For programs. */
  readonly data: object;
  /** Files. */
  readonly failed: number;
  readonly interrupted: boolean;
}

/** Prints the summary. @returns the exit code */
export function summarize(terminal: Terminal, { quiet = false, json = false }: SummaryOptions, { text, data, failed, interrupted }: Summary): number {
  if (json) terminal.json({ ...data, failed, interrupted });
  else if (!quiet) terminal.line(interrupted ? `interrupted: ${text}` : text);
  if (interrupted) return EXIT.interrupted;
  return failed > 0 ? EXIT.failed : EXIT.done;
}
