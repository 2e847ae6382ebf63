// memmap bench: figures of all workloads, and nothing left behind: lib/cli/bench/{bench,workloads,peer}.ts.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { memmap, startMemmap } from '../../support/cli/cli.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

describe('memmap bench', function () {
  this.timeout(120_000);
  const file = temporaryFiles();

  /** A directory for temporary files, with nothing in it. */
  function emptyDirectory(name) {
    const path = file(name);
    mkdirSync(path);
    return path;
  }

  it('tells of the machine, and of all questions, and leaves nothing behind', () => {
    const directory = emptyDirectory('table');
    const { status, stdout, stderr } = memmap(['bench'], { env: { TMPDIR: directory } });
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(stdout.includes(`Linux ${release()}; Node ${process.version}`));
    assert.match(stdout, /^128 MiB on \w+$/m);
    assert.match(stdout, /^open, read a byte +\d[\d.]* (ns|us|ms|s) +\d[\d.]* (ns|us|ms|s) +\d[\d.]* times$/m);
    for (const name of ['mapFile', 'fs.readSync', 'writeSync, fdatasync', 'Channel', 'worker.postMessage', 'residencyOf']) assert.ok(stdout.includes(name), name);
    for (const line of stdout.split('\n').slice(3)) assert.ok(line.length <= 80, line);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('reads a file of yours, does not change it, writes beside it, and has figures for programs', () => {
    const directory = emptyDirectory('data');
    const path = `${directory}/data.txt`;
    const text = 'a line\n'.repeat(10_001);
    writeFileSync(path, text);
    const { status, stdout, stderr } = memmap(['bench', '--json', '--file', path], { env: { TMPDIR: '/nowhere' } });
    assert.deepEqual([status, stderr], [0, '']);
    const { machine, results } = JSON.parse(stdout);
    assert.deepEqual([machine.file.path, machine.file.size, machine.kernel, machine.node], [path, text.length, release(), process.version]);
    assert.equal(results.length, 7);
    for (const { title, rounds, memmap: ours, node, ratio } of results) {
      assert.ok(rounds >= 3 && ours.nanoseconds > 0 && ours.name !== '', title);
      if (title !== 'which pages are in memory') assert.ok(node.nanoseconds > 0 && ratio > 0, title);
      else assert.deepEqual([node, ratio], [undefined, undefined]);
    }
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.deepEqual(readdirSync(directory), ['data.txt']);
  });

  for (const signal of ['SIGINT', 'SIGTERM']) {
    it(`${signal} ends it with 130, and nothing is left behind`, async () => {
      const directory = emptyDirectory(signal);
      const { child, ended } = startMemmap(['bench'], { env: { TMPDIR: directory } });
      await until(() => readdirSync(directory).length > 0 && readdirSync(directory, { recursive: true }).some((name) => name.endsWith('written.bin')), 'bench writes', 90);
      child.kill(signal);
      const { code, stderr } = await ended;
      assert.deepEqual([code, stderr], [130, '']);
      assert.deepEqual(readdirSync(directory), []);
    });
  }

  it('refuses what it cannot read: exits 2, or 1 if there is no such file', () => {
    const directory = emptyDirectory('refused');
    const huge = file('huge', '');
    truncateSync(huge, 2 ** 30 + 1);
    const cases = [[file('small', 'x'), 2, /has 1 B: it must have at least 4(\.00)? KiB/], [directory, 2, /is not a file/], [huge, 2, /at most 1(\.00)? GiB/], [file('none'), 1, /ENOENT/]];
    for (const [path, code, message] of cases) {
      const { status, stdout, stderr } = memmap(['bench', '--file', path]);
      assert.deepEqual([status, stdout], [code, ''], path);
      assert.match(stderr, message);
    }
  });
});
