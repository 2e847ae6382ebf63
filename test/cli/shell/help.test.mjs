// --help of every command, wrong command lines, and documents that show command lines:
// lib/cli/{program,run,main}.ts, lib/cli/common/{command,exit}.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { memmap } from '../../support/cli/cli.mjs';
import { aboutOf, EXIT, programOf, Terminal } from '../../support/cli/cli-program.mjs';
import { callsIn, wordsOf } from '../../support/cli/shell-words.mjs';

/** The program, and all commands below it, as ['memmap', 'presence']. */
function* commandsOf(command, path = [command.name()]) {
  yield { command, path };
  for (const below of command.commands) yield* commandsOf(below, [...path, below.name()]);
}

/** All commands, but with nothing that they do. */
function idleProgram() {
  const program = programOf(new Terminal());
  for (const { command } of commandsOf(program)) {
    if (command.commands.length === 0) command.action(() => undefined);
    command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  }
  return program;
}

/** Fails unless the command line can be parsed. */
async function parses(call) {
  const [name, ...words] = wordsOf(call);
  assert.equal(name, 'memmap', call);
  try {
    await idleProgram().parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error.exitCode !== 0) throw new Error(`${call}: ${error.message}`, { cause: error });
  }
}

const all = [...commandsOf(programOf(new Terminal()))];

describe('memmap --help', () => {
  for (const { command, path } of all) {
    const name = path.join(' ');
    describe(name, () => {
      it('says what it does, in a line and in a sentence', () => {
        if (path.length > 1) assert.match(command.summary(), /^[a-z].*[^.]$/);
        assert.match(command.description(), /^[A-Z][\s\S]*\.$/);
        assert.ok(path.length <= 2, 'commands do not nest: completion would not know');
      });

      it('describes every option and argument', () => {
        for (const option of command.options) assert.notEqual(option.description, '', option.flags);
        for (const argument of command.registeredArguments) assert.notEqual(argument.description, '', argument.name());
      });

      it('has examples that can be typed as they stand', async () => {
        const { examples } = aboutOf(command);
        assert.ok(examples.length > 0);
        const calls = examples.flatMap(({ call }) => callsIn(call));
        assert.ok(calls.some((call) => call.startsWith(name)));
        for (const call of calls) await parses(call);
        for (const { call, what } of examples) assert.ok(what !== '' && callsIn(call).length > 0, call);
      });

      it('is printed in 80 columns, and exits 0', () => {
        for (const args of [[...path.slice(1), '--help'], ['help', ...path.slice(1)]]) {
          const { status, stdout, stderr } = memmap(args, { env: { COLUMNS: '80' } });
          assert.deepEqual([status, stderr], [EXIT.done, ''], args.join(' '));
          assert.match(stdout, new RegExp(`^Usage: ${name} `));
          for (const { call } of aboutOf(command).examples) assert.ok(stdout.includes(`$ ${call}`), call);
          for (const line of stdout.split('\n')) assert.ok(line.length <= 80, `${line.length}: ${line}`);
        }
      });
    });
  }

  it('names every command and exit code', () => {
    const { stdout } = memmap(['--help']);
    for (const { path } of all.slice(1)) assert.match(stdout, new RegExp(`^  ${path[1]} +\\S`, 'm'));
    for (const code of Object.values(EXIT)) assert.match(stdout, new RegExp(`^  ${code} +\\S`, 'm'));
  });
});

describe('memmap', () => {
  it('alone prints help to standard error, and exits 2: nothing was done', () => {
    const { status, stdout, stderr } = memmap([]);
    assert.deepEqual([status, stdout], [EXIT.usage, '']);
    assert.match(stderr, /^Usage: memmap /);
  });

  it('--version is that of the package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    for (const option of ['--version', '-V']) assert.deepEqual(memmap([option]), { status: EXIT.done, stdout: `${version}\n`, stderr: '' });
  });

  const wrong = {
    'presnce x': /unknown command 'presnce'\n\(Did you mean presence\?\)/,
    'presence --sumary x': /unknown option '--sumary'\n\(Did you mean --summary\?\)/,
    'presence --max-size big x': /'big' is not a size/,
    'presence --batch': /option '-b, --batch <file>' argument missing/,
    'completion tcsh': /Allowed choices are bash, zsh, fish/,
    'completion bash zsh': /too many arguments/,
    '--nonsense': /unknown option '--nonsense'/,
  };
  for (const [line, message] of Object.entries(wrong)) {
    it(`${line}: exits 2, and says what is wrong`, () => {
      const { status, stdout, stderr } = memmap(line.split(' '));
      assert.deepEqual([status, stdout], [EXIT.usage, '']);
      assert.match(stderr, message);
      assert.match(stderr, /see --help/);
    });
  }
});

for (const document of ['README.md', 'docs/command.md']) {
  describe(document, () => {
    const text = readFileSync(document, 'utf8');

    it('shows command lines that can be typed as they stand', async () => {
      const lines = text.split('\n').filter((line) => /^(    |ExecSt\w+=)/.test(line) && /\bmemmap [a-z-]/.test(line));
      const calls = lines.filter((line) => !/^ *npm /.test(line)).flatMap((line) => callsIn(line.trim().split(/ {2,}/)[0]));
      assert.ok(calls.length > 0);
      for (const call of calls) await parses(call);
    });

    if (document === 'docs/command.md') {
      it('has the unit of the manual page, and all exit codes', () => {
        const { notes } = aboutOf(all.find(({ path }) => path[1] === 'lock').command);
        const unit = notes.find((note) => note.includes('[Unit]')).split('\n\n').slice(1).join('\n\n');
        assert.ok(text.includes(unit.replaceAll(/^(?=.)/gm, '    ')), unit);
        for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`^\\| ${code} \\|`, 'm'));
      });
    }

    it('names every command', () => {
      for (const { path } of all.slice(1)) assert.ok(text.includes(`memmap ${path[1]}`), path[1]);
    });
  });
}
