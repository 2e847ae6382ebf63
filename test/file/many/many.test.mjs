// residencyOfAll(), dumpAll() and restoreAll() are residencyOf(), dump() and restore() of many files, in order:
// lib/file/many/, lib/file/touch-call.ts, src-native/core/residency/survey.cc, touch.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, linkSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { dump, dumpAll, mapFile, residencyOf, residencyOfAll, restoreAll } from 'memmap';
import { PAGE_SIZE } from 'memmap/sys';
import { openedSince, descriptors } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { seeded } from '../../support/random.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { needsDisk } from '../../support/kernel/resident.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

/** Several batches: an array is split between four threads. */
const MANY = 60;

describe('many files', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  /** Only these pages are in memory afterwards. */
  function keep(context, path, pages) {
    const mapping = mapFile(path, { advice: 'random' });
    needsDisk(context, mapping);
    mapping.evict();
    for (const page of pages) mapping.bytes[page * PAGE_SIZE];
    mapping.close();
  }

  /** Files of 0 to 20 pages, of which some pages are in memory, and one that is mapped alone. */
  function makeFiles(context, name, count = MANY) {
    const next = seeded(5);
    const paths = [];
    for (let i = 0; i < count; i++) {
      const pages = next(20);
      const path = file(`${name}-${i}`, Buffer.alloc(pages * PAGE_SIZE - (pages === 0 ? 0 : next(100)), 'm'));
      if (pages > 0) keep(context, path, Array.from({ length: next(pages) }, () => next(pages)));
      paths.push(path);
    }
    const large = file(`${name}-large`, Buffer.alloc(600 * PAGE_SIZE, 'l'));
    keep(context, large, [1, 2, 3, 300, 599]);
    paths.push(large);
    return paths;
  }

  async function foundOf(paths, options) {
    const found = [];
    const counts = await residencyOfAll(paths, { ...options, onFile: (one, index) => found.push([index, one]) });
    assert.deepEqual(counts, { files: found.length, failed: found.filter(([, { error }]) => error !== undefined).length });
    assert.deepEqual(found.map(([index]) => index), [...found.keys()]);
    return found.map(([, one]) => one);
  }

  /** Without what the kernel changes by itself: whether pages were evicted recently. */
  const stable = ({ runs, pages, resident, trust }) => ({ pages, resident, trust, runs: runs.map(({ offset, length, resident: is, mapped }) => ({ offset, length, is, mapped })) });
  const merged = (residency) => {
    const { runs, ...rest } = stable(residency);
    const parts = [];
    for (const run of runs) {
      const last = parts.at(-1);
      if (last !== undefined && last.is === run.is) last.length += run.length;
      else parts.push({ ...run });
    }
    return { ...rest, runs: parts };
  };

  describe('residencyOfAll', () => {
    it('is what residencyOf() says of each file, in order', async function () {
      const paths = makeFiles(this, 'each');
      const found = await foundOf(paths);
      assert.deepEqual(found.map(({ path }) => path), paths);
      for (const [i, { size, modified, residency, identity }] of found.entries()) {
        const stats = statSync(paths[i]);
        assert.deepEqual([size, modified, identity], [stats.size, stats.mtimeMs, undefined], paths[i]);
        if (size === 0) assert.deepEqual([residency.pages, residency.runs, residency.trust], [0, [], 'exact']);
        else assert.deepEqual(merged(residency), merged(residencyOf(paths[i])), paths[i]);
      }
    });

    it('takes files from a generator while others are looked at', async () => {
      const paths = Array.from({ length: 4 }, (_, i) => file(`generated-${i}`, Buffer.alloc(i * PAGE_SIZE, 'g')));
      function* forever() {
        for (let i = 0; i < 700; i++) yield* paths;
      }
      const sizes = (await foundOf(forever())).map(({ size }) => size / PAGE_SIZE);
      assert.deepEqual(sizes, Array.from({ length: 2800 }, (_, i) => i % 4));
    });

    it('looks at a part of each, as far as they have it', async function () {
      const paths = makeFiles(this, 'part', 20);
      for (const [offset, length] of [[0, 1], [5, PAGE_SIZE], [3 * PAGE_SIZE - 1, 2], [7 * PAGE_SIZE, Number.MAX_SAFE_INTEGER], [2 ** 52, 1], [0, 0]]) {
        for (const [i, { size, residency }] of (await foundOf(paths, { offset, length })).entries()) {
          const from = Math.min(offset, size);
          const part = { offset: from, length: Math.min(length, size - from) };
          if (part.length === 0) assert.deepEqual([residency.pages, residency.runs], [0, []]);
          else assert.deepEqual(merged(residency), merged(residencyOf(paths[i], part)), `${paths[i]} ${offset} ${length}`);
        }
      }
    });

    it('reports failures, and what only a mapping can answer, and goes on', async () => {
      const [there, folder, fifo] = [file('there', 'x'), file('folder'), file('fifo')];
      mkdirSync(folder);
      execFileSync('mkfifo', [fifo]);
      const found = await foundOf([there, file('missing'), folder, there, '/proc/self/status', '/dev/zero']);
      assert.deepEqual(found.map(({ error }) => error?.code), [undefined, 'ENOENT', 'EISDIR', undefined, undefined, found[5].error?.code]);
      assert.deepEqual(found.map(({ size }) => size), [1, undefined, undefined, 1, 0, undefined]);
      assert.throws(() => residencyOf('/dev/zero'), { code: found[5].error.code, message: found[5].error.message });
      const [{ error }] = await foundOf([fifo]);
      assert.throws(() => residencyOf(fifo), { code: error.code, message: error.message });
    });

    it('identifies files with several names, and takes names that are not UTF-8', async () => {
      const [one, other] = [file('one', 'x'), file('other')];
      linkSync(one, other);
      const bytes = Buffer.concat([Buffer.from(file('bytes-')), Buffer.of(0xff)]);
      writeFileSync(bytes, 'yy');
      const { dev, ino } = statSync(one);
      const found = await foundOf([one, bytes, other]);
      assert.deepEqual(found.map(({ identity }) => identity), [`${dev}:${ino}`, undefined, `${dev}:${ino}`]);
      assert.deepEqual([found[1].path, found[1].size], [bytes, 2]);
    });

    it('sees the truth where files are written, replaced and truncated at the same time', async () => {
      const paths = Array.from({ length: 50 }, (_, i) => file(`busy-${i}`, Buffer.alloc(3 * PAGE_SIZE, 'b')));
      let running = true;
      const busy = (async () => {
        for (let i = 0; running; i++) {
          const path = paths[i % paths.length];
          if (i % 3 === 0) truncateSync(path, PAGE_SIZE);
          else if (i % 3 === 1) appendFileSync(path, Buffer.alloc(PAGE_SIZE));
          else {
            writeFileSync(`${path}.new`, Buffer.alloc(2 * PAGE_SIZE, 'n'));
            renameSync(`${path}.new`, path);
          }
          if (i % 20 === 0) await setImmediate();
        }
      })();
      for (let i = 0; i < 40; i++) {
        for (const { size, residency, error } of await foundOf(paths)) {
          assert.equal(error, undefined);
          // Runs without gaps, of just the size that was found.
          assert.equal(residency.runs.reduce((end, { offset, length }) => (assert.equal(offset, end), end + length), 0), size);
          for (const { dirty, resident } of residency.runs) if (dirty === true) assert.ok(resident);
        }
      }
      running = false;
      await busy;
    });

    it('stops at a signal, an error of onFile and of the iterable, and leaves nothing open', async function () {
      const paths = makeFiles(this, 'stop');
      const before = descriptors();
      const controller = new AbortController();
      let count = 0;
      const onFile = () => {
        if (++count === 10) controller.abort(new Error('enough'));
      };
      await assert.rejects(residencyOfAll(paths, { signal: controller.signal, onFile }), { message: 'enough' });
      assert.ok(count < paths.length, `${count}`);
      await assert.rejects(residencyOfAll(paths, { signal: controller.signal }), { message: 'enough' });
      const thrown = new Error('thrown');
      await assert.rejects(residencyOfAll(paths, { onFile() { throw thrown; } }), thrown);
      let ended = false;
      function* failing(last) {
        try {
          yield* paths;
          if (last) throw thrown;
          yield 5;
        } finally {
          ended = true;
        }
      }
      await assert.rejects(residencyOfAll(failing(true)), thrown);
      await assert.rejects(residencyOfAll(failing(false)), { code: 'ERR_INVALID_ARG_TYPE' });
      assert.ok(ended);
      assert.deepEqual(openedSince(before), []);
    });

    it('refuses wrong arguments before it looks at anything', async () => {
      for (const files of [undefined, null, 'path', 5, {}, Buffer.from('/etc/passwd'), [5], [''], ['a\0b']]) {
        await assert.rejects(residencyOfAll(files), TypeError);
        await assert.rejects(dumpAll(files), TypeError);
      }
      for (const options of [{ offset: -1 }, { length: 1.5 }, { offset: '0' }]) await assert.rejects(residencyOfAll([], options), { code: /ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)/ });
      for (const options of [{ onFile: 5 }, { signal: {} }, { of: 1 }, null]) {
        await assert.rejects(residencyOfAll([], options), TypeError);
        await assert.rejects(dumpAll([], options), TypeError);
        await assert.rejects(restoreAll([], options), TypeError);
      }
      assert.deepEqual(await residencyOfAll([]), { files: 0, failed: 0 });
    });
  });

  describe('dumpAll and restoreAll', () => {
    async function dumpsOf(paths) {
      const dumps = [];
      await dumpAll(paths, { onFile: (one, index) => dumps.push([index, one]) });
      assert.deepEqual(dumps.map(([index]) => index), [...dumps.keys()]);
      return dumps.map(([, one]) => one);
    }

    it('dump what dump() does', async function () {
      const paths = makeFiles(this, 'dump');
      const found = await dumpsOf(paths);
      for (const [i, { path, cached }] of found.entries()) assert.deepEqual([path, cached], [paths[i], dump(paths[i])], paths[i]);
    });

    it('dump relative paths and bytes by their absolute path, and report failures as dump() does', async () => {
      const bytes = Buffer.concat([Buffer.from(file('raw-')), Buffer.of(0xfe)]);
      writeFileSync(bytes, 'raw');
      const there = file('there', 'x');
      const linked = file('linked');
      linkSync(there, linked);
      const paths = ['package.json', bytes, file('missing'), '/proc/self/status', '/proc', there, linked, file('nothing', '')];
      const found = await dumpsOf(paths);
      for (const [i, { cached, error, identity }] of found.entries()) {
        if (error === undefined) assert.deepEqual(cached, dump(paths[i]));
        else assert.throws(() => dump(paths[i]), { code: error.code, message: error.message });
        assert.equal(identity !== undefined, i === 5 || i === 6, `${paths[i]}`);
      }
      assert.deepEqual(found.map(({ error }) => error?.code), [undefined, undefined, 'ENOENT', 'ENODEV', 'EISDIR', undefined, undefined, undefined]);
    });

    it('report that the kernel does not tell', async function () {
      if (process.getuid() !== 0) skip(this, 'needs root, to become somebody else');
      const path = file('others', Buffer.alloc(PAGE_SIZE));
      chmodSync(path, 0o644);
      chmodSync(file('.'), 0o755);
      const empty = file('others-empty', '');
      chmodSync(empty, 0);
      const script = `
        process.setgid(65534); process.setuid(65534);
        const { dump, dumpAll, residencyOfAll } = await import('memmap');
        let message;
        try { dump(${JSON.stringify(path)}); } catch (error) { message = error.message; }
        await dumpAll([${JSON.stringify(path)}], { onFile: ({ error }) => console.log(error.code, error.message === message) });
        await residencyOfAll([${JSON.stringify(path)}], { onFile: ({ residency }) => console.log(residency.trust) });
        // There is nothing to read.
        await residencyOfAll([${JSON.stringify(empty)}], { onFile: ({ size, residency }) => console.log(size, residency.trust) });
        await dumpAll([${JSON.stringify(empty)}], { onFile: ({ error }) => console.log(error.code) });`;
      const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
      assert.equal(told, 'ERR_MEMMAP_UNSUPPORTED true\nclaimed\n0 exact\nEACCES\n');
    });

    it('bring back just the pages that were in memory, of small files and large', async function () {
      const paths = makeFiles(this, 'restore');
      // More than a piece: restored by itself.
      const huge = file('restore-huge', Buffer.alloc(2000 * PAGE_SIZE, 'h'));
      keep(this, huge, []);
      const mapping = mapFile(huge);
      mapping.populate();
      mapping.close();
      paths.push(huge);
      const dumps = (await dumpsOf(paths)).map(({ cached }) => cached);
      for (const path of paths) if (statSync(path).size > 0) keep(this, path, []);
      const progress = [];
      const restored = [];
      const counts = await restoreAll(JSON.parse(JSON.stringify(dumps)), {
        onFile: (one, index) => (restored[index] = one),
        onProgress: ({ cached, done, total }) => progress.push([cached.path, done <= total]),
      });
      assert.deepEqual(counts, { files: paths.length, failed: 0 });
      for (const [i, path] of paths.entries()) {
        assert.deepEqual(restored[i].cached, dumps[i]);
        const read = dumps[i].runs.reduce((sum, { length }) => sum + length, 0);
        assert.deepEqual(restored[i].restored, { read, present: 0, gone: 0, changed: false }, path);
        assert.deepEqual(dump(path).runs, dumps[i].runs, path);
      }
      assert.ok(progress.length > 1 && progress.every(([path, fits]) => path === huge && fits), `${progress}`);
      // All is there.
      await restoreAll(dumps, {
        onFile: ({ restored: { read, present }, cached }) => assert.deepEqual([read, present], [0, cached.runs.reduce((sum, { length }) => sum + length, 0)], cached.path),
      });
    });

    it('report files that have changed, have become shorter or are gone', async function () {
      const names = ['same', 'grown', 'shorter', 'gone', 'empty', 'rewritten'];
      const paths = names.map((name) => file(name, Buffer.alloc(4 * PAGE_SIZE, 'c')));
      const dumps = (await dumpsOf(paths)).map(({ cached }) => cached);
      appendFileSync(paths[1], 'more');
      truncateSync(paths[2], PAGE_SIZE);
      rmSync(paths[3]);
      truncateSync(paths[4], 0);
      utimesSync(paths[5], 1, 2);
      const found = [];
      const counts = await restoreAll(new Set(dumps), { onFile: ({ restored, error }, index) => (found[index] = error?.code ?? [restored.gone / PAGE_SIZE, restored.changed]) });
      assert.deepEqual(counts, { files: 6, failed: 1 });
      assert.deepEqual(found, [[0, false], [0, true], [3, true], 'ENOENT', [4, true], [0, true]]);
    });

    it('restore at a rate, one after the other', async function () {
      const paths = Array.from({ length: 3 }, (_, i) => file(`rate-${i}`, Buffer.alloc(8 * PAGE_SIZE, 'r')));
      const dumps = (await dumpsOf(paths)).map(({ cached }) => cached);
      for (const path of paths) keep(this, path, []);
      const order = [];
      const begun = performance.now();
      await restoreAll(dumps, { rate: 256 * PAGE_SIZE, onFile: ({ restored }, index) => order.push([index, restored.read]) });
      assert.ok(performance.now() - begun > 60);
      assert.deepEqual(order, [0, 1, 2].map((index) => [index, 8 * PAGE_SIZE]));
    });

    it('stop at a signal, at what a callback throws, and at something else than a dump', async function () {
      const paths = makeFiles(this, 'halt');
      const dumps = (await dumpsOf(paths)).map(({ cached }) => cached);
      const controller = new AbortController();
      let count = 0;
      const onFile = () => {
        if (++count === 5) controller.abort(new Error('enough'));
      };
      await assert.rejects(restoreAll(dumps, { signal: controller.signal, onFile }), { message: 'enough' });
      const thrown = new Error('thrown');
      await assert.rejects(restoreAll(dumps, { onFile() { throw thrown; } }), thrown);
      const huge = file('halt-huge', Buffer.alloc(2000 * PAGE_SIZE, 'h'));
      const whole = dump(huge);
      keep(this, huge, []);
      await assert.rejects(restoreAll([whole], { onProgress() { throw thrown; } }), thrown);
      await assert.rejects(restoreAll([...dumps, { ...dumps[0], size: -1 }]), { code: 'ERR_OUT_OF_RANGE', message: new RegExp(`dumps\\[${dumps.length}\\]\\.size`) });
      for (const wrong of [undefined, null, 5, 'dump', {}, Buffer.alloc(1)]) await assert.rejects(restoreAll(wrong), { code: 'ERR_INVALID_ARG_TYPE' });
      for (const wrong of [[5], [{}], [null]]) await assert.rejects(restoreAll(wrong), TypeError);
    });
  });
});
