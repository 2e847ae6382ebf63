// Runs the command line. Loads only the command that is called, since loading takes longer than most
// commands.
import { type Command, CommanderError } from 'commander';
import { newCommand } from './common/command.js';
import { EXIT, UsageError, messageOf } from './common/exit.js';
import type { Terminal } from './common/terminal.js';

/** The commands that scripts call often. */
const ALONE = {
  presence: async () => (await import('./presence/presence.js')).presenceCommand,
  touch: async () => (await import('./touch.js')).touchCommand,
  evict: async () => (await import('./evict.js')).evictCommand,
  lock: async () => (await import('./lock/lock.js')).lockCommand,
  dump: async () => (await import('./dump/dump.js')).dumpCommand,
  restore: async () => (await import('./dump/restore.js')).restoreCommand,
} as const;

/** All commands, or the one that is called. */
async function programFor([name = '']: readonly string[], terminal: Terminal): Promise<Command> {
  if (!Object.hasOwn(ALONE, name)) return (await import('./program.js')).programOf(terminal);
  const commandOf = await ALONE[name as keyof typeof ALONE]();
  return newCommand('memmap').addCommand(commandOf(terminal));
}

/** Runs the command line. @returns the exit code */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const program = await programFor(argv, terminal);
  process.exitCode = EXIT.done;
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    terminal.complain(messageOf(error));
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}
