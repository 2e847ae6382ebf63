// touch() reads files into the page cache, at a rate, until stopped: lib/file/{touch,touch-call,rate-limiter}.ts,
// src-native/core/residency/touch.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { features, mapFile, residencyOf, SystemError, touch } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { descriptors, openedSince } from '../support/descriptors.mjs';
import { skip } from '../support/hooks.mjs';
import { fincore } from '../support/cli/in-memory.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** Twin of lib/file/touching.ts. */
const PIECE = 2 ** 22;
const BATCH = 64;
const told = features().supports.cachestat.supported;

describe('touch', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** A file of which only these pages are in memory. */
  function cold(context, name, length, pages = []) {
    const path = file(name, Buffer.alloc(length, 'f'));
    evict(context, path);
    const mapping = mapFile(path, { advice: 'random' });
    for (const page of pages) mapping.bytes[page * PAGE_SIZE];
    mapping.close();
    assert.equal(residencyOf(path).resident, pages.length);
    return path;
  }

  function evict(context, path) {
    const mapping = mapFile(path);
    try {
      needsDisk(context, mapping);
      mapping.evict();
    } finally {
      mapping.close();
    }
  }

  const isResident = (path) => {
    const { resident, pages } = residencyOf(path);
    return resident === pages;
  };

  /** Bytes this process had the disk read, says the kernel. */
  const fromDisk = () => Number(/^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))[1]);

  /** As many pages as these, and at most a few that the file system needed itself. */
  const assertPages = (bytes, pages) => assert.ok(bytes >= pages * PAGE_SIZE && bytes <= (pages + 5) * PAGE_SIZE, `${bytes} bytes`);

  /** The totals, and what onFile was told, by index. */
  async function touched(files, options = {}) {
    const found = [];
    const totals = await touch(files, {
      ...options,
      onFile: (one, index) => {
        assert.equal(found[index], undefined, 'told twice');
        found[index] = one;
      },
    });
    return { totals, found };
  }

  it('brings files into memory, and reads nothing that is there already', async function () {
    const paths = Array.from({ length: 3 * BATCH + 7 }, (_, i) => cold(this, `small-${i}`, 1 + ((i * 997) % (3 * PAGE_SIZE))));
    const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
    const open = descriptors();
    const before = fromDisk();
    const { totals, found } = await touched(paths);
    const disk = fromDisk() - before;
    assert.deepEqual(totals, { files: paths.length, failed: 0, bytes, present: 0, read: bytes, holes: 0 });
    const pages = paths.reduce((sum, path) => sum + Math.ceil(statSync(path).size / PAGE_SIZE), 0);
    assertPages(disk, pages);
    for (const [i, path] of paths.entries()) {
      const { size } = statSync(path);
      assert.deepEqual(found[i], { path, size, pages: Math.ceil(size / PAGE_SIZE), present: told ? 0 : undefined, read: size });
      assert.ok(isResident(path), path);
    }
    const again = fromDisk();
    assert.deepEqual(await touch(paths), { ...totals, ...(told && { present: bytes, read: 0 }) });
    assertPages(fromDisk() - again, 0);
    assert.deepEqual(openedSince(open), []);
  });

  it('fincore(1) agrees', async function () {
    const path = cold(this, 'witnessed', 10 * PAGE_SIZE, [2]);
    const pages = () => fincore([path])[0];
    assert.equal(pages(), 1);
    await touch([path]);
    assert.equal(pages(), 10);
  });

  it('reads only what is missing', async function () {
    const present = [0, 1, 5, 6, 7, 30, 63];
    const path = cold(this, 'holes', 64 * PAGE_SIZE, present);
    const before = fromDisk();
    const { found } = await touched([path]);
    assertPages(fromDisk() - before, 64 - present.length);
    assert.ok(isResident(path));
    if (!told) return;
    assert.equal(found[0].present, present.length * PAGE_SIZE);
    assert.equal(found[0].read, (64 - present.length) * PAGE_SIZE);
  });

  it('brings in a part of each file, and nothing beside it', async function () {
    const paths = [cold(this, 'part', 20 * PAGE_SIZE), cold(this, 'short', 4 * PAGE_SIZE + 5), cold(this, 'ends', PAGE_SIZE)];
    const { totals, found } = await touched(paths, { offset: 4 * PAGE_SIZE - 1, length: 3 * PAGE_SIZE });
    assert.deepEqual(found.map(({ pages, read }) => [pages, read]), [[4, 3 * PAGE_SIZE], [2, 6], [0, 0]]);
    assert.equal(totals.bytes, 3 * PAGE_SIZE + 6);
    assert.deepEqual(residentParts(residencyOf(paths[0])), [{ offset: 3 * PAGE_SIZE, length: 4 * PAGE_SIZE }]);
    assert.equal(residencyOf(paths[1]).resident, 2);
    assert.equal(residencyOf(paths[2]).resident, 0);
    assert.equal((await touch(paths, { length: 0 })).bytes, 0);
    assert.equal((await touch(paths, { offset: Number.MAX_SAFE_INTEGER })).bytes, 0);
  });

  it('tells of each file that cannot be read why, and reads the others', async function () {
    const good = cold(this, 'good', PAGE_SIZE);
    const [fifo, folder, missing, loop] = ['fifo', 'folder', 'missing', 'loop'].map((name) => file(name));
    // It may be tried again: see despiteReclaim().
    for (const path of [fifo, folder, loop]) rmSync(path, { recursive: true, force: true });
    execFileSync('mkfifo', [fifo]);
    mkdirSync(folder);
    symlinkSync(loop, loop);
    const { totals, found } = await touched([fifo, folder, missing, loop, `${good}/x`, '/dev/zero', 'x'.repeat(5000), good]);
    assert.deepEqual(found.map(({ error }) => error && [error.code, error.syscall]), [
      ['EINVAL', 'read'], ['EISDIR', 'read'], ['ENOENT', 'stat'], ['ELOOP', 'stat'], ['ENOTDIR', 'stat'], ['EINVAL', 'read'],
      ['ENAMETOOLONG', 'stat'], undefined,
    ]);
    for (const { error, path } of found.slice(0, -1)) {
      assert.ok(error instanceof SystemError);
      assert.equal(error.path, path);
    }
    assert.deepEqual(totals, { files: 8, failed: 7, bytes: PAGE_SIZE, present: 0, read: PAGE_SIZE, holes: 0 });
    assert.ok(isResident(good));
  });

  it('reads files of other users through, and is refused those it may not read', async function () {
    if (process.getuid() !== 0) skip(this, 'it takes root to become another user');
    const paths = [cold(this, 'theirs', 5 * PAGE_SIZE), cold(this, 'private', PAGE_SIZE)];
    execFileSync('chmod', ['644', paths[0]]);
    execFileSync('chmod', ['600', paths[1]]);
    // The folder is of this user only: the other one gets descriptors.
    const fds = paths.map((path) => openSync(path, 'r'));
    await runs('touch-of-others', [5 * PAGE_SIZE], { stdio: fds });
    for (const fd of fds) closeSync(fd);
    assert.deepEqual(paths.map(isResident), [true, false]);
  });

  it('leaves the time of the last access as it is', async function () {
    const path = cold(this, 'access', PAGE_SIZE);
    utimesSync(path, 1, 2);
    await touch([path]);
    assert.equal(statSync(path).atimeMs, 1000);
  });

  it('takes no files, empty files, the same file twice, relative paths and generators', async () => {
    assert.deepEqual(await touch([]), { files: 0, failed: 0, bytes: 0, present: 0, read: 0, holes: 0 });
    const empty = file('empty', '');
    assert.deepEqual((await touched([empty])).found, [{ path: empty, size: 0, pages: 0, present: 0, read: 0 }]);
    const { size } = statSync('package.json');
    assert.equal((await touch(['package.json', './package.json'])).bytes, 2 * size);
    const all = function* all() {
      for (let i = 0; i < 3 * BATCH; i++) yield 'package.json';
    };
    assert.equal((await touch(all())).files, 3 * BATCH);
    assert.equal((await touch(new Set(['package.json']))).files, 1);
  });

  it('tells which file it is, of one that has several names', async () => {
    const paths = [file('first', 'x'), file('second'), file('large', Buffer.alloc(2 * PIECE)), file('large-too'), file('single', 'x')];
    linkSync(paths[0], paths[1]);
    linkSync(paths[2], paths[3]);
    const { found } = await touched(paths);
    const identity = (path) => {
      const { dev, ino } = statSync(path, { bigint: true });
      return `${dev}:${ino}`;
    };
    assert.deepEqual(found.map((one) => one.identity), [...paths.slice(0, 4).map(identity), undefined]);
    assert.ok(!('identity' in found[4]));
  });

  it('a generator that throws or gives no path ends it', async () => {
    let returned = 0;
    const giving = function* giving(last) {
      try {
        for (let i = 0; i < BATCH; i++) yield 'package.json';
        if (last instanceof Error) throw last;
        yield last;
      } finally {
        returned += 1;
      }
    };
    await assert.rejects(touch(giving(new Error('the walk failed'))), { message: 'the walk failed' });
    await assert.rejects(touch(giving(5)), { code: 'ERR_INVALID_ARG_TYPE', message: /files\[64\]/ });
    await assert.rejects(touch(giving('')), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.equal(returned, 3);
  });

  describe('large files', () => {
    const LENGTH = 100 * 2 ** 20 + 123;

    it('come in piece by piece, with progress', async function () {
      const path = cold(this, 'large', LENGTH, [0, 1, 20_000]);
      const seen = [];
      const { totals, found } = await touched([path, 'package.json'], { onProgress: (progress) => seen.push(progress) });
      assert.ok(isResident(path));
      assert.equal(seen.length, Math.ceil(LENGTH / PIECE));
      assert.ok(seen.every((one, i) => one.path === path && one.total === LENGTH && (i === 0 || one.done > seen[i - 1].done)));
      assert.equal(seen.at(-1).done, LENGTH);
      assert.equal(found[0].pages, Math.ceil(LENGTH / PAGE_SIZE));
      assert.equal(totals.bytes, LENGTH + statSync('package.json').size);
      if (told) assert.deepEqual([found[0].present, found[0].read], [3 * PAGE_SIZE, LENGTH - 3 * PAGE_SIZE]);
      if (told) assert.equal((await touched([path])).found[0].present, LENGTH);
    });

    it('parts of them may begin and end anywhere', async function () {
      const path = cold(this, 'somewhere', 6 * PIECE);
      const [offset, length] = [PIECE + 1000, 3 * PIECE + 50];
      const { found } = await touched([path], { offset, length });
      assert.equal(found[0].read, length);
      assert.deepEqual(residentParts(residencyOf(path)), [{ offset: PIECE, length: 3 * PIECE + PAGE_SIZE }]);
    });

    it('that are gone in the middle are failures', async function () {
      const path = cold(this, 'vanishing', 20 * PIECE);
      const { totals, found } = await touched([path], { onProgress: () => rmSync(path, { force: true }) });
      assert.equal(found[0].error.code, 'ENOENT');
      assert.equal(found.length, 1);
      assert.deepEqual([totals.files, totals.failed], [1, 1]);
    });

    it('that become shorter are no failures', async function () {
      const path = cold(this, 'shrinking', 20 * PIECE);
      const { found } = await touched([path], { onProgress: () => writeFileSync(path, 'short') });
      assert.equal(found[0].error, undefined);
      assert.ok(found[0].read < 20 * PIECE);
    });
  });

  describe('signal', () => {
    it('stops it before it begins, and in the middle, and leaves no descriptor open', async function () {
      const path = cold(this, 'stopped', 40 * PIECE);
      await assert.rejects(touch([path], { signal: AbortSignal.abort() }), { name: 'AbortError' });
      const open = descriptors();
      const stop = new AbortController();
      const seen = [];
      const onProgress = ({ done }) => {
        seen.push(done);
        stop.abort(new Error('enough'));
      };
      await assert.rejects(touch([path], { signal: stop.signal, onProgress }), { message: 'enough' });
      assert.deepEqual(openedSince(open), []);
      const told1 = seen.length;
      assert.ok(residencyOf(path).resident <= (8 * PIECE) / PAGE_SIZE);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(seen.length, told1);
    });

    it('wakes what waits for the rate', async function () {
      const path = cold(this, 'waiting', 10 * PAGE_SIZE);
      const reason = new Error('no time');
      const stop = new AbortController();
      const onProgress = () => setTimeout(() => stop.abort(reason), 10);
      await assert.rejects(touch([path], { rate: 1, signal: stop.signal, onProgress }), reason);
    });

    it('what a callback throws ends it too', async () => {
      const onFile = () => {
        throw new Error('mine');
      };
      await assert.rejects(touch(Array.from({ length: 1000 }, () => 'package.json'), { onFile }), { message: 'mine' });
    });
  });

  describe('rate', () => {
    const RATE = 2 ** 20;

    it('is kept for a large file and for many small ones', async function () {
      const large = cold(this, 'slowly', RATE / 2);
      const small = Array.from({ length: 32 }, (_, i) => cold(this, `slowly-${i}`, RATE / 64));
      for (const files of [[large], small]) {
        const begun = performance.now();
        const { read } = await touch(files, { rate: RATE });
        const ms = performance.now() - begun;
        assert.equal(read, RATE / 2);
        assert.ok(ms >= 500, `${ms} ms`);
        assert.ok(files.every(isResident));
      }
    });

    it('does not hold up what is in memory already', async function () {
      if (!told) skip(this, 'the kernel does not tell');
      const path = file('there', Buffer.alloc(RATE, 'f'));
      // At that rate it would take a quarter of an hour.
      assert.equal((await touch([path], { rate: 1000 })).present, RATE);
    });
  });
});
