// Completion in bash, zsh and fish: the words offered, and what a typed line becomes:
// lib/cli/shell/completion.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { memmap } from '../../support/cli/cli.mjs';
import { programOf, Terminal } from '../../support/cli/cli-program.mjs';
import { typed } from '../../support/cli/shells.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';

function scriptFor(shell) {
  const { status, stdout, stderr } = memmap(['completion', shell]);
  assert.equal(status, 0, stderr);
  return stdout;
}

function run(shell, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(shell, args, { encoding: 'utf8', ...options });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout;
}

const names = () => {
  const program = programOf(new Terminal());
  return program.createHelp().visibleCommands(program).map((command) => command.name());
};

/** Options of a command, long and short. */
const flagsOf = (name) => {
  const command = programOf(new Terminal()).commands.find((one) => one.name() === name);
  return command.createHelp().visibleOptions(command).flatMap(({ short, long }) => [short, long]).filter(Boolean);
};

const SHELLS = ['bash', 'zsh', 'fish'];

describe('memmap completion', () => {
  const file = temporaryFiles();
  let directory;

  before(() => {
    directory = dirname(file('data file.bin', 'x'));
    file('other.bin', 'x');
    mkdirSync(file('sub'));
  });

  it('refuses shells it does not know, and no shell', () => {
    for (const args of [['tcsh'], []]) {
      const { status, stdout, stderr } = memmap(['completion', ...args]);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, args.length > 0 ? /Allowed choices are bash, zsh, fish/ : /missing required argument 'shell'/);
    }
  });

  for (const shell of SHELLS) {
    it(`prints a script that ${shell} can read`, function () {
      needsTools(this, shell);
      run(shell, ['-n', file(`script.${shell}`, scriptFor(shell))]);
    });
  }

  describe('in bash, without bash-completion', () => {
    let script;
    before(() => (script = file('words.bash', scriptFor('bash'))));

    /** What is offered for the last word. */
    function offered(...words) {
      const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _memmap; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const text = run('bash', ['--norc', '--noprofile', '-c', program, 'bash', script, 'memmap', ...words]);
      return text.split('\n').filter((word) => word !== '');
    }

    it('is registered, with file names where nothing else is offered', () => {
      const text = run('bash', ['--norc', '--noprofile', '-c', `source ${script}; complete -p memmap`]);
      assert.equal(text, 'complete -o default -F _memmap memmap\n');
    });

    it('offers every command, and those that begin so', () => {
      const all = offered('');
      for (const name of names()) assert.ok(all.includes(name), name);
      assert.deepEqual(offered('pre'), ['presence']);
      assert.deepEqual(offered('help', 'pre'), ['presence']);
      assert.deepEqual(offered('nonsense', ''), []);
    });

    it('offers every option of every command', () => {
      for (const name of names()) if (name !== 'help') assert.deepEqual(offered(name, '-').toSorted(), flagsOf(name).toSorted(), name);
      assert.deepEqual(offered('presence', '--h'), ['--hard-links', '--html', '--help']);
      assert.deepEqual(offered('presence', '-s', 'x', '--pn'), ['--png']);
    });

    it('offers what can be chosen, and processes', () => {
      assert.deepEqual(offered('completion', ''), SHELLS);
      assert.deepEqual(offered('completion', 'z'), ['zsh']);
      for (const words of [['--pid', `${process.pid}`], ['--pid', '=', `${process.pid}`]]) {
        assert.ok(offered('presence', ...words).includes(`${process.pid}`), words.join(' '));
      }
      assert.ok(offered('presence', '--pid', '=').length > 1);
    });

    it('offers nothing of its own for files, for values it cannot know, and after --', () => {
      for (const words of [['presence', 'o'], ['presence', '--html', ''], ['presence', '-m', ''], ['presence', '--', '-']]) assert.deepEqual(offered(...words), []);
    });
  });

  for (const shell of ['bash', 'zsh']) {
    describe(`typed into ${shell}`, function () {
      this.timeout(120_000);
      before(function () {
        needsTools(this, shell, 'script');
      });
      /** Lines as they are typed, and what the command is called with. */
      function become(expected) {
        const calls = typed(shell, { script: scriptFor(shell), lines: Object.keys(expected).map((line) => `memmap ${line}`), directory });
        assert.deepEqual(calls, Object.values(expected));
      }

      it('completes commands, options and choices', () => {
        become({
          'pres\t': ['presence'],
          'presence --ht\tx': shell === 'zsh' ? ['presence', '--html=x'] : ['presence', '--html', 'x'],
          'completion z\t': ['completion', 'zsh'],
          'help pres\t': ['help', 'presence'],
        });
      });

      it('completes file names, with spaces, too', () => {
        become({
          'presence oth\t': ['presence', 'other.bin'],
          'presence dat\t': ['presence', 'data file.bin'],
          'presence --png oth\t': ['presence', '--png', 'other.bin'],
          'presence --png=oth\t': ['presence', '--png=other.bin'],
        });
      });

      it('completes no file names where none can be', () => {
        become({ 'presence -m oth\t': ['presence', '-m', 'oth'], 'completion oth\t': ['completion', 'oth'] });
      });
    });
  }

  describe('in fish', () => {
    before(function () {
      needsTools(this, 'fish');
    });

    /** What is offered, without what it is for. */
    function offered(line) {
      const text = run('fish', ['--no-config', '-c', `source $argv[1]; complete -C $argv[2]`, file('offered.fish', scriptFor('fish')), line], { cwd: directory });
      return text.split('\n').filter((word) => word !== '').map((word) => word.split('\t')[0]);
    }

    it('offers commands, options, choices, processes and files', () => {
      for (const name of names()) assert.ok(offered('memmap ').includes(name), name);
      assert.deepEqual(offered('memmap pres'), ['presence']);
      assert.deepEqual(offered('memmap presence --h').toSorted(), ['--hard-links', '--help', '--html']);
      assert.deepEqual(offered('memmap completion '), SHELLS.toSorted());
      assert.ok(offered(`memmap presence --pid ${process.pid}`).includes(`${process.pid}`));
      assert.deepEqual(offered('memmap presence oth'), ['other.bin']);
      assert.deepEqual(offered('memmap presence --png oth'), ['other.bin']);
      assert.deepEqual(offered('memmap presence -m oth'), []);
      assert.deepEqual(offered('memmap completion oth'), []);
    });
  });
});
