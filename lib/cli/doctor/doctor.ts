// memmap doctor: settings of this machine that get in the way of memory mapping, and commands that fix them.
import type { Command } from 'commander';
import { findingsOf } from './checks/all.js';
import type { Facts } from './checks/facts.js';
import type { Finding, Level } from './checks/finding.js';
import { readFacts } from './read-facts.js';
import { acts, describe, newCommand } from '../common/command.js';
import { EXIT } from '../common/exit.js';
import { quoted } from '../common/names.js';
import type { Terminal } from '../common/terminal.js';

interface DoctorOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function doctorCommand(terminal: Terminal): Command {
  const command = newCommand('doctor')
    .summary('find settings that get in the way of memory mapping, and the commands that fix them')
    .description('Checks limits, kernel, memory and file systems for settings that get in the way of memory mapping, and prints the commands that fix them. Changes nothing. The exit code is 1 if something needs care.')
    .argument('[path...]', 'also check the file systems of these paths')
    .option('-v, --verbose', 'explain every line, not only what needs care')
    .option('--json', 'print JSON, with the facts that were checked')
    .action(acts((paths: string[], options: DoctorOptions) => doctor(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap doctor', what: 'check this machine' },
      { call: 'memmap doctor /var/lib/db', what: 'also the file system of the data' },
      { call: 'memmap doctor -v', what: 'with all explanations' },
      { call: "sudo -u SERVICE memmap doctor", what: 'as the user of a service' },
      { call: 'memmap doctor --json | jq -r ".findings[].fix[]?"', what: 'only the commands' },
    ],
    notes: [
      '! needs care, i is worth knowing, and a check mark (+ in ASCII) is fine. Limits are those of the user who runs the command: run it as the user of the service, in its container.',
      'Each command can be pasted: those that help at once come first, then those that last after a reboot. Replace SERVICE, IMAGE and CONTAINER.',
      'Kernel features are tried, not guessed from the version. EPERM for a feature that the kernel has means that a sandbox forbids it.',
    ],
  });
}

function doctor(terminal: Terminal, paths: readonly string[], { json = false, verbose = false }: DoctorOptions): number {
  const facts = readFacts(paths, json ? quoted : (path) => terminal.name(path));
  const findings = findingsOf(facts);
  if (json) terminal.json(asJson(facts, findings));
  else report(findings, verbose, terminal);
  return findings.some(({ level }) => level === 'care') ? EXIT.failed : EXIT.done;
}

/** JSON has neither Infinity nor NaN: the latter becomes null. */
function plain(value: unknown): unknown {
  if (value === Infinity) return 'unlimited';
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  return value;
}

function asJson(facts: Facts, findings: readonly Finding[]): object {
  return { care: findings.filter(({ level }) => level === 'care').length, findings, facts: plain(facts) };
}

const LEVELS = ['care', 'note', 'ok'] as const;
const INDENT = 4;

function signs({ rich, colors }: Terminal): Readonly<Record<Level, string>> {
  return { care: colors.red(colors.bold('!')), note: colors.yellow('i'), ok: colors.green(rich ? '✓' : '+') };
}

function report(findings: readonly Finding[], verbose: boolean, terminal: Terminal): void {
  const { colors } = terminal;
  const sign = signs(terminal);
  let quiet = false;
  for (const level of LEVELS) {
    for (const { title, detail, fix = [] } of findings.filter((one) => one.level === level)) {
      const [first = '', ...more] = wrapped(title, terminal.width - 2);
      terminal.line(`${sign[level]} ${level === 'care' ? colors.bold(first) : first}`);
      for (const line of more) terminal.line(`  ${level === 'care' ? colors.bold(line) : line}`);
      if (level !== 'care' && !verbose) {
        quiet ||= level === 'note';
        continue;
      }
      for (const line of wrapped(detail, terminal.width - INDENT)) terminal.line(`${' '.repeat(INDENT)}${colors.dim(line)}`);
      for (const line of commands(fix, terminal)) terminal.line(line);
    }
  }
  terminal.line(`\n${summary(findings)}${quiet ? ' (-v explains them)' : ''}`);
}

/** Each command is one line, however long, so that it can be copied; its remark is above it if both together are too long. */
function commands(fix: readonly string[], { width, colors }: Terminal): string[] {
  return fix.flatMap((line) => {
    const [command = '', remark] = line.split('  # ');
    const indent = ' '.repeat(INDENT);
    if (remark === undefined) return [`${indent}$ ${colors.cyan(command)}`];
    if (INDENT + 2 + line.length <= width) return [`${indent}$ ${colors.cyan(command)}  ${colors.dim(`# ${remark}`)}`];
    return [`${indent}${colors.dim(`# ${remark}`)}`, `${indent}$ ${colors.cyan(command)}`];
  });
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Level): number => findings.filter((one) => one.level === level).length;
  const [care, notes, fine] = LEVELS.map(count) as [number, number, number];
  const needs = care === 0 ? 'nothing needs care' : `${care} ${care === 1 ? 'needs' : 'need'} care`;
  return `${needs}; ${notes} worth knowing, ${fine} fine`;
}

/** Lines of whole words, of at most `width` columns unless a word is longer. */
function wrapped(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines = [''];
    for (const word of paragraph.split(' ')) {
      const last = lines.at(-1) as string;
      if (last === '') lines[lines.length - 1] = word;
      else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
      else lines.push(word);
    }
    return lines;
  });
}
