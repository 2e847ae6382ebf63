// Paths as bytes, and names that are not UTF-8, in all functions that take a file: lib/internal/path.ts,
// lib/file/{open-file,file-mapping,file-identity,touch,touch-call,residency-of,cache-dump}.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dump, mapFile, reserve, residencyOf, restore, touch } from 'memmap';
import { skip } from '../support/hooks.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** Bytes of a name, of which two are not UTF-8. */
const NAME = Buffer.from('na\xffme\xc3(\n.bin', 'latin1');
const ESCAPED = 'na%FFme%C3(%0A.bin';

describe('names that are not UTF-8', () => {
  const file = temporaryFiles();
  const bytesOf = (name) => Buffer.concat([Buffer.from(file('')), name]);
  let path;

  beforeEach(() => {
    path = bytesOf(NAME);
    writeFileSync(path, 'hello');
    // What a function that decodes the name would open.
    writeFileSync(path.toString(), 'wrong file');
  });

  it('mapFile() maps the file, whatever kind of bytes names it', () => {
    const plain = new Uint8Array(path);
    for (const named of [path, plain, new URL(`file://${file('')}${ESCAPED}`)]) {
      const mapping = mapFile(named);
      assert.equal(mapping.bytes.toString(), 'hello');
      assert.ok(Buffer.isBuffer(mapping.path));
      assert.deepEqual(mapping.path, path);
      mapping.close();
    }
  });

  it('the path of a mapping is a string where the bytes are UTF-8', () => {
    const named = file('ä b', 'x');
    for (const one of [named, Buffer.from(named)]) {
      const mapping = mapFile(one);
      assert.equal(mapping.path, named);
      mapping.close();
    }
  });

  it('the bytes are copied', () => {
    const mapping = mapFile(path);
    path.fill(120);
    assert.equal(mapping.size(), 5);
    mapping.close();
  });

  it('a mapping asks for, grows, refreshes, evicts and restores the same file', () => {
    const mapping = mapFile(path, { access: 'read-write', size: 10 });
    assert.equal(mapping.size(), 10);
    mapping.resize(5000);
    mapping.bytes[4999] = 33;
    mapping.flush();
    mapping.evict();
    assert.equal(readFileSync(path)[4999], 33);
    writeFileSync(path, 'short');
    assert.equal(mapping.refresh(), true);
    assert.equal(mapping.length, 5);
    assert.equal(readFileSync(path.toString(), 'utf8'), 'wrong file');
    renameSync(path, bytesOf(Buffer.from('away')));
    writeFileSync(path, 'another');
    assert.throws(() => mapping.size(), { code: 'ERR_MEMMAP_FILE_REPLACED', message: /na\ufffdme/ });
    mapping.close();
  });

  it('creates a file under its bytes, and removes it if it cannot be mapped', () => {
    const made = bytesOf(Buffer.from('made\xfe', 'latin1'));
    assert.throws(() => mapFile(made, { access: 'read-write', create: true, size: 4096, offset: 4097 }), { code: 'ERR_OUT_OF_RANGE', message: /made\ufffd/ });
    assert.ok(!existsSync(made));
    mapFile(made, { access: 'read-write', create: true, size: 7 }).close();
    assert.equal(statSync(made).size, 7);
  });

  it('a descriptor leads to the bytes', () => {
    const fd = openSync(path);
    try {
      const mapping = mapFile(fd);
      assert.deepEqual(mapping.path, path);
      mapping.close();
    } finally {
      closeSync(fd);
    }
  });

  it('a reservation places the file', function () {
    if (!hasExternalBuffers) skip(this, 'this runtime has no buffer over addresses of a reservation');
    const space = reserve(2 ** 20);
    assert.equal(space.place(0, { file: path }).bytes.toString(), 'hello');
    space.close();
  });

  it('residencyOf() reports the file', () => {
    assert.equal(residencyOf(path).pages, 1);
    writeFileSync(path, Buffer.alloc(12288));
    assert.equal(residencyOf(path).pages, 3);
    assert.equal(residencyOf(path, { offset: 0, length: 4096 }).pages, 1);
  });

  it('touch() reads strings and bytes side by side, and returns each as it was given', async () => {
    const missing = bytesOf(Buffer.from('missing\xff', 'latin1'));
    const found = [];
    const totals = await touch([path, path.toString(), missing], { onFile: (one, index) => (found[index] = one) });
    assert.deepEqual([totals.files, totals.failed, totals.bytes], [3, 1, 15]);
    assert.deepEqual(found.map(({ path: one }) => one), [path, path.toString(), missing]);
    assert.deepEqual(found.map(({ size }) => size), [5, 10, 0]);
    assert.deepEqual([found[2].error.code, found[2].error.path], ['ENOENT', missing.toString()]);
    const large = bytesOf(Buffer.from('large\xff', 'latin1'));
    writeFileSync(large, Buffer.alloc(2 ** 23));
    const progress = [];
    await touch(new Set([large]), { onProgress: (one) => progress.push(one.path) });
    assert.ok(progress.length > 1);
    assert.ok(progress.every((one) => one === large));
  });

  it('a dump keeps the bytes through JSON, and restore() finds the file', async () => {
    const cached = dump(path);
    assert.equal(cached.path, path.toString());
    assert.equal(cached.pathBytes, path.toString('base64'));
    const { changed, present } = await restore(JSON.parse(JSON.stringify(cached)));
    assert.deepEqual([changed, present], [false, 5]);
    assert.ok(!('pathBytes' in dump(file('plain', 'x'))));
    for (const [pathBytes, code] of [[5, 'ERR_INVALID_ARG_TYPE'], ['*', 'ERR_INVALID_ARG_VALUE'], ['', 'ERR_INVALID_ARG_VALUE'], ['AGEA', 'ERR_INVALID_ARG_VALUE']]) {
      await assert.rejects(restore({ ...cached, pathBytes }), { code });
    }
  });

  it('errors name the file as node:fs does', () => {
    const missing = bytesOf(Buffer.from('missing\xff', 'latin1'));
    assert.throws(() => mapFile(missing), { code: 'ENOENT', syscall: 'open', path: missing.toString() });
    assert.throws(() => residencyOf(missing), { code: 'ENOENT', syscall: 'open', path: missing.toString() });
  });

  it('refuses no bytes, and a null byte', async () => {
    for (const bad of [Buffer.alloc(0), Buffer.from('a\0b'), '', 'a\0b', new URL('file:///a%00b%FF')]) {
      assert.throws(() => mapFile(bad), { code: 'ERR_INVALID_ARG_VALUE' });
      if (!(bad instanceof URL)) await assert.rejects(touch([bad]), { code: 'ERR_INVALID_ARG_VALUE' });
    }
    for (const bad of [new Uint16Array(2), new ArrayBuffer(2), new DataView(new ArrayBuffer(1))]) {
      assert.throws(() => mapFile(bad), { code: 'ERR_INVALID_ARG_TYPE' });
      await assert.rejects(touch([bad]), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    for (const url of ['http://a/b%FF', 'file:///a%2Fb%FF', 'file://host/%FF']) assert.throws(() => mapFile(new URL(url)), TypeError);
  });

  it('a relative path starts at the working directory, also if that has such a name', () => {
    const folder = bytesOf(Buffer.from('folder\xff', 'latin1'));
    mkdirSync(folder);
    writeFileSync(Buffer.concat([folder, Buffer.from('/in\xfe', 'latin1')]), 'inside');
    writeFileSync(Buffer.concat([folder, Buffer.from('/plain')]), 'plain');
    const link = file('link');
    symlinkSync(folder, link);
    const script = `
      const { mapFile, residencyOf } = await import(${JSON.stringify(import.meta.resolve('memmap'))});
      const named = Buffer.from('in\\xfe', 'latin1');
      residencyOf(named);
      const texts = [mapFile(named), mapFile('plain'), mapFile('./plain')].map((one) => one.bytes.toString() + one.size());
      console.log(texts.join());`;
    const told = execFileSync('sh', ['-c', 'cd "$0" && exec "$1" --input-type=module -e "$2"', link, process.execPath, script], { encoding: 'utf8' });
    assert.equal(told, 'inside6,plain5,plain5\n');
  });
});
