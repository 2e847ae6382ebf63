// Store: values, transactions, commits, one writer, readers elsewhere: lib/store/{store,open,writer,reader}.ts,
// lib/store/file/{prefault,rehearsal}.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, openSync, readFileSync, renameSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { features } from 'memmap';
import { Store } from 'memmap/store';
import { PAGE_SIZE } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { cachestatOrSkip } from '../support/kernel/kernel.mjs';
import { fixture, runProgram } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const TMPFS = 0x01021994;

const bytes = (text) => Buffer.from(text);

function caught(act) {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail('it throws nothing');
}

describe('Store', () => {
  const file = temporaryFiles();
  let count = 0;
  let path;
  let store;
  beforeEach(() => {
    path = file(`${(count += 1)}.db`);
    store = Store.open(path);
  });
  afterEach(() => store.close());

  it('keeps what it was given, by string or by bytes, for the next who opens it', () => {
    store.put('ada', bytes('Lovelace'));
    store.put(Buffer.from([0, 255]), bytes('binary'));
    store.put('', Buffer.alloc(0));
    store.put('żółw', bytes('turtle'));
    store.close();
    store = Store.open(path);
    assert.equal(String(store.get('ada')), 'Lovelace');
    assert.equal(String(store.get(bytes('ada'))), 'Lovelace');
    assert.equal(String(store.getView('żółw')), 'turtle');
    assert.deepEqual(store.get(''), Buffer.alloc(0));
    assert.equal(store.get('Ada'), undefined);
    assert.equal(store.getView('Ada'), undefined);
    assert.deepEqual([store.has('ada'), store.has('Ada'), store.size], [true, false, 4]);
    const keys = Array.from(store, ([key]) => (typeof key === 'string' ? key : key.toString('hex')));
    assert.deepEqual(keys.toSorted(), ['', '00ff', 'ada', 'żółw']);
  });

  for (const durability of ['commit', 'put']) {
    it(`says that its path leads to another file, or nowhere, once what it has is on the disk: ${durability}`, async () => {
      const replaced = { name: 'StateError', code: 'ERR_MEMMAP_FILE_REPLACED', message: /open the path again/ };
      for (const change of ['replaced', 'removed', 'renamed']) {
        const own = file(`${change}-${durability}.db`);
        const other = Store.open(own, { durability });
        other.put('a', bytes('before'));
        other.commit();
        if (change === 'replaced') {
          copyFileSync(own, `${own}.new`);
          renameSync(`${own}.new`, own);
        } else if (change === 'removed') {
          unlinkSync(own);
        } else {
          renameSync(own, `${own}.elsewhere`);
        }
        const commits = [() => other.put('a', bytes('after')), () => other.commit(), () => other.transaction(() => other.delete('a'))];
        for (const act of commits) {
          if (change === 'renamed' || (durability === 'commit' && act !== commits[1])) act();
          else assert.throws(act, replaced, change);
        }
        if (change === 'renamed') {
          await other.commitAsync();
          other.close();
          const moved = Store.open(`${own}.elsewhere`);
          assert.equal(moved.has('a'), false);
          moved.close();
          continue;
        }
        await assert.rejects(other.commitAsync(), replaced, change);
        assert.throws(() => other.close(), replaced, change);
        assert.ok(other.closed);
        other.close();
        const again = Store.open(own);
        assert.equal(again.get('a')?.toString(), change === 'replaced' ? 'before' : undefined);
        again.close();
      }
    });
  }

  describe('refuses, and leaves as it is,', () => {
    const image = Buffer.alloc(2 ** 20);
    image.fill('precious', 200_000);
    const others = {
      'a short text': bytes('{"port":80}\n'),
      'a byte': bytes('x'),
      'a long text': Buffer.alloc(300_000, 'text '),
      'an image that begins with zeros': image,
      'zeros, longer than a header': Buffer.alloc(2 ** 16 + 1),
      'the start of a store': Buffer.concat([bytes('memmapKV'), Buffer.alloc(100)]),
    };
    for (const [what, content] of Object.entries(others)) {
      it(what, () => {
        const other = file('other');
        writeFileSync(other, content);
        const code = what === 'the start of a store' ? 'ERR_MEMMAP_CORRUPT' : 'ERR_MEMMAP_NOT_A_STORE';
        for (const options of [{}, { salvage: true }, { readOnly: true }, { durability: 'put' }]) {
          const start = performance.now();
          const error = caught(() => Store.open(other, options));
          assert.ok(error.code === code || (options.readOnly && error.code === 'ERR_MEMMAP_NOT_A_STORE'), error.stack);
          assert.ok(performance.now() - start < 1000);
          assert.ok(readFileSync(other).equals(content), JSON.stringify(options));
        }
      });
    }

    it('a directory, a FIFO and a device; for reading an empty file', () => {
      const fifo = file('fifo');
      assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
      const empty = file('empty', '');
      for (const [other, options, codes] of [
        [fifo, {}], [fifo, { readOnly: true }], [dirname(path), { readOnly: true }], [dirname(path), {}, /EISDIR/], ['/dev/null', {}], ['/dev/null', { readOnly: true }],
        [empty, { readOnly: true }],
      ]) {
        const start = performance.now();
        assert.match(caught(() => Store.open(other, options)).code, codes ?? /^ERR_MEMMAP_NOT_A_STORE$/, `${other} ${JSON.stringify(options)}`);
        assert.ok(performance.now() - start < 1000);
      }
      const made = Store.open(empty);
      made.put('a', bytes('b'));
      made.close();
    });
  });

  it('leaves no file behind when the process has too few descriptors to open it', async () => {
    const few = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, fixture('first-store'), file('first')];
    const { code, stderr } = await runProgram('sh', few);
    assert.equal(code, 0, stderr);
  });

  it('gives copies that stay, and views that stay when the key is put again', () => {
    store.put('a', bytes('first'));
    const [copy, view] = [store.get('a'), store.getView('a')];
    store.put('a', bytes('second'));
    assert.deepEqual([String(copy), String(view), String(store.get('a'))], ['first', 'first', 'second']);
    store.delete('a');
    assert.deepEqual([String(view), store.get('a'), store.delete('a')], ['first', undefined, false]);
    copy.fill(0);
    store.close();
    assert.equal(view.every((byte) => byte === 0), true);
  });

  it('a write to a view reaches nobody, and is told of', () => {
    store.put('a', bytes('what it is'));
    const view = store.getView('a');
    view[0] = 0;
    assert.throws(() => store.get('a'), { code: 'ERR_MEMMAP_READ_ONLY' });
    // Once: then the memory is what it should be again.
    assert.deepEqual([String(store.get('a')), String(view)], ['what it is', 'what it is']);
    const reader = Store.open(path, { readOnly: true });
    assert.equal(String(reader.get('a')), 'what it is');
    reader.close();
    store.close();
    store = Store.open(path);
    assert.equal(String(store.get('a')), 'what it is');
  });

  it('a transaction is there as a whole, sees itself, and is nothing if it throws', () => {
    store.put('a', bytes('1'));
    const result = store.transaction(() => {
      store.put('b', bytes('2'));
      store.delete('a');
      assert.deepEqual([store.has('a'), String(store.get('b')), store.size], [false, '2', 1]);
      return 'done';
    });
    assert.deepEqual([result, store.has('a'), String(store.get('b')), store.size], ['done', false, '2', 1]);
    assert.throws(() => store.transaction(() => {
      store.put('c', bytes('3'));
      store.delete('b');
      throw new RangeError('no');
    }), RangeError);
    assert.deepEqual([store.has('c'), String(store.get('b')), store.size], [false, '2', 1]);
    assert.throws(() => store.transaction(async () => {}), { code: 'ERR_MEMMAP_TRANSACTION' });
    assert.throws(() => store.transaction(() => store.commit()), { code: 'ERR_MEMMAP_TRANSACTION' });
  });

  it('has the disk begin with what is full of its log before commit()', async function () {
    if (statfsSync(path).type === TMPFS) skip(this, 'there is no disk behind the file');
    for (let i = 0; i < 64; i++) store.put(`key ${i}`, Buffer.alloc(2 ** 20, i));
    const fd = openSync(path, 'r');
    try {
      // Long before the kernel would by itself, after 30 s.
      await until(() => cachestatOrSkip(this, fd).dirty * PAGE_SIZE < 2 ** 25, 'the disk has half of it', 15);
    } finally {
      closeSync(fd);
    }
    store.commit();
  });

  it('has pages brought in by another thread before it writes to them, if it writes fast', async function () {
    if (!features().supports.populate.supported) skip(this, 'MADV_POPULATE_WRITE is Linux 5.14');
    if (statfsSync(path).type === TMPFS) skip(this, 'no page of a file in memory is clean');
    let next = 0;
    const put = () => store.put(`key ${(next += 1)}`, Buffer.alloc(2 ** 16, next));
    while (next < 1000) put();
    // Into a new piece of the log: the disk has got those before.
    for (const { extents } = store.stats(); store.stats().extents === extents; ) put();
    const fd = openSync(path, 'r');
    try {
      await until(() => cachestatOrSkip(this, fd).dirty * PAGE_SIZE > 2 ** 20, 'pages are there to be written to', 15);
    } finally {
      closeSync(fd);
    }
  });

  it('lets one write, and says who it is; readers come at any time', () => {
    store.put('a', bytes('1'));
    assert.throws(() => Store.open(path, { timeout: 20 }), { code: 'ERR_MEMMAP_TIMEOUT', message: new RegExp(`process ${process.pid}`) });
    const program = `
      const { Store } = await import('memmap/store');
      const reader = Store.open(process.argv[1], { readOnly: true });
      console.log(String(reader.get('a')), reader.size);
      try { reader.put('b', Buffer.alloc(1)); } catch (error) { console.log(error.code); }
      try { Store.open(process.argv[1], { timeout: 0 }); } catch (error) { console.log(error.code); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, path], { encoding: 'utf8' });
    assert.equal(stdout, '1 1\nERR_MEMMAP_READ_ONLY_STORE\nERR_MEMMAP_TIMEOUT\n', stderr);
  });

  it('a reader in another thread follows growth, replaced segments and compaction', async function () {
    this.timeout(300_000);
    const program = `
      const { workerData, parentPort } = require('node:worker_threads');
      import('memmap/store').then(({ Store }) => {
        const reader = Store.open(workerData, { readOnly: true });
        let reads = 0, newest = 0;
        parentPort.postMessage('open');
        for (;;) {
          const size = reader.size;
          const i = Math.floor(Math.random() * (size + 1));
          const value = reader.get('key ' + i);
          if (value !== undefined && value.readUInt32LE(0) % 100003 !== i) throw new Error('torn: ' + i);
          reads += 1;
          newest = Math.max(newest, size);
          if (reader.has('end')) break;
        }
        parentPort.postMessage({ reads, newest });
        reader.close();
      });`;
    const worker = new Worker(program, { eval: true, workerData: path });
    worker.unref(); // it ends when it finds the end, or with the run
    await once(worker, 'message');
    const told = once(worker, 'message');
    try {
      const value = Buffer.alloc(100);
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 30_000; i++) {
          value.writeUInt32LE(i + 100_003 * round, 0);
          store.put(`key ${i}`, value);
        }
        await store.compact({ waste: 0 });
      }
      store.put('end', Buffer.alloc(1));
      const [{ reads, newest }] = await told;
      assert.ok(reads > 100 && newest >= 30_000, `${reads} reads, ${newest} pairs`);
    } finally {
      await worker.terminate();
    }
    assert.deepEqual((await store.check()).damage, []);
    const { logBytes, liveBytes, indexBytes } = store.stats();
    assert.ok(indexBytes > 8 * 2 ** 16 && logBytes < 2 * liveBytes + 2 ** 20, 'segments were replaced, the log has become short');
  });

  it('a copy of a store that is open is not believed, but made anew from its log', () => {
    for (let i = 0; i < 1000; i++) store.put(`key ${i}`, bytes(String(i)));
    const copy = file('copy.db');
    copyFileSync(path, copy);
    const other = Store.open(copy);
    assert.deepEqual([other.size, String(other.get('key 999'))], [1000, '999']);
    other.close();
  });
});
