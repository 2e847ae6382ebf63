// memmap dump and restore bring back the same pages, and survive changed files and damaged dumps:
// lib/cli/dump/{dump,file,restore}.ts.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { evictPages, memmap, readPages, startMemmap } from '../../support/cli/cli.mjs';
import { NOBODY, bytesRead } from '../../support/cli/cli-runs.mjs';
import { counted, fincore, mincorePages } from '../../support/cli/in-memory.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const PAGE = 4096;
const MIB = 2 ** 20;

describe('memmap dump and restore', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file with these pages in memory: [first, last) pairs. */
  function cached(name, pages, pairs) {
    const path = file(name, Buffer.alloc(pages * PAGE, name));
    evictPages(path);
    if (pairs.length > 0) readPages(path, pairs);
    return path;
  }

  function dumped(name, args) {
    const { status, stderr } = memmap(['dump', '-q', ...args, '-o', file(name)]);
    assert.deepEqual([status, stderr], [0, '']);
    return file(name);
  }

  describe('behaviour', () => {
    it('brings back the same pages, and reads no others', () => {
      const paths = [cached('a', 200, [[0, 3], [50, 51], [60, 130]]), cached('b', 64, [[63, 64]]), cached('c', 9, [])];
      const before = paths.map(mincorePages);
      const counts = [fincore(paths), counted(paths).resident];
      const dump = dumped('same.dump', paths);
      // The first run has Node and the package itself in memory.
      memmap(['restore', dump]);
      paths.forEach((path) => evictPages(path));
      assert.equal(counted(paths).resident, 0);
      assert.equal(bytesRead(['restore', dump]), 75 * PAGE);
      assert.deepEqual(paths.map(mincorePages), before);
      assert.deepEqual([fincore(paths), counted(paths).resident], counts);
    });

    it('tells what was read and what was there', () => {
      const path = cached('told', 64, [[0, 40]]);
      const dump = dumped('told.dump', [path]);
      evictPages(path);
      readPages(path, [[0, 10]]);
      const { status, stdout, stderr } = memmap(['restore', dump]);
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^1 file: 120 KiB read, 40 KiB already in memory, [\d.]+ m?s, .*\/s\n$/);
      const { seconds, ...rest } = JSON.parse(memmap(['restore', '--json', dump]).stdout);
      assert.ok(seconds > 0);
      assert.deepEqual(rest, { files: 1, read: 0, present: 40 * PAGE, lost: 0, changed: [], gone: [], failed: 0, interrupted: false });
    });

    it('goes through pipes', () => {
      const path = cached('piped', 32, [[4, 8]]);
      const { status, stdout, stderr } = memmap(['dump', path]);
      assert.equal(status, 0);
      assert.match(stderr, /^1 file, 1 of them with 16 KiB in memory, [\d.]+ m?s\n$/);
      evictPages(path);
      assert.equal(memmap(['restore'], { input: stdout }).status, 0);
      assert.equal(mincorePages(path), `00001111${'0'.repeat(24)}`);
    });

    it('dumps the range only', () => {
      const path = cached('range', 32, [[0, 32]]);
      const dump = dumped('range.dump', ['-p', `${2 * PAGE}-${6 * PAGE}`, path]);
      evictPages(path);
      memmap(['restore', dump]);
      assert.equal(mincorePages(path), `001111${'0'.repeat(26)}`);
    });

    it('restores no faster than it may', () => {
      const path = cached('rate', 1024, [[0, 400], [500, 1024]]);
      const dump = dumped('rate.dump', [path]);
      // Not what was made: the kernel may have needed a page for something else.
      const { runs } = JSON.parse(readFileSync(dump, 'utf8').split('\n')[1]);
      const wanted = runs.reduce((sum, { length }) => sum + length, 0);
      assert.ok(wanted > 3_000_000);
      evictPages(path);
      const { seconds, read } = JSON.parse(memmap(['restore', '--json', '--rate', '4M', dump]).stdout);
      assert.equal(read, wanted);
      assert.ok(seconds >= wanted / (4 * MIB), `${seconds} s`);
    });

    it('does many files', () => {
      mkdirSync(file('many'), { recursive: true });
      for (let i = 0; i < 2000; i++) writeFileSync(file(`many/${i}`), `${i}`);
      const dump = dumped('many.dump', [file('many')]);
      memmap(['evict', '--sync', file('many')]);
      assert.equal(counted([file('many')]).resident, 0);
      assert.match(memmap(['restore', dump]).stdout, /^2,000 files: /);
      assert.equal(counted([file('many')]).resident, 2000);
    });
  });

  describe('the file', () => {
    it('is whole, or what it was before', async () => {
      const path = cached('whole', 8, [[0, 8]]);
      const dump = file('whole.dump', 'as it was');
      const { child, ended } = startMemmap(['dump', '/usr', path, '-o', dump]);
      await until(() => readdirSync(dirname(dump)).some((name) => /^whole\.dump\.\d+\.part$/.test(name)), 'it is written');
      child.kill('SIGINT');
      const { code, stdout } = await ended;
      assert.equal(code, 130);
      assert.match(stdout, /^interrupted: .*; no dump was written\n$/);
      assert.equal(readFileSync(dump, 'utf8'), 'as it was');
      assert.deepEqual(readdirSync(dirname(dump)).filter((name) => name.startsWith('whole.dump')), ['whole.dump']);
    });

    it('leaves a symbolic link to it in place', () => {
      const path = cached('linked', 8, [[0, 8]]);
      file('real.dump', '');
      symlinkSync(file('real.dump'), file('link.dump'));
      memmap(['dump', '-q', path, '-o', file('link.dump')]);
      assert.match(readFileSync(file('real.dump'), 'utf8'), /"files":1/);
    });

    it('may be something that is not a file', () => {
      assert.equal(memmap(['dump', '-q', cached('null', 1, []), '-o', '/dev/null']).status, 0);
      assert.deepEqual(readdirSync('/dev').filter((name) => name.startsWith('null')), ['null']);
    });

    it('cannot be standard output if the summary is', () => {
      assert.equal(memmap(['dump', '--json', '/etc/passwd']).status, 2);
    });
  });

  describe('files that have changed', () => {
    it('are reported, and what is left of them is restored', () => {
      const [longer, shorter, gone, same] = ['longer', 'shorter', 'gone', 'same'].map((name) => cached(name, 16, [[2, 12]]));
      const dump = dumped('changed.dump', [longer, shorter, gone, same]);
      appendFileSync(longer, 'more');
      truncateSync(shorter, 8 * PAGE);
      rmSync(gone);
      for (const path of [longer, shorter, same]) evictPages(path);
      const { status, stdout, stderr } = memmap(['restore', dump]);
      assert.equal(status, 0);
      assert.deepEqual(stderr.split('\n').toSorted(), [
        '',
        `${gone}: the file no longer exists`,
        `${longer}: the file has changed since the dump`,
        `${shorter}: the file has changed since the dump, and no longer has 16 KiB that were in memory`,
      ]);
      assert.match(stdout, /^3 files: 104 KiB read, .*; 2 changed, 1 gone\n$/);
      assert.equal(mincorePages(longer), `00${'1'.repeat(10)}00000`);
      assert.equal(mincorePages(shorter), '00111111');
      assert.equal(mincorePages(same), `00${'1'.repeat(10)}0000`);
      const { changed, gone: lost } = JSON.parse(memmap(['restore', '--json', dump]).stdout);
      assert.deepEqual([changed.toSorted(), lost], [[longer, shorter].toSorted(), [gone]]);
    });

    it('fail if they may not be read any more, and the others are restored', () => {
      const [closed, open] = ['closed', 'open'].map((name) => cached(name, 4, [[0, 4]]));
      const dump = dumped('closed.dump', [closed, open]);
      chmodSync(dirname(dump), 0o755);
      chmodSync(closed, 0);
      evictPages(open);
      const { status, stdout, stderr } = memmap(['restore', dump], NOBODY);
      assert.equal(status, 1);
      assert.match(stderr, /^memmap: .*closed: EACCES.*\n$/);
      assert.match(stdout, /; 1 failed\n$/);
      assert.deepEqual(fincore([open]), [4]);
    });

    it('of others are no part of a dump, and fail', () => {
      const path = cached('secret', 4, [[0, 4]]);
      chmodSync(dirname(path), 0o755);
      const { status, stdout, stderr } = memmap(['dump', path], NOBODY);
      assert.equal(status, 1);
      assert.match(stderr, /secret: .*does not report/);
      assert.match(stdout, /"files":0/);
    });
  });

  describe('a damaged dump restores nothing', () => {
    let path;
    let lines;
    before(() => {
      path = cached('damaged', 8, [[0, 8]]);
      lines = memmap(['dump', '-q', path]).stdout.trimEnd().split('\n');
      evictPages(path);
    });

    const record = (change) => () => [lines[0], JSON.stringify({ ...JSON.parse(lines[1]), ...change }), lines[2]];
    for (const [what, make, says] of [
      ['nothing', () => [], /is empty/],
      ['something else', () => ['<html>'], /it is not a dump of memmap/],
      ['JSON of something else', () => ['{"version":1}'], /it is not a dump of memmap/],
      ['a later version', () => ['{"format":"memmap-dump","version":2}', ...lines.slice(1)], /has version 2, but this version of memmap supports 1/],
      ['no end', () => lines.slice(0, 2), /the end is missing, after line 2/],
      ['half a line', () => [...lines.slice(0, 1), lines[1].slice(0, 40)], /line 2 is damaged/],
      ['a line too few', () => [lines[0], lines[2]], /has 0 files, but its last line says 1/],
      ['lines after the end', () => [...lines, lines[1]], /line 4 comes after the end/],
      ['a relative path', record({ path: 'x' }), /line 2 is damaged/],
      ['no size', record({ size: 'large' }), /line 2 is damaged/],
      ['no runs', record({ runs: null }), /line 2 is damaged/],
      ['a run past the end', record({ runs: [{ offset: 0, length: 9 * PAGE }] }), /line 2 is damaged/],
      ['runs that overlap', record({ runs: [{ offset: 0, length: 2 * PAGE }, { offset: PAGE, length: PAGE }] }), /line 2 is damaged/],
    ]) {
      it(`such as ${what}`, () => {
        const text = make();
        // A good line before: not even that is restored.
        const broken = file('broken.dump', text.map((line) => `${line}\n`).join(''));
        const { status, stdout, stderr } = memmap(['restore', broken]);
        assert.deepEqual([status, stdout], [1, '']);
        assert.match(stderr, says);
        assert.match(stderr, /Nothing was restored\n$/);
        assert.deepEqual(fincore([path]), [0]);
      });
    }

    it('such as none', () => {
      const { status, stderr } = memmap(['restore', file('absent.dump')]);
      assert.equal(status, 1);
      assert.match(stderr, /ENOENT.*absent\.dump/);
    });
  });

  it('stops at SIGINT, tells what was done, and ends with 130', async () => {
    const path = cached('stopped', (32 * MIB) / PAGE, []);
    readFileSync(path);
    const dump = dumped('stopped.dump', [path]);
    evictPages(path);
    const { child, ended } = startMemmap(['restore', '--rate', '4M', dump]);
    await until(() => fincore([path])[0] > 0, 'some of it is read');
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    assert.deepEqual([code, stderr], [130, '']);
    assert.match(stdout, /^interrupted: 0 of 1 file: /);
    assert.ok(fincore([path])[0] < (32 * MIB) / PAGE);
  });
});
