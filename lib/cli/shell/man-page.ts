// The manual page, memmap(1), made from the commands. man(7) macros: groff and mandoc read them.
import type { Argument, Command, Option } from 'commander';
import { type Example, aboutOf } from '../common/command.js';
import { EXIT, EXIT_MEANING } from '../common/exit.js';

const ENVIRONMENT = [
  ['NO_COLOR', 'If not empty, no colours and ASCII only.'],
  ['FORCE_COLOR', 'If neither empty nor 0, colours and block characters, even where standard output is not a terminal.'],
  ['COLUMNS', 'The width of pictures where standard output is not a terminal; 80 without it.'],
] as const;

const SEE_ALSO = ['fincore(1)', 'mincore(2)', 'mmap(2)', 'cachestat(2)', 'posix_fadvise(2)', 'mlock(2)', 'proc_pid_smaps(5)', 'vmtouch(8)'];

/**
 * @param date - 'YYYY-MM-DD', when the page last changed
 * @returns roff
 */
export function manPageOf(program: Command, date: string): string {
  const { notes } = aboutOf(program);
  const commands = visibleCommands(program);
  const lines = [
    `.TH ${program.name().toUpperCase()} 1 ${date} "${program.name()} ${program.version()}" "User Commands"`,
    '.SH NAME', `${text(program.name())} \\- ${text(firstLower(program.description()).replace(/\.$/, ''))}`,
    '.SH SYNOPSIS', ...commands.flatMap((command, index) => [...(index > 0 ? ['.br'] : []), synopsis(program, command)]),
    '.SH DESCRIPTION', text(program.description()),
    '.SH OPTIONS', ...visibleOptions(program).flatMap(option),
    '.SH COMMANDS', ...commands.flatMap((command) => section(program, command)),
    '.SH EXIT STATUS', ...exitStatus(),
    '.SH ENVIRONMENT', ...ENVIRONMENT.flatMap(([name, what]) => item(`.B ${text(name)}`, what)),
    '.SH EXAMPLES', ...aboutOf(program).examples.flatMap(example),
    // The first paragraph after a heading has no macro.
    '.SH NOTES', ...notes.flatMap(paragraph).slice(1),
    '.SH SEE ALSO', ...SEE_ALSO.map(reference),
  ];
  return `${['.\\" Made by scripts/man.mjs from the commands: change those.', ...lines].join('\n')}\n`;
}

function visibleCommands(program: Command): Command[] {
  return program.createHelp().visibleCommands(program);
}

function visibleOptions(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

function firstLower(words: string): string {
  return words.charAt(0).toLowerCase() + words.slice(1);
}

/** Escapes a text, so that no character has a meaning for roff. */
function text(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^\./, '\\&.');
}

/** An argument of a macro. */
function argument(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`;
}

/** A paragraph. Text after an empty line is a file or a part of one, and is shown verbatim. */
function paragraph(words: string): string[] {
  const [first = '', ...rest] = words.split('\n\n');
  if (rest.length === 0) return ['.PP', text(first)];
  return ['.PP', text(first), '.PP', '.RS 4', '.nf', ...rest.join('\n\n').split('\n').map(text), '.fi', '.RE'];
}

function item(tag: string, words: string): string[] {
  return ['.TP', tag, text(words)];
}

function argumentTerm(one: Argument): string {
  const dots = one.variadic ? '...' : '';
  const name = `\\fI${text(one.name())}\\fR${dots}`;
  return one.required ? name : `[${name}]`;
}

function synopsis(program: Command, command: Command): string {
  const rest = command.registeredArguments.map(argumentTerm).join(' ');
  const options = visibleOptions(command).length > 0 ? '[\\fIoption\\fR...] ' : '';
  return `\\fB${text(`${program.name()} ${command.name()}`)}\\fR ${options}${rest}`.trimEnd();
}

/** '\fB-m\fR, \fB--max-size\fR \fIsize\fR'. */
function optionTerm({ short, long, flags }: Option): string {
  const names = [short, long].filter((name) => name !== undefined).map((name) => `\\fB${text(name)}\\fR`);
  const [, open, name = ''] = /([<[])([^>\]]+)/.exec(flags) ?? [];
  if (open === undefined) return names.join(', ');
  const value = `\\fI${text(name)}\\fR`;
  return `${names.join(', ')} ${open === '[' ? `[${value}]` : value}`;
}

function option(one: Option): string[] {
  const choices = one.argChoices === undefined ? '' : ` (${one.argChoices.join(', ')})`;
  return item(optionTerm(one), `${one.description}${choices}`);
}

function example({ call, what }: Example): string[] {
  return ['.TP', `.B ${argument(call)}`, text(what)];
}

function section(program: Command, command: Command): string[] {
  const { examples, notes } = aboutOf(command);
  return [
    `.SS ${argument(`${program.name()} ${command.name()}`)}`,
    text(command.description()),
    ...command.registeredArguments.flatMap((one) => item(argumentTerm(one), argumentText(one))),
    ...visibleOptions(command).flatMap(option),
    ...notes.flatMap(paragraph),
    ...(examples.length > 0 ? [...paragraph('Examples:'), ...examples.flatMap(example)] : []),
  ];
}

function argumentText({ description, argChoices }: Argument): string {
  return argChoices === undefined ? description : `${description} (${argChoices.join(', ')})`;
}

function exitStatus(): string[] {
  return Object.entries(EXIT).flatMap(([name, code]) => item(`.B ${code}`, EXIT_MEANING[name as keyof typeof EXIT]));
}

function reference(page: string, index: number): string {
  const [, name = '', part = ''] = /^(\w+)\((\d)\)$/.exec(page) ?? [];
  return `.BR ${text(name)} (${part})${index < SEE_ALSO.length - 1 ? ',' : ''}`;
}
