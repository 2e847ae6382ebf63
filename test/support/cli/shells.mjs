// Shells with a terminal, in which somebody types.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How each is started so that it reads `init` and nothing of the user's. */
const SHELLS = {
  bash: { init: 'bashrc', command: (directory) => `bash --noprofile --rcfile ${join(directory, 'bashrc')} -i` },
  zsh: { init: '.zshrc', command: () => 'zsh -d -i' },
};

/**
 * Types lines into an interactive shell that has sourced `script`, and gives the words that the
 * command `memmap` was called with, a list for each call. TAB is '\t'.
 */
export function typed(shell, { script, lines, directory }) {
  const home = join(directory, `home-${shell}`);
  mkdirSync(home, { recursive: true });
  const { init, command } = SHELLS[shell];
  const told = join(home, 'told');
  writeFileSync(told, '');
  writeFileSync(join(home, 'completion'), script);
  const begin = shell === 'zsh' ? 'autoload -Uz compinit; compinit -D -u; unsetopt beep' : '';
  const end = `memmap() { printf '%s\\t' "$@" >> ${told}; echo >> ${told}; }`;
  writeFileSync(join(home, init), `${begin}\nPS1=; source ${join(home, 'completion')}\n${end}\n`);
  execFileSync('script', ['-qec', command(home), '/dev/null'], {
    input: `${[...lines, 'exit'].join('\n')}\n`,
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: home, ZDOTDIR: home, TERM: 'dumb', INPUTRC: '/dev/null', HISTFILE: '', LC_ALL: 'C.UTF-8' },
    timeout: 60_000,
  });
  return readFileSync(told, 'utf8').split('\n').slice(0, -1).map((call) => call.split('\t').slice(0, -1));
}
