// memmap evict pushes pages of files out, and says which stay and why: lib/cli/evict.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MEMMAP, cachestat, evictPages, memmap, readPages } from '../support/cli/cli.mjs';
import { NOBODY, bytesRead } from '../support/cli/cli-runs.mjs';
import { counted, fincore, mincorePages } from '../support/cli/in-memory.mjs';
import { compiled, python, runPython } from '../support/process/program.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const PAGE = 4096;

describe('memmap evict', function () {
  despiteReclaim(this);
  const file = temporaryFiles();
  const withoutCalls = compiled(readFileSync(new URL('../fixtures/kernel/without-calls.c', import.meta.url), 'utf8'));

  /** On the disk, and of it these pages in memory: [first, last) pairs. */
  function clean(name, pages, pairs = [[0, pages]]) {
    const path = file(name, Buffer.alloc(pages * PAGE, name));
    evictPages(path);
    readPages(path, pairs);
    return path;
  }

  /** Changes these pages, and leaves them to the kernel to write. */
  function change(path, pages) {
    runPython('fd = os.open(sys.argv[1], os.O_RDWR)\nfor page in sys.argv[2:]: os.pwrite(fd, b"changed", int(page) * 4096)', [path, ...pages]);
  }

  /** What another process maps, and has touched. */
  async function held(path, act) {
    const { child, ended, output } = python('fd = os.open(sys.argv[1], os.O_RDONLY)\nm = mmap.mmap(fd, 0, prot=mmap.PROT_READ)\nsum(m[i] for i in range(0, len(m), 4096))\nprint("held", flush=True)\nsys.stdin.read()', [path]);
    await until(() => output() !== '', 'it is held');
    try {
      return act();
    } finally {
      child.stdin.end();
      await ended;
    }
  }

  describe('arguments', () => {
    it('refuses no path with 2', () => {
      assert.equal(memmap(['evict']).status, 2);
    });
  });

  describe('behaviour', () => {
    it('pushes all of a file out, and says how much went', () => {
      const path = clean('all', 96, [[3, 50]]);
      const { status, stdout, stderr } = memmap(['evict', path]);
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^1 file: 188 KiB of 188 KiB freed, [\d.]+ m?s\n$/);
      assert.deepEqual(fincore([path]), [0]);
      assert.equal(counted([path]).resident, 0);
    });

    it('reads nothing in on the way', () => {
      const path = clean('holes', 96, [[3, 5], [90, 91]]);
      // The first run has Node and the package itself in memory.
      memmap(['evict', '/etc/passwd']);
      assert.equal(bytesRead(['evict', path]), 0);
      assert.deepEqual(fincore([path]), [0]);
    });

    it('pushes the range out only', () => {
      const path = clean('range', 32);
      memmap(['evict', '-p', `${4 * PAGE}-${8 * PAGE}`, path]);
      assert.equal(mincorePages(path), `11110000${'1'.repeat(24)}`);
    });

    it('pushes pages out that the range has a part of', () => {
      const path = clean('parts', 16);
      memmap(['evict', '-p', `${4 * PAGE + 100}-${8 * PAGE + 1}`, path]);
      assert.equal(mincorePages(path), `111100000${'1'.repeat(7)}`);
      const short = file('short', Buffer.alloc(2 * PAGE + 10, 1));
      evictPages(short);
      readPages(short, [[0, 3]]);
      memmap(['evict', short]);
      assert.equal(mincorePages(short), '000');
    });

    it('tells what stays of pieces that reach out of the range', () => {
      const [first, end, pages] = [1001, 3003, 4096];
      const path = file('pieces', Buffer.alloc(pages * PAGE, 1));
      evictPages(path);
      execFileSync('dd', [`if=${path}`, 'of=/dev/null', 'bs=64K', 'status=none']); // in folios as large as the file system has them
      const evict = (...flags) => memmap(['evict', ...flags, '-p', `${first * PAGE}-${end * PAGE}`, path]).stdout;
      const { freed, stayed } = JSON.parse(evict('--json'));
      const left = mincorePages(path);
      assert.equal(freed, left.replaceAll('1', '').length * PAGE);
      assert.deepEqual(stayed, { unwritten: 0, inUse: (end - first) * PAGE - freed });
      assert.ok(freed > 0 && !left.slice(0, first).includes('0') && !left.slice(end).includes('0'));
      assert.equal(evict().includes('in a large folio that reaches past the range'), stayed.inUse > 0);
    });

    it('leaves changed pages, writes none of them, and says so', function () {
      const path = clean('changed', 64);
      if (cachestat(path) === null) this.skip();
      change(path, [7, 8, 60]);
      const { status, stdout } = memmap(['evict', path]);
      assert.equal(status, 0);
      assert.match(stdout, /^1 file: 244 KiB of 256 KiB freed, .*\n3 pages stayed: 3 changed and not yet written \(--sync writes them\)\n$/);
      const [cached, dirty, writeback] = cachestat(path);
      assert.deepEqual([cached, dirty, writeback], [3, 3, 0]);
    });

    it('writes changed pages with --sync, and then all goes', () => {
      const path = clean('synced', 64);
      change(path, [7, 8, 60]);
      const { status, stdout } = memmap(['evict', '--sync', path]);
      assert.equal(status, 0);
      assert.match(stdout, /^1 file: 256 KiB of 256 KiB freed, [\d.]+ m?s\n$/);
      assert.deepEqual(fincore([path]), [0]);
      assert.equal(runPython('print(open(sys.argv[1], "rb").read()[7 * 4096:][:7])', [path]).trim(), "b'changed'");
    });

    for (const flags of [[], ['--sync']]) {
      it(`tells of pages that another process uses ${flags.join('')}`, async () => {
        const path = clean(`used${flags.join('')}`, 16);
        await held(path, () => {
          const { status, stdout } = memmap(['evict', ...flags, path]);
          assert.equal(status, 0);
          assert.match(stdout, /^1 file: 0 B of 64 KiB freed, .*\n16 pages stayed: 16 in use: /);
          assert.deepEqual(fincore([path]), [16]);
        });
      });
    }

    it('does not claim that what is on tmpfs went', () => {
      const directory = mkdtempSync('/dev/shm/memmap-evict-');
      try {
        writeFileSync(join(directory, 'kept'), Buffer.alloc(8 * PAGE, 1));
        const { freed, bytesBefore } = JSON.parse(memmap(['evict', '--json', directory]).stdout);
        assert.deepEqual([freed, bytesBefore], [0, 8 * PAGE]);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

    it('pushes out files of others that may be read, and claims nothing of them', () => {
      const path = clean('others', 8);
      const writable = clean('writable', 8);
      chmodSync(dirname(path), 0o755);
      chmodSync(path, 0o644);
      chmodSync(writable, 0o666);
      const { status, stdout, stderr } = memmap(['evict', path, writable], NOBODY);
      assert.deepEqual([status, stderr], [0, '']);
      if (stdout.includes('unknown')) {
        assert.match(stdout, /^2 files: 32 KiB of 32 KiB freed, .*\n1 file unknown: .* own the file or may write to it\n$/);
      } else {
        // Linux 6.5 to 6.13 tell everybody.
        assert.match(stdout, /^2 files: 64 KiB of 64 KiB freed, [\d.]+ m?s\n$/);
      }
      assert.deepEqual(fincore([path, writable]), [0, 0]);
    });

    it('fails on files of others that may not be read, whose pages stay, and does the rest', () => {
      const path = clean('secret', 8);
      const own = clean('own', 8);
      chmodSync(dirname(path), 0o755);
      chmodSync(path, 0o600);
      chmodSync(own, 0o666);
      const { status, stdout, stderr } = memmap(['evict', path, own], NOBODY);
      assert.equal(status, 1);
      assert.match(stderr, /^memmap: .*secret: EACCES: .*\n$/);
      assert.match(stdout, /^1 file: 32 KiB of 32 KiB freed, .*; 1 failed\n$/);
      assert.deepEqual(fincore([path, own]), [8, 0]);
    });

    for (const [name, errno] of [['before Linux 6.5', 38], ['in a sandbox', 1]]) {
      it(`without cachestat(2), ${name}, counts what went, and knows no reason of what stayed`, async () => {
        const path = clean(`old${errno}`, 16);
        const evict = () => execFileSync(withoutCalls(), [errno, process.execPath, MEMMAP, 'evict', path].map(String), { encoding: 'utf8' });
        await held(path, () => {
          assert.match(evict(), /^1 file: 0 B of 64 KiB freed, .*\n16 pages stayed: 16 changed, or in use: mapped /);
        });
        assert.match(evict(), /^1 file: 64 KiB of 64 KiB freed, [\d.]+ m?s\n$/);
        assert.deepEqual(fincore([path]), [0]);
      });
    }

    it('does empty files, and files that are not in memory', () => {
      truncateSync(file('empty', ''), 0);
      const { files, freed, failed } = JSON.parse(memmap(['evict', '--json', file('empty'), clean('cold', 4, [])]).stdout);
      assert.deepEqual([files, freed, failed], [2, 0, 0]);
    });

    it('says nothing with --quiet', () => {
      assert.deepEqual(memmap(['evict', '-q', clean('quiet', 4)]), { status: 0, stdout: '', stderr: '' });
    });
  });
});
