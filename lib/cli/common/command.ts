// A command of the command line: its options, examples and notes, from which --help, the man page and
// the shells' completion are made.
import { Command } from 'commander';

/** A call and its purpose. */
export interface Example {
  readonly call: string;
  readonly what: string;
}

/** The documentation of a command beyond its options. */
interface About {
  readonly examples: readonly Example[];
  /** Paragraphs for the man page. */
  readonly notes: readonly string[];
}

const about = new WeakMap<Command, About>();

/** What describe() was given for the command. */
export function aboutOf(command: Command): About {
  return about.get(command) ?? { examples: [], notes: [] };
}

/** Adds examples and notes: --help shows the examples, the man page both. */
export function describe(command: Command, { examples, notes = [] }: { examples: readonly Example[]; notes?: readonly string[] }): Command {
  about.set(command, { examples, notes });
  return command.addHelpText('after', () => `\nExamples:\n${examplesText(examples)}`);
}

/** The most columns of examples. */
const WIDTH = 80;

/** One line for each example; two lines each if one of them is too long. */
function examplesText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(({ call }) => call.length));
  const lines = examples.map(({ call, what }) => `  $ ${call.padEnd(width)}  ${what}`);
  if (lines.every((line) => line.length <= WIDTH)) return lines.join('\n');
  return examples.map(({ call, what }) => `  # ${what}\n  $ ${call}`).join('\n');
}

export function newCommand(name: string): Command {
  return new Command(name).helpOption('-h, --help', 'print this help').exitOverride().showSuggestionAfterError(true).showHelpAfterError('(see --help)');
}

/** Makes an action of a function that returns the exit code. */
export function acts<Arguments extends unknown[]>(run: (...parts: Arguments) => Promise<number> | number): (...parts: Arguments) => Promise<void> {
  return async (...parts) => {
    process.exitCode = await run(...parts);
  };
}
