// The command `memmap` and its subcommands.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { benchCommand } from './bench/bench.js';
import { describe, newCommand } from './common/command.js';
import { completionCommand } from './shell/completion.js';
import { doctorCommand } from './doctor/doctor.js';
import { dumpCommand } from './dump/dump.js';
import { evictCommand } from './evict.js';
import { lockCommand } from './lock/lock.js';
import { mapsCommand } from './maps/maps.js';
import { EXIT, EXIT_MEANING } from './common/exit.js';
import { presenceCommand } from './presence/presence.js';
import { restoreCommand } from './dump/restore.js';
import type { Terminal } from './common/terminal.js';
import { touchCommand } from './touch.js';

/** All commands, from which --help, the man page and completion are made. */
export function programOf(terminal: Terminal): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const program = newCommand('memmap')
    .description('Inspect and control which parts of files are in memory, in the page cache and in processes.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addCommand(presenceCommand(terminal))
    .addCommand(touchCommand(terminal))
    .addCommand(evictCommand(terminal))
    .addCommand(lockCommand(terminal))
    .addCommand(dumpCommand(terminal))
    .addCommand(restoreCommand(terminal))
    .addCommand(mapsCommand(terminal))
    .addCommand(doctorCommand(terminal))
    .addCommand(benchCommand(terminal))
    .addCommand(completionCommand(terminal));
  describe(program, {
    examples: [
      { call: 'memmap presence /var/lib/db/*.db', what: 'which pages are in memory' },
      { call: 'memmap maps 1234', what: 'what a process has mapped' },
      { call: 'memmap doctor', what: 'settings that get in the way' },
      { call: 'memmap help presence', what: 'the help of a command' },
    ],
    notes: [
      'Sizes are in bytes, or have a unit, a power of 1024: 64K, 1.5G. No command changes files, and only memmap evict pushes pages out of the page cache.',
    ],
  });
  return program.addHelpText('after', `\nExit codes:\n${exitCodes()}\n\nSee also: man memmap`);
}

function exitCodes(): string {
  return Object.entries(EXIT).map(([name, code]) => `  ${String(code).padEnd(3)}  ${EXIT_MEANING[name as keyof typeof EXIT]}`).join('\n');
}
