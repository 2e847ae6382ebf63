// memmap completion: scripts that complete the command line in shells, made from the commands.
// A script contains all its words: pressing TAB does not start Node.
import { type Argument, Argument as NamedArgument, type Command, type Option } from 'commander';
import { acts, describe, newCommand } from '../common/command.js';
import { EXIT } from '../common/exit.js';
import type { Terminal } from '../common/terminal.js';

const SHELLS = { bash, zsh, fish } as const;

export function completionCommand(terminal: Terminal): Command {
  const command = newCommand('completion');
  command
    .summary('print a completion script for a shell')
    .description('Prints a script that completes commands, options, files and processes of memmap in bash, zsh or fish.')
    .addArgument(new NamedArgument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .action(acts((shell: keyof typeof SHELLS) => {
      terminal.write(SHELLS[shell](grammarOf(command.parent as Command)));
      return EXIT.done;
    }));
  return describe(command, {
    examples: [
      { call: 'source <(memmap completion bash)', what: 'this shell; add it to ~/.bashrc for all' },
      { call: 'source <(memmap completion zsh)', what: 'in ~/.zshrc, after compinit' },
      { call: 'memmap completion fish | source', what: 'in this shell' },
    ],
    notes: [
      'To install it permanently, save the script where the shell looks: for bash in ~/.local/share/bash-completion/completions/memmap (needs the package bash-completion; a line in ~/.bashrc does not), for zsh in a file _memmap in a directory of $fpath, for fish in ~/.config/fish/completions/memmap.fish. Save it again after an update.',
    ],
  });
}

/** What the shell offers for a value. The name of the value determines it. */
type Kind = 'file' | 'directory' | 'pid' | 'command' | 'other';

interface Value {
  readonly name: string;
  readonly kind: Kind;
  readonly choices: readonly string[];
}

interface Flag {
  /** One or both names: '-f', '--follow'. */
  readonly names: readonly string[];
  readonly what: string;
  readonly repeated: boolean;
  /** The value in the next word; undefined if there is none, or it is optional. */
  readonly value: Value | undefined;
}

interface Word {
  readonly name: string;
  readonly what: string;
  readonly flags: readonly Flag[];
  readonly values: readonly (Value & { readonly variadic: boolean })[];
}

/** The grammar of the command line. Commands do not nest. */
interface Grammar {
  readonly name: string;
  readonly flags: readonly Flag[];
  readonly commands: readonly Word[];
}

function kindOf(name: string): Kind {
  if (/^(file|path)s?$/i.test(name)) return 'file';
  if (/^dir(ectory)?$/i.test(name)) return 'directory';
  if (/^pids?$/i.test(name)) return 'pid';
  return name === 'command' ? 'command' : 'other';
}

function flagOf({ short, long, flags, description, required, argChoices }: Option): Flag {
  const name = /[<[]([^>\].]+)/.exec(flags)?.[1] ?? '';
  return {
    names: [short, long].filter((one) => one !== undefined),
    what: description,
    repeated: description.includes('repeatable'),
    value: required ? { name, kind: kindOf(name), choices: argChoices ?? [] } : undefined,
  };
}

function flagsOf(command: Command): Flag[] {
  return command.createHelp().visibleOptions(command).map(flagOf);
}

function valueOf(argument: Argument): Word['values'][number] {
  return { name: argument.name(), kind: kindOf(argument.name()), choices: argument.argChoices ?? [], variadic: argument.variadic };
}

function grammarOf(program: Command): Grammar {
  const commands = program.createHelp().visibleCommands(program).map((command) => ({
    name: command.name(),
    what: command.summary() || command.description(),
    flags: flagsOf(command),
    values: command.registeredArguments.map(valueOf),
  }));
  return { name: program.name(), flags: flagsOf(program), commands };
}

/** Quotes a text as one word of a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const namesOf = (flags: readonly Flag[]): string => flags.flatMap(({ names }) => names).join(' ');

// bash ----------------------------------------------------------------------------------------

/** The statements that offer a value. Files are left to readline, which quotes them correctly. */
function bashOffer({ commands }: Grammar, { kind, choices }: Value): string {
  if (choices.length > 0) return `_memmap_words ${quote(choices.join(' '))}; return`;
  if (kind === 'file') return 'return';
  if (kind === 'directory') return 'compopt -o dirnames +o default 2>/dev/null; return';
  if (kind === 'pid') return '_memmap_pids; return';
  return `_memmap_words ${quote(kind === 'command' ? commands.map(({ name }) => name).join(' ') : '')}; return`;
}

/** Cases for options whose value is the present word; options with the same offer share one. */
function bashValues(grammar: Grammar, flags: readonly Flag[]): string[] {
  const offers = new Map<string, string[]>();
  for (const { names, value } of flags) {
    if (value === undefined) continue;
    const offer = bashOffer(grammar, value);
    offers.set(offer, [...(offers.get(offer) ?? []), ...names]);
  }
  return [...offers].map(([offer, names]) => `        ${names.join(' | ')}) ${offer} ;;`);
}

function bashCommand(grammar: Grammar, { name, flags, values }: Word): string {
  const valued = bashValues(grammar, flags);
  // If one of several arguments is a file, readline offers files for all.
  const main = values.find(({ kind }) => kind === 'file') ?? values[0] ?? { name: '', kind: 'other' as const, choices: [] };
  return [
    `    ${name})`,
    ...(valued.length > 0 ? ['      case $previous in', ...valued, '      esac'] : []),
    `      [[ $word == -* ]] && _memmap_words ${quote(namesOf(flags))} && return`,
    `      ${bashOffer(grammar, main)}`,
    '      ;;',
  ].join('\n');
}

function bash(grammar: Grammar): string {
  const top = [...grammar.commands.map(({ name }) => name), namesOf(grammar.flags)].join(' ');
  return `# ${grammar.name} completion for bash, which needs nothing else

_memmap_words() {
  compopt +o default 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}

_memmap_pids() {
  local -a processes=(/proc/[0-9]*)
  _memmap_words "\${processes[*]##*/}"
}

_memmap() {
  local IFS=$' \\t\\n' word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' i
  COMPREPLY=()
  # '--option=value' is three words to readline.
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] && return
    [[ -z $command && \${COMP_WORDS[i]} != -* ]] && command=\${COMP_WORDS[i]}
  done
  case $command in
    '') _memmap_words ${quote(top)} ;;
${grammar.commands.map((one) => bashCommand(grammar, one)).join('\n')}
  esac
}

complete -o default -F _memmap ${grammar.name}
`;
}

// zsh -----------------------------------------------------------------------------------------

function zshOffer({ kind, choices }: Value): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  return { file: '_files', directory: '_files -/', pid: '_pids', command: '->command', other: ' ' }[kind];
}

/** Text inside the brackets of _arguments, and before the colon of _describe. */
function zshText(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}

function zshFlag({ names, what, repeated, value }: Flag): string {
  const once = repeated ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  const rest = `[${zshText(what)}]${value === undefined ? '' : `:${zshText(value.name)}:${zshOffer(value)}`}`;
  // '--png x', '--png=x'; '-b x', '-bx'.
  const written = names.map((name) => (value === undefined ? name : name.startsWith('--') ? `${name}=` : `${name}+`));
  return written.length === 1 ? quote(`${once}${written[0]}${rest}`) : `${quote(once)}{${written.join(',')}}${quote(rest)}`;
}

function zshArgument(value: Word['values'][number], index: number): string {
  return quote(`${value.variadic ? '*' : index + 1}:${zshText(value.name)}:${zshOffer(value)}`);
}

function zshLines(parts: readonly string[], indent: string): string {
  return parts.map((part) => ` \\\n${indent}${part}`).join('');
}

function zsh({ name, flags, commands }: Grammar): string {
  const cases = commands.map((one) => {
    const parts = [...one.flags.map(zshFlag), ...one.values.map(zshArgument)];
    return `        ${one.name}) _arguments -s -S${zshLines(parts, '          ')} && return ;;`;
  });
  return `#compdef ${name}
# ${name} completion for zsh

_${name}() {
  local curcontext=$curcontext context state state_descr line
  local -A opt_args
  local -a commands=(
${commands.map((one) => `    ${quote(`${zshText(one.name)}:${zshText(one.what)}`)}`).join('\n')}
  )
  _arguments -C${zshLines([...flags.map(zshFlag), "'1:command:->command'", "'*::argument:->argument'"], '    ')} && return
  case $state in
    argument)
      case $words[1] in
${cases.join('\n')}
      esac
      ;;
  esac
  [[ $state == command ]] && _describe -t commands command commands
}

if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

// fish ----------------------------------------------------------------------------------------

function fishQuote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}

function fishOffer({ commands }: Grammar, { kind, choices }: Value): string {
  if (choices.length > 0) return `-a ${fishQuote(choices.join(' '))}`;
  const words = commands.map(({ name }) => name).join(' ');
  return { file: '-F', directory: "-a '(__fish_complete_directories)'", pid: "-a '(__fish_complete_pids)'", command: `-a ${fishQuote(words)}`, other: '' }[kind];
}

function fishFlag(grammar: Grammar, { names, what, value }: Flag): string {
  const parts = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  if (value !== undefined) parts.push(value.kind === 'file' ? '-r' : '-x', fishOffer(grammar, value));
  return [...parts, `-d ${fishQuote(what)}`].filter((part) => part !== '').join(' ');
}

function fish(grammar: Grammar): string {
  const complete = `complete -c ${grammar.name}`;
  const lines = [`# ${grammar.name} completion for fish`, '', `${complete} -f`];
  for (const flag of grammar.flags) lines.push(`${complete} -n __fish_use_subcommand ${fishFlag(grammar, flag)}`);
  for (const { name, what, flags, values } of grammar.commands) {
    const within = `${complete} -n ${fishQuote(`__fish_seen_subcommand_from ${name}`)}`;
    lines.push('', `${complete} -n __fish_use_subcommand -a ${name} -d ${fishQuote(what)}`);
    for (const flag of flags) lines.push(`${within} ${fishFlag(grammar, flag)}`);
    for (const offer of new Set(values.map((value) => fishOffer(grammar, value)))) if (offer !== '') lines.push(`${within} ${offer}`);
  }
  return `${lines.join('\n')}\n`;
}
