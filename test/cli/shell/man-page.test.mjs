// The manual page: what is in it, that roff accepts it, and that docs/memmap.1 is up to date:
// lib/cli/shell/man-page.ts, scripts/man.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { aboutOf, describe as describeCommand, EXIT, manPageOf, newCommand, programOf, Terminal } from '../../support/cli/cli-program.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const PAGE = 'docs/memmap.1';
const program = programOf(new Terminal());

/** As man shows it, in lines too long to break. */
function shown(path) {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-P-c', '-P-b', '-P-u', '-ww', '-rLL=2000n', path], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout;
}

describe(PAGE, () => {
  it('is what the commands give: npm run man writes it', () => {
    const written = readFileSync(PAGE, 'utf8');
    const [, date] = /^\.TH MEMMAP 1 (\d{4}-\d\d-\d\d) /m.exec(written);
    assert.ok(written === manPageOf(program, date), `${PAGE} is out of date: npm run man`);
  });

  for (const [name, ...args] of [['mandoc', '-T', 'lint', '-W', 'warning'], ['man', '--warnings', '-E', 'UTF-8', '-P', 'cat', '-l']]) {
    it(`gives ${name} nothing to warn of`, function () {
      needsTools(this, name);
      const { status, stdout, stderr } = spawnSync(name, [...args, PAGE], { encoding: 'utf8', env: { ...process.env, MANROFFSEQ: '' } });
      assert.deepEqual([status, stderr], [0, '']);
      if (name === 'mandoc') assert.equal(stdout, '');
    });
  }
});

describe('The manual page', () => {
  const file = temporaryFiles();
  let page;

  before(function () {
    needsTools(this, 'groff');
    page = shown(file('memmap.1', manPageOf(program, '2026-01-02')));
  });

  it('has its sections in the usual order', () => {
    const sections = page.split('\n').filter((line) => /^[A-Z][A-Z ]+$/.test(line));
    assert.deepEqual(sections, ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'COMMANDS', 'EXIT STATUS', 'ENVIRONMENT', 'EXAMPLES', 'NOTES', 'SEE ALSO']);
  });

  it('has every command, with its options, examples and notes, as they are', () => {
    for (const command of program.commands) {
      const [, section] = page.split(`\n   memmap ${command.name()}\n`);
      assert.ok(section !== undefined, command.name());
      const part = section.split(/\n {3}\S|\n\S/)[0].replaceAll(/\s+/g, ' ');
      const { examples, notes } = aboutOf(command);
      const said = [
        command.description(), ...command.options.flatMap(({ long, description }) => [long, description]), ...notes,
        ...command.registeredArguments.map(({ description }) => description), ...examples.flatMap(({ call, what }) => [call, what]),
      ];
      for (const words of said) assert.ok(part.includes(words.replaceAll(/\s+/g, ' ')), `${command.name()}: ${words}`);
    }
  });

  it('has every exit code, and what the environment changes', () => {
    for (const code of Object.values(EXIT)) assert.match(page, new RegExp(`^ {7}${code} +\\S`, 'm'));
    for (const name of ['NO_COLOR', 'FORCE_COLOR', 'COLUMNS']) assert.match(page, new RegExp(`^ {7}${name}$|^ {7}${name} `, 'm'));
  });

  it('shows what means something to roff as it is', () => {
    const words = `.TH is 'no' macro \\fB and "quoted" -- ^ ~ \` \\n(yr`;
    const other = newCommand('other').description(words).version('1').addCommand(newCommand('part').description(words).option('-x, --ex <a-b>', words));
    const unit = '[Unit]\nWants=a-b\n\n.conf\n\'x';
    describeCommand(other.commands[0], { examples: [], notes: [`A file:\n\n${unit}`] });
    const text = shown(file('other.1', manPageOf(other, '2026-01-02')));
    assert.equal(text.split(words).length, 5);
    assert.ok(text.includes(`\n${unit.replaceAll(/^(?=.)/gm, ' '.repeat(11))}\n`), text);
  });
});
