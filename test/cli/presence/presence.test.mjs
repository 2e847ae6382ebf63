// memmap presence says what vmtouch, fincore and mincore(2) say, of the same files:
// lib/cli/presence/{presence,report}.ts, lib/cli/common/targets.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, ftruncateSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { MEMMAP, cachestat, evictPages, memmap, readPages } from '../../support/cli/cli.mjs';
import { skip } from '../../support/hooks.mjs';
import { counted, fincore, mincorePages } from '../../support/cli/in-memory.mjs';
import { seeded } from '../../support/random.mjs';
import { runPython } from '../../support/process/program.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const PAGE = 4096;

/** What `memmap presence --json` tells. */
function told(args, options) {
  const { status, stdout, stderr } = memmap(['presence', '--json', ...args], options);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const IN_MEMORY = new Set(['dirty', 'writeback', 'mapped', 'resident']);

/** A page each: '1' in memory, '0' not. */
function pagesOf({ runs }) {
  let text = '';
  for (const { offset, length, state } of runs) {
    const pages = Math.ceil((offset + length) / PAGE) - Math.floor(offset / PAGE);
    text += (IN_MEMORY.has(state) ? '1' : '0').repeat(pages);
  }
  return text;
}

/** Pairs of pages, ascending, at random. */
function randomPairs(next, pages) {
  const pairs = [];
  for (let at = next(9); at < pages; at += 1 + next(30)) {
    const end = Math.min(pages, at + 1 + next(20));
    pairs.push([at, end]);
    at = end;
  }
  return pairs;
}

/**
 * What `look` gives, and `look` again: the same as long as the machine needs the memory for nothing
 * else meanwhile. Tries it a few times.
 */
function steady(prepare, look, compare) {
  for (let left = 5; ; left--) {
    prepare();
    const before = look();
    try {
      compare(before);
      return;
    } catch (error) {
      if (left === 0 || isDeepStrictEqual(before, look())) throw error;
    }
  }
}

describe('memmap presence', function () {
  despiteReclaim(this);
  this.timeout(120_000);
  const file = temporaryFiles();

  describe('tells the same as vmtouch, fincore and mincore', () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      it(`of pages that come and go at random, ${seed}`, () => {
        const next = seeded(seed);
        const pages = 300 + next(3000);
        const path = file(`random-${seed}`, Buffer.alloc(pages * PAGE - next(PAGE), seed));
        const prepare = () => {
          evictPages(path);
          readPages(path, randomPairs(next, pages));
          evictPages(path, randomPairs(next, pages).filter(() => next(3) === 0));
        };
        steady(prepare, () => told([path]), ({ files: [one], total }) => {
          assert.equal(pagesOf(one), mincorePages(path));
          assert.deepEqual([one.inMemory, one.pages], [fincore([path])[0], pages]);
          const other = counted([path]);
          assert.deepEqual([total.inMemory, total.pages], [other.resident, other.pages]);
          assert.ok(one.inMemory > 0 && one.inMemory < pages);
          assert.equal(one.trust, 'exact');
        });
      });
    }

    it('of a file with holes, and of one of 128 GiB', () => {
      const path = file('sparse');
      const fd = openSync(path, 'w');
      for (const at of [5, 100_000, 26_214_399]) writeSync(fd, 'x', at * PAGE);
      ftruncateSync(fd, 2 ** 37);
      closeSync(fd);
      const small = file('holes', Buffer.alloc(10));
      truncateSync(small, 50 * PAGE);
      const { files: [large, holes] } = told([path, small]);
      assert.equal(large.pages, 2 ** 25);
      assert.equal(large.inMemory, fincore([path])[0]);
      assert.equal(holes.inMemory, fincore([small])[0]);
      assert.equal(pagesOf(holes), mincorePages(small));
    });

    it('of 10,000 small files, together and one by one', () => {
      const top = file('many');
      const next = seeded(7);
      const paths = [];
      for (let i = 0; i < 100; i++) mkdirSync(join(top, `${i}`), { recursive: true });
      for (let i = 0; i < 10_000; i++) {
        const path = join(top, `${i % 100}`, `file ${i}`);
        writeFileSync(path, Buffer.alloc(next(5 * PAGE), i));
        paths.push(path);
      }
      runPython(`
os.sync()
for i, line in enumerate(sys.stdin.read().split('\\0')):
    if i % 3 == 0:
        fd = os.open(line, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0 if i % 2 else 4096, os.POSIX_FADV_DONTNEED)
        os.close(fd)`.replace('sys.stdin.read()', `open(${JSON.stringify(file('list', paths.join('\0')))}).read()`));
      const list = file('list');
      steady(() => undefined, () => told([top]), ({ files, total }) => {
        const other = counted([top]);
        assert.deepEqual([total.files, total.inMemory, total.pages], [other.files, other.resident, other.pages]);
        assert.ok(total.inMemory < total.pages);
        const byPath = new Map(files.map((one) => [one.path, one.inMemory]));
        const counts = [];
        for (let i = 0; i < paths.length; i += 2000) counts.push(...fincore(paths.slice(i, i + 2000)));
        assert.deepEqual(paths.map((path) => byPath.get(path)), counts);
        assert.deepEqual(told(['-s', '-0', '-b', list]).total, total);
      });
    });

    it('of a range', () => {
      const path = file('ranged', Buffer.alloc(500 * PAGE));
      evictPages(path, [[100, 200], [300, 301]]);
      for (const range of ['400K-1M', '1M-', '-500K', '100k-101K', '1999K-5M']) {
        const { total } = told(['-p', range, path]);
        const other = counted([path], { range: range.toUpperCase() });
        assert.deepEqual([total.inMemory, total.pages], [other.resident, other.pages], range);
      }
      assert.deepEqual(told(['-p', '500M-', path]).files, []);
    });
  });

  it('tells dirty pages from clean ones, and what has been pushed out', function () {
    const path = file('dirty', Buffer.alloc(64 * PAGE, 1));
    // As reclaim does: the kernel remembers what it has pushed out.
    runPython(`
f = open(sys.argv[1], 'r+b')
os.fsync(f.fileno())
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
for _ in range(20):  # pages that are on their way to a list of the kernel's stay
    m[::4096]
    m.madvise(21)
    time.sleep(0.01)
m.madvise(21)`, [path]);
    const fd = openSync(path, 'r+');
    for (const page of [3, 4, 5, 40]) writeSync(fd, 'x'.repeat(PAGE), page * PAGE);
    const { files: [one] } = told([path]);
    const counts = cachestat(path);
    closeSync(fd);
    if (counts === null) skip(this, 'no cachestat(2)');
    // The kernel may have begun to write them.
    assert.equal(one.byState.dirty + one.byState.writeback, 4);
    const [cached, , , evicted] = counts;
    assert.deepEqual([one.inMemory, one.byState.evicted], [cached, evicted]);
    assert.ok(evicted > 0);
    const states = new Map(one.runs.flatMap(({ offset, length, state }) => Array.from({ length: length / PAGE }, (_, i) => [offset / PAGE + i, state])));
    for (const page of [3, 4, 5, 40]) assert.ok(['dirty', 'writeback'].includes(states.get(page)), `${page}: ${states.get(page)}`);
    assert.ok(!IN_MEMORY.has(states.get(20)));
  });

  it('says when the kernel does not tell the truth, and why', function () {
    if (process.getuid() !== 0) skip(this, 'only root can be somebody else');
    const path = file('of-root', Buffer.alloc(10 * PAGE));
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o644);
    evictPages(path);
    // As nobody, who must find the executable: where that is closed to others, nothing can be shown.
    const nobody = { uid: 65_534, gid: 65_534 };
    if (spawnSync(process.execPath, [MEMMAP, '--version'], nobody).status !== 0) skip(this, 'nobody cannot read the executable');
    const { files: [one], total } = told([path], nobody);
    assert.deepEqual([one.trust, total.doubtful], ['claimed', 1]);
    assert.match(one.doubt, /own the file/);
    assert.equal(one.inMemory, 10);
    const { stdout } = memmap(['presence', path], nobody);
    assert.match(stdout, /unreliable: /);
    assert.equal(told([path]).files[0].inMemory, 0);
  });

  describe('finds files', () => {
    const top = () => file('tree');
    const named = (args) => told(args).files.map(({ path }) => path.slice(top().length + 1)).toSorted();

    before(() => {
      for (const folder of ['a/b', 'logs', 'elsewhere']) mkdirSync(join(top(), folder), { recursive: true });
      for (const name of ['a/one.db', 'a/b/two.db', 'a/b/.hidden', 'logs/three.log', 'elsewhere/four']) writeFileSync(join(top(), name), 'x'.repeat(5000));
      writeFileSync(join(top(), 'a/large'), Buffer.alloc(2 ** 20));
      linkSync(join(top(), 'a/one.db'), join(top(), 'logs/same.db'));
      symlinkSync('../elsewhere/four', join(top(), 'a/link'));
      symlinkSync('../../a', join(top(), 'a/b/round'));
      symlinkSync('nowhere', join(top(), 'a/broken'));
    });

    it('below directories: names of one file once, links not', () => {
      assert.deepEqual(named([top()]), ['a/b/.hidden', 'a/b/two.db', 'a/large', 'a/one.db', 'elsewhere/four', 'logs/three.log']);
      assert.equal(told([top()]).total.pages, counted([top()]).pages);
      assert.deepEqual(named(['-H', top()]).filter((name) => name.endsWith('e.db')), ['a/one.db', 'logs/same.db']);
      assert.equal(told(['-H', top()]).total.pages, counted([top()], { names: true }).pages);
    });

    it('behind links, but none twice; a dangling one is no failure', () => {
      const { status, stdout, stderr } = memmap(['presence', '--json', '-f', join(top(), 'a')]);
      const { files, failures } = JSON.parse(stdout);
      assert.deepEqual([status, stderr], [0, '']);
      assert.deepEqual(files.map(({ path }) => path.slice(top().length + 3)).toSorted(), ['b/.hidden', 'b/two.db', 'large', 'link', 'one.db']);
      assert.deepEqual(failures, []);
    });

    it('but what is to be left out', () => {
      assert.deepEqual(named(['-i', '*.log', '-i', 'b', '-m', '500K', top()]), ['a/one.db', 'elsewhere/four']);
      assert.deepEqual(named(['-i', '**/a/b/**', '-I', '*.db', top()]), ['a/one.db']);
      assert.deepEqual(named(['-I', '*.{log,db}', top()]), ['a/b/two.db', 'a/one.db', 'logs/three.log']);
    });

    it('given by name, and goes on after those that are not there', () => {
      readFileSync(join(top(), 'a/one.db')); // they have been there for a while
      const { status, stdout, stderr } = memmap(['presence', join(top(), 'nothing'), join(top(), 'a/one.db'), '/dev/null']);
      assert.equal(status, 1);
      assert.match(stderr, /^memmap: ENOENT.*nothing/m);
      assert.match(stderr, /^memmap: \/dev\/null: it is neither a file nor a directory$/m);
      assert.match(stdout, /2 of 2 pages in memory, 100%/);
    });

    it('in a list, from standard input', () => {
      const input = `${join(top(), 'a/one.db')}\n${join(top(), 'logs')}\n`;
      assert.deepEqual(told(['-b', '-'], { input }).files.map(({ path }) => path), [join(top(), 'a/one.db'), join(top(), 'logs/three.log')]);
      assert.deepEqual(told(['-b', '-'], { input: '' }).files, []);
    });

    it('of one file system', function () {
      const inside = join(top(), 'elsewhere');
      const script = `mount -t tmpfs none "$1" && echo x > "$1/inside" && exec "$2" "$3" presence --json -F "$4"`;
      const run = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', inside, process.execPath, MEMMAP, top()], { encoding: 'utf8' });
      if (run.status !== 0) skip(this, `no mount of our own: ${run.stderr ?? run.error}`);
      const names = JSON.parse(run.stdout).files.map(({ path }) => path);
      assert.ok(!names.some((name) => name.startsWith(inside)), names.join());
      assert.ok(names.includes(join(top(), 'a/one.db')));
    });
  });

  it('refuses what contradicts itself, before it does anything', () => {
    const picture = file('no.png');
    for (const args of [[], ['-w', '--json', 'x'], ['-s', '--png', picture, 'x'], ['--all', 'x'], ['-0', 'x'], ['-p', '5-4', 'x'], ['-p', '-', 'x'], ['-m', 'big', 'x'], ['--interval', 'soon', 'x']]) {
      const { status, stdout, stderr } = memmap(['presence', ...args]);
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      assert.match(stderr, /\S/);
    }
    assert.ok(!readdirSync(dirname(picture)).includes('no.png'));
  });

  it('ends quietly when its reader does', () => {
    const path = file('for-head', 'x');
    const { status, stderr } = spawnSync('bash', ['-c', 'set -o pipefail; "$0" "$1" presence -b <(yes "$2" | head -5000) -H | head -1', process.execPath, MEMMAP, path], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
});
