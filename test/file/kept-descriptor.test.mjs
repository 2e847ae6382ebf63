// Mappings made of a descriptor or a FileHandle keep a duplicate of it, and follow that, not the path:
// lib/file/{kept-descriptor,file-backing,file-mapping}.ts, src-native/core/mapping/file.cc.
import assert from 'node:assert/strict';
import {
  closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, statSync, symlinkSync, truncateSync, unlinkSync, writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { dump, mapFile, reserve, residencyOf } from 'memmap';
import { PAGE_SIZE as PAGE, memfd_create } from 'memmap/sys';
import { closesOnExec, descriptors, openedSince } from '../support/descriptors.mjs';
import { isMapped } from '../support/kernel/proc.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const LENGTH = 8 * PAGE;

describe('a mapping made of a descriptor', () => {
  const file = temporaryFiles();
  before(() => mapFile(file('first', 'x')).close()); // the guard opens what it keeps

  /** Maps a file by a descriptor, which is closed, and has something else done to the path. */
  const FATES = {
    'stays where it is': () => {},
    'is renamed': (path) => renameSync(path, `${path}-renamed`),
    'is unlinked': (path) => unlinkSync(path),
    'is replaced by another': (path) => renameSync(file('another', 'another file'), path),
    'is replaced by a link to itself, elsewhere': (path) => {
      renameSync(path, `${path}-moved`);
      symlinkSync(`${path}-moved`, path);
    },
  };

  for (const [fate, befall] of Object.entries(FATES)) {
    describe(`whose file ${fate}`, () => {
      let before;
      let path;
      let other;
      let mapping;

      function map(options, flags = 'r+') {
        path = file(`f${Math.random()}`, Buffer.alloc(LENGTH, 'x'));
        other = openSync(path, 'r+');
        before = descriptors();
        const fd = openSync(path, flags);
        mapping = mapFile(fd, options);
        closeSync(fd);
        befall(path);
      }

      afterEach(() => {
        mapping.close();
        // By number: their paths have changed.
        assert.deepEqual([...descriptors().keys()].filter((fd) => !before.has(fd)), []);
        closeSync(other);
      });

      it('has its size, and refreshes to it', () => {
        map({}, 'r');
        writeSync(other, 'more', LENGTH);
        assert.equal(mapping.size(), LENGTH + 4);
        assert.equal(mapping.refresh(), true);
        assert.equal(mapping.bytes.toString('latin1', LENGTH), 'more');
        ftruncateSync(other, 5);
        assert.equal(mapping.refresh(), true);
        assert.equal(mapping.bytes.toString(), 'xxxxx');
      });

      it('is followed through being empty', () => {
        map({}, 'r');
        for (let round = 0; round < 3; round++) {
          ftruncateSync(other, 0);
          assert.equal(mapping.refresh(), true);
          assert.equal(mapping.length, 0);
          assert.equal(mapping.size(), 0);
          assert.equal(mapping.residency().runs.length, 0);
          writeSync(other, 'back', 0);
          assert.equal(mapping.refresh(), true);
          assert.equal(mapping.bytes.toString(), 'back');
        }
        ftruncateSync(other, 0);
        mapping.refresh();
      });

      it('is repaired from it', () => {
        map({}, 'r');
        const { bytes } = mapping;
        ftruncateSync(other, PAGE);
        assert.equal(bytes[LENGTH - 1], 0);
        ftruncateSync(other, LENGTH);
        writeSync(other, 'new', LENGTH - 3);
        assert.equal(mapping.refresh(), mapping.filesystem === 'overlay');
        mapping.check();
        assert.equal(bytes.toString('latin1', LENGTH - 3), 'new');
      });

      it('grows it', () => {
        map({ access: 'read-write' });
        mapping.resize(2 * LENGTH);
        assert.equal(fstatSync(other).size, 2 * LENGTH);
        mapping.bytes.write('end', 2 * LENGTH - 3);
        const end = Buffer.alloc(3);
        readSync(other, end, 0, 3, 2 * LENGTH - 3);
        assert.equal(end.toString(), 'end');
      });

      it('grows it from nothing', () => {
        map({ access: 'read-write' });
        ftruncateSync(other, 0);
        mapping.refresh();
        mapping.resize(LENGTH);
        assert.equal(fstatSync(other).size, LENGTH);
        mapping.bytes.write('new');
        const start = Buffer.alloc(3);
        readSync(other, start, 0, 3, 0);
        assert.equal(start.toString(), 'new');
      });

      it('evicts its pages, and reports on them', () => {
        map({ access: 'read-write' });
        mapping.flush();
        mapping.evict();
        assert.deepEqual(mapping.residency().runs.map(({ resident }) => resident), [false]);
        assert.equal(mapping.bytes[0], 120);
        assert.equal(mapping.residency().runs[0].mapped, true);
      });

      it('is dumped, and its lines are read', () => {
        map({}, 'r');
        const cached = dump(other);
        assert.equal(cached.size, LENGTH);
        assert.equal(cached.modified, fstatSync(other).mtimeMs);
        assert.equal(residencyOf(other).runs.reduce((sum, { length }) => sum + length, 0), LENGTH);
        assert.equal([...mapping.lines()].length, 1);
        assert.equal([...mapping.windows({ size: PAGE })].length, LENGTH / PAGE);
      });
    });
  }

  it('keeps one duplicate, which closes on exec, until close()', async () => {
    const path = file('kept', 'abc');
    const handle = await open(path);
    const before = descriptors();
    for (const length of [undefined, 0]) {
      const mapping = mapFile(handle, { length });
      const opened = openedSince(before);
      assert.deepEqual(opened.map(([, link]) => link), [path]);
      assert.ok(closesOnExec(opened[0][0], readFileSync));
      mapping.close();
      mapping.close();
      assert.deepEqual(openedSince(before), []);
    }
    await handle.close();
  });

  it('gives it back when it is collected, empty or not', async () => {
    const fd = openSync(file('collected', 'abc'));
    const before = descriptors();
    for (let i = 0; i < 50; i++) mapFile(fd, { length: i % 4 });
    assert.ok(openedSince(before).length > 0);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    await until(async () => {
      collect();
      await setImmediate();
      return openedSince(before).length === 0;
    }, 'all descriptors to be closed');
    closeSync(fd);
  });

  it('gives it back when its thread ends, empty or not', async () => {
    const fd = openSync(file('thread', 'abc'));
    const before = descriptors();
    const worker = new Worker(
      `import { mapFile } from 'memmap';
       globalThis.kept = [${fd}, ${fd}].map((fd, length) => mapFile(fd, { length }));`,
      { eval: true, execArgv: ['--input-type=module'] },
    );
    await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    assert.deepEqual(openedSince(before), []);
    closeSync(fd);
  });

  it('leaves the descriptor of an empty mapping alone if other code has closed it', () => {
    const path = file('closed', '');
    const fd = openSync(path);
    const before = descriptors();
    const mapping = mapFile(fd);
    const [[kept]] = openedSince(before);
    closeSync(kept);
    const other = openSync('/dev/null');
    assert.equal(other, kept);
    assert.throws(() => mapping.size(), { code: 'EBADF', message: /closed by other code/ });
    mapping.close();
    closeSync(other); // it is open still
    closeSync(fd);
  });

  it('of a file that may no longer be opened works', () => {
    const path = file('forbidden', Buffer.alloc(LENGTH, 'x'));
    const fd = openSync(path, 'r+');
    unlinkSync(path);
    const mapping = mapFile(fd, { access: 'read-write' });
    closeSync(fd);
    mapping.resize(2 * LENGTH);
    assert.equal(mapping.size(), 2 * LENGTH);
    mapping.close();
  });

  it('of a memfd, that was empty, follows it', () => {
    const fd = memfd_create('empty');
    const mapping = mapFile(fd, { access: 'read-write' });
    mapping.resize(PAGE);
    mapping.bytes.write('new');
    assert.equal(readFileSync(`/proc/self/fd/${fd}`).toString('latin1', 0, 3), 'new');
    closeSync(fd);
    truncateSync(`/proc/self/fd/${openedSince(new Map()).find(([, link]) => link.startsWith('/memfd:empty'))[0]}`, 0);
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.length, 0);
    mapping.close();
  });

  it('reads lines and windows of more than 4 GiB after the file is renamed', () => {
    const path = file('large', 'one\n');
    const at = 2 ** 32 + 2 ** 20;
    const fd = openSync(path, 'r+');
    writeSync(fd, 'end\n', at);
    const before = descriptors();
    const mapping = mapFile(fd);
    renameSync(path, `${path}-new`);
    assert.deepEqual(Array.from(mapping.lines({ offset: at }), String), ['end']);
    let windows = 0;
    for (const _ of mapping.windows({ size: 2 ** 30 })) windows += 1;
    assert.equal(windows, 5);
    mapping.close();
    assert.equal(descriptors().size, before.size);
    closeSync(fd);
    unlinkSync(`${path}-new`);
  });

  it('that was placed keeps one, too', function () {
    if (!hasExternalBuffers) this.skip();
    const path = file('placed', Buffer.alloc(LENGTH, 'x'));
    const fd = openSync(path);
    const before = descriptors();
    const space = reserve(LENGTH);
    const mapping = space.place(0, { file: fd });
    assert.equal(openedSince(before).length, 1);
    renameSync(path, `${path}-new`);
    assert.equal(mapping.size(), LENGTH);
    space.close();
    assert.equal(descriptors().size, before.size);
    closeSync(fd);
  });

  it('without a descriptor to be had is EMFILE, and nothing is mapped or grown', async () => {
    await runs('no-descriptor-left', [file('none-left', 'abc')]);
  });
});

describe('a mapping made of a path', () => {
  const file = temporaryFiles();

  it('reads lines past 4 GiB that came after it was made', () => {
    const path = file('grown', 'abc');
    const before = descriptors();
    const mapping = mapFile(path);
    truncateSync(path, 2 ** 32 + 2 ** 20);
    const fd = openSync(path, 'r+');
    writeSync(fd, 'end', 2 ** 32 + 2 ** 20 - 3);
    closeSync(fd);
    assert.equal(mapping.refresh(), true);
    assert.deepEqual(Array.from(mapping.lines({ offset: mapping.length - 3 }), String), ['end']);
    mapping.close();
    assert.equal(descriptors().size, before.size);
    unlinkSync(path);
  });

  it('keeps no descriptor, and follows the path', () => {
    const path = file('path', 'abc');
    const before = descriptors();
    const mapping = mapFile(path);
    assert.deepEqual(openedSince(before), []);
    renameSync(file('next', 'another'), path);
    assert.throws(() => mapping.size(), { code: 'ERR_MEMMAP_FILE_REPLACED' });
    mapping.close();
    assert.ok(!isMapped(path));
    assert.equal(statSync(path).size, 7);
  });
});
