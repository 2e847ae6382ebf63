// memmap touch reads what is missing of files, with progress in a terminal, and can be interrupted:
// lib/cli/touch.ts, lib/cli/common/{batch,progress,targets,terminal,units}.ts.
import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { evictPages, memmap, readPages, startMemmap } from '../support/cli/cli.mjs';
import { AS_NOBODY, NOBODY, bytesRead, inTerminal } from '../support/cli/cli-runs.mjs';
import { counted, fincore, mincorePages } from '../support/cli/in-memory.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const PAGE = 4096;
const MIB = 2 ** 20;

const ESCAPE = String.fromCharCode(27);
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

/** What comes after the line of the bar was cleared, without what moves the cursor. */
function lastLine(output) {
  const cleared = `${ESCAPE}[2K`;
  const escapes = new RegExp(`${ESCAPE}(?:\\[[?0-9;]*[a-zA-Z]|[78])`, 'g');
  return output.split(cleared).at(-1).replaceAll(escapes, '').replaceAll('\r', '');
}

describe('memmap touch', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file of random bytes of which nothing is in memory. */
  function cold(name, length) {
    const path = file(name, Buffer.alloc(length, name));
    evictPages(path);
    assert.deepEqual(fincore([path]), [0]);
    return path;
  }

  describe('arguments', () => {
    for (const { what, args } of [
      { what: 'no path', args: [] },
      { what: 'a rate that is not a size', args: ['--rate', 'fast', '/etc/passwd'] },
      { what: 'a rate of nothing', args: ['--rate', '0', '/etc/passwd'] },
      { what: 'a range that is none', args: ['-p', '2M-1M', '/etc/passwd'] },
    ]) {
      it(`refuses ${what} with 2`, () => {
        const { status, stdout, stderr } = memmap(['touch', ...args]);
        assert.deepEqual([status, stdout], [2, '']);
        assert.match(stderr, /\S/);
      });
    }
  });

  describe('behaviour', () => {
    it('brings all of a file into memory, and says so in one line', () => {
      const path = cold('all', 3 * MIB + 5);
      const { status, stdout, stderr } = memmap(['touch', path]);
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^1 file, 3 MiB: 3 MiB read, 0 B already in memory, [\d.]+ m?s, [\d.]+ [KMG]iB\/s\n$/);
      assert.deepEqual(fincore([path]), [769]);
    });

    it('reads what is missing and nothing else', () => {
      const path = cold('missing', 512 * PAGE);
      readPages(path, [[0, 100], [200, 301]]);
      assert.equal(mincorePages(path), '1'.repeat(100) + '0'.repeat(100) + '1'.repeat(101) + '0'.repeat(211));
      // The first run has Node and the package itself in memory.
      memmap(['touch', '/etc/passwd']);
      assert.equal(bytesRead(['touch', path]), 311 * PAGE);
      assert.equal(mincorePages(path), '1'.repeat(512));
      assert.equal(bytesRead(['touch', path]), 0);
    });

    it('tells in JSON what was read and what was there', () => {
      const path = cold('json', 64 * PAGE);
      readPages(path, [[0, 16]]);
      const { status, stdout, stderr } = memmap(['touch', '--json', path]);
      const { seconds, ...rest } = JSON.parse(stdout);
      assert.deepEqual([status, stderr], [0, '']);
      assert.ok(seconds > 0);
      assert.deepEqual(rest, { files: 1, bytes: 64 * PAGE, read: 48 * PAGE, present: 16 * PAGE, holes: 0, failed: 0, interrupted: false });
    });

    it('touches the range only', () => {
      const path = cold('range', 64 * PAGE);
      const { status } = memmap(['touch', '-p', `${8 * PAGE}-${12 * PAGE}`, path]);
      assert.equal(status, 0);
      assert.equal(mincorePages(path), `${'0'.repeat(8)}1111${'0'.repeat(52)}`);
    });

    it('says nothing with --quiet', () => {
      assert.deepEqual(memmap(['touch', '-q', cold('quiet', PAGE)]), { status: 0, stdout: '', stderr: '' });
    });

    it('goes through directories, as vmtouch counts them', () => {
      mkdirSync(file('tree/a/b'), { recursive: true });
      for (let i = 0; i < 200; i++) writeFileSync(file(`tree/${i % 2 === 0 ? 'a' : 'a/b'}/${i}`), Buffer.alloc(i * 100));
      memmap(['evict', '--sync', file('tree')]);
      assert.equal(counted([file('tree')]).resident, 0);
      assert.match(memmap(['touch', file('tree')]).stdout, /^200 files, 1\.9 MiB: /);
      const { files, resident, pages } = counted([file('tree')]);
      assert.deepEqual([files, resident], [200, pages]);
    });

    it('counts a file with several names once, or with -H by each', () => {
      mkdirSync(file('names/b'), { recursive: true });
      const outside = file('outside', Buffer.alloc(5 * MIB));
      writeFileSync(file('names/one'), 'x'.repeat(100));
      for (const other of ['names/two', 'names/b/three']) linkSync(file('names/one'), file(other));
      for (const other of ['names/large', 'names/b/large']) linkSync(outside, file(other));
      symlinkSync('../one', file('names/b/link'));
      const sums = (...args) => {
        const { files, bytes, read, present } = JSON.parse(memmap(['touch', '--json', ...args]).stdout);
        assert.equal(read + present, bytes);
        return [files, bytes];
      };
      assert.deepEqual(sums(file('names')), [2, 5 * MIB + 100]);
      assert.deepEqual(sums(outside, file('names'), file('names/b')), [2, 5 * MIB + 100]);
      assert.deepEqual(sums('-f', file('names')), [2, 5 * MIB + 100]);
      assert.deepEqual(sums('-F', file('names')), [2, 5 * MIB + 100]);
      assert.deepEqual(sums('-m', '1M', file('names')), [1, 100]);
      assert.deepEqual(sums('-p', '200-', file('names')), [1, 5 * MIB - 200]);
      assert.deepEqual(sums('-p', '0-200', file('names')), [2, 300]);
      assert.deepEqual(sums('-H', file('names')), [5, 10 * MIB + 300]);
      assert.match(inTerminal(['touch', file('names')]).output, /2 files, 5 MiB: /);
    });

    it('fails once of a file with several names', () => {
      mkdirSync(file('closed-names'), { recursive: true });
      const path = file('closed-names/one', 'x');
      linkSync(path, file('closed-names/two'));
      for (const [name, mode] of [[dirname(dirname(path)), 0o755], [dirname(path), 0o755], [path, 0]]) chmodSync(name, mode);
      const { status, stderr } = memmap(['touch', dirname(path)], NOBODY);
      assert.equal(status, 1);
      assert.match(stderr, /^memmap: .*EACCES.*\n$/);
    });

    it('tells of each file that fails, touches the others, and ends with 1', () => {
      const closed = cold('closed', PAGE);
      const open = cold('open', PAGE);
      chmodSync(dirname(open), 0o755);
      chmodSync(closed, 0);
      const { status, stdout, stderr } = memmap(['touch', closed, file('absent'), open], NOBODY);
      assert.equal(status, 1);
      assert.match(stderr, /^memmap: .*absent: .*ENOENT.*\nmemmap: .*closed: .*EACCES.*\n$/);
      assert.match(stdout, /^1 file, 4 KiB: .*; 2 failed\n$/);
      assert.deepEqual(fincore([closed, open]), [0, 1]);
    });

    it('reads no faster than it may', () => {
      const path = cold('rate', 4 * MIB);
      const { stdout } = memmap(['touch', '--json', '--rate', '4M', path]);
      const { seconds, read } = JSON.parse(stdout);
      assert.equal(read, 4 * MIB);
      assert.ok(seconds >= 0.8, `${seconds} s`);
    });
  });

  describe('interrupted', () => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
      it(`stops at ${signal}, tells what was done, and ends with 130`, async () => {
        const path = cold(signal, 64 * MIB);
        const { child, ended } = startMemmap(['touch', '--rate', '8M', path]);
        // It reads a tenth of a second's worth at a time: the first is over, and counted.
        await until(() => fincore([path])[0] > MIB / PAGE, 'some of it is read');
        child.kill(signal);
        const { code, stdout, stderr } = await ended;
        assert.deepEqual([code, stderr], [130, '']);
        assert.match(stdout, /^interrupted: 0 of 1 file, [\d.]+ [KM]iB: .*\n$/);
        assert.ok(fincore([path])[0] < (64 * MIB) / PAGE);
      });
    }

    it('ends at a second signal, too', async () => {
      const { child, ended } = startMemmap(['touch', '--rate', '8M', cold('twice', 64 * MIB)]);
      await until(() => fincore([file('twice')])[0] > 0, 'some of it is read');
      child.kill('SIGINT');
      child.kill('SIGINT');
      const { code, signal } = await ended;
      assert.ok(code === 130 || signal === 'SIGINT', `${code} ${signal}`);
    });
  });

  describe('in a terminal', () => {
    it('shows a bar with throughput and time left, and takes it away', () => {
      const { output, status } = inTerminal(['touch', '--rate', '4M', cold('bar', 6 * MIB)]);
      assert.equal(status, 0);
      assert.match(output, /reading █+░+ [\d.]+ [KM]iB of 6 MiB, [\d.]+ [KM]iB\/s, [\d.]+ m?s left/);
      assert.ok(output.indexOf(HIDE_CURSOR) < output.lastIndexOf(SHOW_CURSOR), 'the cursor is back');
      assert.match(lastLine(output), /^1 file, 6 MiB: 6 MiB read, [^█]*\n$/);
    });

    it('shows none for what is done at once', () => {
      const { output } = inTerminal(['touch', cold('soon', PAGE)]);
      assert.ok(!output.includes('█') && !output.includes(HIDE_CURSOR), output);
    });

    it('takes the bar away and shows the cursor at Ctrl+C', () => {
      const { output, status } = inTerminal(['touch', '--rate', '4M', cold('ctrl-c', 32 * MIB)], { marker: '█' });
      assert.equal(status, 130);
      assert.ok(output.indexOf(HIDE_CURSOR) < output.lastIndexOf(SHOW_CURSOR), 'the cursor is back');
      assert.match(output.slice(output.lastIndexOf(SHOW_CURSOR)), /interrupted: 0 of 1 file, /);
    });

    it('shows the cursor at once, whatever a second Ctrl+C cuts short', () => {
      const { output } = inTerminal(['touch', '--rate', '4M', cold('ctrl-c-twice', 32 * MIB)], { marker: '█', interrupts: 2 });
      assert.ok(output.indexOf(HIDE_CURSOR) < output.lastIndexOf(SHOW_CURSOR), 'the cursor is back');
    });

    it('makes room for what fails', () => {
      const [readable, closed] = [cold('readable', 4 * MIB), cold('forbidden', PAGE)];
      chmodSync(dirname(closed), 0o755);
      chmodSync(closed, 0);
      const { output } = inTerminal(['touch', '--rate', '4M', readable, closed], { as: AS_NOBODY });
      const [before, after] = output.split('memmap: ');
      assert.match(before, /█/);
      assert.equal(lastLine(before), '');
      assert.match(after, /^\S+forbidden: EACCES.*\r\n/);
    });
  });
});
