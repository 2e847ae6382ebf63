// The commands take, find, show and record names that are not UTF-8, and names that would control a terminal:
// lib/cli/common/{names,terminal,targets}.ts, lib/cli/dump/file.ts, lib/cli/lock/pid-file.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { MEMMAP, evictPages } from '../../support/cli/cli.mjs';
import { programInTerminal } from '../../support/cli/cli-runs.mjs';
import { pythonCommand } from '../../support/process/program.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const latin1 = (text) => Buffer.from(text, 'latin1');

/** Runs a program whose arguments are given in hexadecimal digits. */
const RUN_BYTES = `
words = [bytes.fromhex(word) for word in sys.argv[1:]]
os.execv(words[0], words)`;

/** The bytes, and how ls(1) quotes them. */
const NAMES = [
  { name: latin1('x\xff'), shown: String.raw`'x'$'\377'` },
  { name: latin1('\xffx'), shown: String.raw`''$'\377''x'` },
  { name: latin1('a\xff\xfeb\n'), shown: String.raw`'a'$'\377\376''b'$'\n'` },
  { name: Buffer.from('\u001b[31mred'), shown: String.raw`''$'\033''[31mred'` },
  { name: Buffer.from("it's\u0085\t"), shown: String.raw`'it'\''s'$'\302\205\t'` },
  { name: latin1('half \xc3(\xe2\x82 \xed\xa0\x80'), shown: String.raw`'half '$'\303''('$'\342\202'' '$'\355\240\200'` },
  { name: Buffer.from('\u202efdp.txt'), shown: String.raw`''$'\342\200\256''fdp.txt'` },
];
const PLAIN = ['plain', 'ä€😀 b', "it's", 'real\ufffd'].map((name) => ({ name: Buffer.from(name), shown: name }));

describe('names of files in the commands', function () {
  this.timeout(60_000);
  const file = temporaryFiles();
  const folder = () => file('names');
  const pathOf = (name) => Buffer.concat([Buffer.from(`${folder()}/`), name]);

  beforeEach(() => {
    rmSync(folder(), { recursive: true, force: true });
    mkdirSync(folder());
    for (const { name } of [...NAMES, ...PLAIN]) writeFileSync(pathOf(name), 'four');
  });

  const words = (args) => [process.execPath, MEMMAP, ...args].map((word) => Buffer.from(word).toString('hex'));

  /** Runs the command; arguments may be bytes. Output is bytes. */
  function run(args, options = {}) {
    const [python, ...rest] = pythonCommand(RUN_BYTES, words(args));
    const { status, stdout, stderr } = spawnSync(python, rest, { env: { ...process.env, NO_COLOR: '1' }, ...options });
    return { status, stdout, stderr };
  }

  const json = (args, options) => {
    const { stdout, stderr } = run(args, options);
    assert.equal(stderr.toString(), '');
    return JSON.parse(stdout);
  };

  it('touch, evict and presence take such names as arguments', () => {
    const paths = [...NAMES, ...PLAIN].map(({ name }) => pathOf(name));
    const bytes = 4 * paths.length;
    assert.deepEqual([json(['touch', '--json', ...paths])].map(({ files, bytes: sum, failed }) => [files, sum, failed]), [[paths.length, bytes, 0]]);
    assert.equal(json(['evict', '--json', ...paths]).files, paths.length);
    const { files } = json(['presence', '--json', ...paths]);
    assert.deepEqual(files.map(({ path, pathBytes }) => (pathBytes === undefined ? Buffer.from(path) : Buffer.from(pathBytes, 'base64'))), paths);
    assert.deepEqual(files.map(({ path }) => path), paths.map(String));
    assert.equal(files.filter(({ pathBytes }) => pathBytes === undefined).length, PLAIN.length + NAMES.filter(({ name }) => !name.toString().includes('\ufffd')).length);
  });

  it('directories are searched for them, below such a name too', () => {
    const below = pathOf(latin1('dir\xfe'));
    mkdirSync(below);
    writeFileSync(Buffer.concat([below, latin1('/in\xff')]), 'four');
    const found = json(['presence', '--json', folder()]).files.map(({ path, pathBytes }) => Buffer.from(pathBytes ?? path, pathBytes === undefined ? 'utf8' : 'base64').toString('latin1'));
    const listed = execFileSync('find', [folder(), '-type', 'f', '-print0'], { encoding: 'latin1' }).split('\0').slice(0, -1);
    assert.deepEqual(found.toSorted(), listed.toSorted());
    assert.equal(json(['touch', '--json', below]).files, 1);
    assert.equal(json(['touch', '--json', folder(), '-i', latin1('x\xff')]).files, listed.length - 1);
  });

  it('lists have them', () => {
    const paths = NAMES.map(({ name }) => pathOf(name));
    const input = Buffer.concat(paths.flatMap((path) => [path, Buffer.of(0)]));
    assert.equal(json(['touch', '--json', '-0', '-b', '-'], { input }).files, paths.length);
  });

  it('a name with a replacement character is not taken for the one without', () => {
    rmSync(pathOf(NAMES[0].name));
    const { status, stderr } = run(['touch', '-q', pathOf(NAMES[0].name), pathOf(Buffer.from('real\ufffd'))]);
    assert.equal(status, 1);
    assert.deepEqual(stderr, Buffer.concat([Buffer.from('memmap: '), pathOf(NAMES[0].name), Buffer.from(': ENOENT: no such file or directory, stat\n')]));
  });

  it('in a pipe the bytes are as they are', () => {
    const all = [...NAMES, ...PLAIN].map(({ name }) => pathOf(name));
    const { stdout } = run(['presence', ...all]);
    for (const path of all) assert.ok(stdout.includes(Buffer.concat([path, Buffer.from('\n')])), path.toString());
    const { stdout: places } = run(['doctor', '-v', ...all]);
    for (const path of all) assert.ok(places.includes(path.subarray(0, path.includes(10) ? path.indexOf(10) : undefined)), path.toString());
  });

  it('on a terminal they are quoted, also in failures', () => {
    const runThere = (args) => programInTerminal(pythonCommand(RUN_BYTES, words(args)));
    const all = NAMES.map(({ name }) => pathOf(name));
    const quotedPaths = NAMES.map(({ shown }) => shown.replace("'", `'${folder()}/`));
    const present = runThere(['presence', ...all, ...PLAIN.map(({ name }) => pathOf(name))]).output;
    for (const path of quotedPaths) assert.ok(present.includes(path), `${JSON.stringify(present)} ${path}`);
    for (const { name } of PLAIN) assert.ok(present.includes(String(pathOf(name))), name.toString());
    for (const path of all) rmSync(path);
    for (const command of ['presence', 'touch', 'evict', 'dump']) {
      const { output } = runThere([command, ...all]);
      for (const path of quotedPaths) assert.ok(output.includes(`memmap: ${path}: ENOENT: no such file or directory, stat\r\n`), JSON.stringify(output));
      assert.ok(!output.includes('\u001b[31mred') && !output.includes('\u202e'));
    }
  });

  it('a dump and its restore keep the bytes', () => {
    const target = pathOf(latin1('out\xfe.dump'));
    for (const { name } of NAMES) readFileSync(pathOf(name));
    const { status } = run(['dump', '-q', '-o', target, ...NAMES.map(({ name }) => pathOf(name))]);
    assert.equal(status, 0);
    const lines = readFileSync(target, 'utf8').trim().split('\n').slice(1, -1).map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ path, pathBytes }) => Buffer.from(pathBytes ?? path, pathBytes === undefined ? 'utf8' : 'base64')), NAMES.map(({ name }) => pathOf(name)));
    evictPages(file('names/plain'));
    rmSync(pathOf(NAMES[0].name));
    const { files, gone, failed } = JSON.parse(run(['restore', '--json', target]).stdout);
    assert.deepEqual([files, failed], [NAMES.length - 1, 0]);
    assert.deepEqual(gone, [{ path: pathOf(NAMES[0].name).toString(), pathBytes: pathOf(NAMES[0].name).toString('base64') }]);
    const damaged = file('damaged.dump', readFileSync(target, 'utf8').replace(/"pathBytes":"[^"]*"/, '"pathBytes":"AAAA"'));
    assert.match(run(['restore', damaged]).stderr.toString(), /line 2 is damaged/);
  });

  it('pictures are written to such names, and show them', () => {
    for (const kind of ['png', 'svg', 'html']) {
      const target = pathOf(latin1(`picture\xff.${kind}`));
      assert.equal(run(['presence', `--${kind}`, target, pathOf(NAMES[0].name)]).status, 0);
      assert.ok(existsSync(target));
      if (kind !== 'png') assert.ok(readFileSync(target, 'utf8').includes(kind === 'svg' ? String.raw`/x\377` : String.raw`/x\\377`));
    }
    assert.deepEqual(readdirSync(folder()).filter((name) => name.includes('.part')), []);
  });
});
