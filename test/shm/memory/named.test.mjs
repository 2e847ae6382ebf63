// Shared memory with a name in /dev/shm: lib/shm/memory/{named,shared-memory}.ts,
// src-native/core/mapping/shared_memory.cc.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, constants, existsSync, lstatSync, openSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { PeerError, SharedMemory } from 'memmap/shm';
import { closedAfterEach, countDescriptors } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { peerReads, peerWrites } from '../../support/process/peer.mjs';
import { until } from '../../support/until.mjs';

describe('SharedMemory with a name', () => {
  const keep = closedAfterEach();
  const prefix = `memmap-test-${process.pid}-`;
  let count = 0;
  const nextName = () => `${prefix}${(count += 1)}`;
  const pathOf = (name) => `/dev/shm/${name}`;
  const ours = () => SharedMemory.list().filter((one) => one.name.startsWith(prefix));
  afterEach(() => {
    for (const name of readdirSync('/dev/shm')) if (name.startsWith(prefix)) rmSync(pathOf(name));
  });

  it('is a file of /dev/shm that only its user opens, with every page allocated', () => {
    const name = nextName();
    const memory = keep(SharedMemory.create({ name, length: 10_000 }));
    assert.equal(memory.name, name);
    const { size, blocks, mode } = lstatSync(pathOf(name));
    assert.deepEqual([size, blocks * 512, mode & 0o777], [10_000, 12_288, 0o600]);
  });

  it('is what other processes find by the name, with mmap, and the other way round', () => {
    const name = nextName();
    const memory = keep(SharedMemory.create({ name, length: 4096 }));
    const mapping = keep(memory.map());
    mapping.bytes.write('ours');
    assert.equal(peerReads(pathOf(name), 0, 4).toString(), 'ours');
    peerWrites(pathOf(name), 100, 'theirs');
    const again = keep(keep(SharedMemory.open(name)).map());
    assert.equal(again.bytes.toString('latin1', 100, 106), 'theirs');
  });

  it('takes the one slash before a name that shm_open(3) knows', () => {
    const name = nextName();
    const memory = keep(SharedMemory.create({ name: `/${name}`, length: 4096 }));
    assert.equal(memory.name, name);
    keep(memory.map()).bytes[0] = 7;
    for (const one of [name, `/${name}`]) {
      const again = keep(SharedMemory.open(one, { create: true, length: 1 }));
      assert.deepEqual([again.name, again.length, keep(again.map()).bytes[0]], [name, 4096, 7]);
    }
    assert.equal(peerReads(pathOf(name), 0, 1)[0], 7);
    SharedMemory.unlink(`/${name}`);
    assert.ok(!existsSync(pathOf(name)));
  });

  it('is opened, never made anew, while the name is taken', () => {
    const name = nextName();
    const first = keep(SharedMemory.create({ name, length: 4096 }));
    assert.throws(() => SharedMemory.create({ name, length: 4096 }), {
      code: 'EEXIST', syscall: 'linkat', path: name, message: /SharedMemory\.unlink\(\)/,
    });
    const second = keep(SharedMemory.open(name, { create: true, length: 4096 }));
    keep(first.map()).bytes[0] = 1;
    assert.equal(keep(second.map()).bytes[0], 1);
  });

  it('open() makes it where nothing has the name, on request only', () => {
    const name = nextName();
    assert.throws(() => SharedMemory.open(name), { code: 'ENOENT', syscall: 'shm_open', path: name });
    const before = countDescriptors();
    assert.equal(keep(SharedMemory.open(name, { create: true, length: 5 })).length, 5);
    assert.equal(countDescriptors(), before + 1);
    assert.throws(() => SharedMemory.open(name, { create: true }), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  it("open() with access: 'read' has a descriptor for no more than that", () => {
    const name = nextName();
    keep(SharedMemory.create({ name, length: 4096 }));
    const reader = keep(SharedMemory.open(name, { access: 'read' }));
    assert.equal(reader.access, 'read');
    assert.throws(() => reader.map(), { code: 'EACCES', syscall: 'mmap' });
    assert.equal(keep(reader.map({ access: 'read' })).bytes[0], 0);
    const made = keep(SharedMemory.open(nextName(), { create: true, length: 4096, access: 'read' }));
    assert.throws(() => made.map(), { code: 'EACCES' });
  });

  it('open() refuses what is too short, what is not a file, and what a link leads to', () => {
    const [short, folder, fifo] = [nextName(), nextName(), nextName()];
    keep(SharedMemory.create({ name: short, length: 10 }));
    const before = countDescriptors();
    assert.throws(() => SharedMemory.open(short, { length: 11 }), { code: 'ERR_MEMMAP_TOO_SHORT' });
    writeFileSync(pathOf(folder), '');
    assert.throws(() => SharedMemory.open(folder), (error) => error instanceof PeerError && error.code === 'ERR_MEMMAP_TOO_SHORT');
    symlinkSync('/etc/passwd', pathOf(fifo));
    assert.throws(() => SharedMemory.open(fifo), { code: 'ELOOP' });
    assert.equal(countDescriptors(), before);
  });

  it('names are one component, of at most 255 bytes', () => {
    for (const name of ['', '.', '..', 'a/b', '/', '//a', '/a/b', '/.', '/..', 'a/', 'a\0', 'x'.repeat(256), `/${'x'.repeat(256)}`, 'ä'.repeat(128)]) {
      assert.throws(() => SharedMemory.create({ name, length: 1 }), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.throws(() => SharedMemory.open(name), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.throws(() => SharedMemory.unlink(name), { code: 'ERR_INVALID_ARG_VALUE' });
    }
  });

  it('unlink() removes the name, and the memory lives on with those who have it', () => {
    const name = nextName();
    const memory = keep(SharedMemory.create({ name, length: 4096 }));
    const mapping = keep(memory.map());
    memory.unlink();
    assert.equal(existsSync(pathOf(name)), false);
    mapping.bytes[0] = 1;
    assert.equal(keep(memory.map()).bytes[0], 1);
    assert.throws(() => memory.unlink(), { code: 'ENOENT', syscall: 'shm_unlink' });
  });

  it('unlink() does not remove memory that others have put in its place', () => {
    const name = nextName();
    const memory = keep(SharedMemory.create({ name, length: 4096 }));
    SharedMemory.unlink(name);
    keep(SharedMemory.create({ name, length: 8192 }));
    assert.throws(() => memory.unlink(), { code: 'ERR_MEMMAP_FILE_REPLACED' });
    assert.equal(lstatSync(pathOf(name)).size, 8192);
    assert.throws(() => keep(SharedMemory.create({ length: 1 })).unlink(), { code: 'ERR_MEMMAP_NO_NAME' });
    assert.throws(() => SharedMemory.unlink(nextName()), { code: 'ENOENT' });
  });

  it('list() tells length, owner and age, and which processes have it open or mapped', async () => {
    const name = nextName();
    const started = Date.now();
    const memory = SharedMemory.create({ name, length: 12_345 });
    const [found] = ours();
    assert.deepEqual(
      { ...found, modified: undefined },
      { name, length: 12_345, uid: process.geteuid(), modified: undefined, usedBy: [process.pid] },
    );
    assert.ok(Math.abs(found.modified.getTime() - started) < 60_000);
    // Mapped, but not open; open, but not mapped; neither.
    const mapping = memory.map();
    memory.close();
    assert.deepEqual(ours()[0].usedBy, [process.pid]);
    const fd = openSync(pathOf(name), constants.O_RDONLY);
    const child = spawn('sleep', ['60'], { stdio: [fd, 'ignore', 'ignore'] });
    closeSync(fd);
    mapping.close();
    await until(() => ours()[0].usedBy.includes(child.pid), 'the other process is listed');
    child.kill();
    await new Promise((resolve) => child.on('exit', resolve));
    assert.deepEqual(ours()[0].usedBy, []);
  });

  it('what a killed process leaves behind is listed as nobody\'s, and can be removed', async () => {
    const name = nextName();
    const program = `
      import { SharedMemory } from 'memmap/shm';
      const memory = SharedMemory.create({ name: '${name}', length: 4096 });
      memory.map().bytes.write('left');
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
    const [, signal] = await new Promise((resolve) => child.on('exit', (...how) => resolve(how)));
    assert.equal(signal, 'SIGKILL');
    assert.deepEqual(ours().map((one) => [one.name, one.usedBy]), [[name, []]]);
    assert.equal(keep(keep(SharedMemory.open(name)).map()).bytes.toString('latin1', 0, 4), 'left');
    SharedMemory.unlink(name);
    assert.deepEqual(ours(), []);
  });

  it('a name appears only once its memory is complete', () => {
    const name = nextName();
    assert.throws(() => SharedMemory.create({ name, length: 2 ** 45 }), (error) => ['ENOSPC', 'ENOMEM'].includes(error.code));
    assert.deepEqual(ours(), []);
  });

  it('belongs to its owner: another user may not open it', function () {
    if (process.geteuid() !== 0) skip(this, 'needs root to become another user');
    const name = nextName();
    keep(SharedMemory.create({ name, length: 4096 }));
    process.seteuid(65534);
    try {
      assert.throws(() => SharedMemory.open(name), { code: 'EACCES', path: name });
      assert.throws(() => SharedMemory.unlink(name), (error) => ['EACCES', 'EPERM'].includes(error.code));
    } finally {
      process.seteuid(0);
    }
    chmodSync(pathOf(name), 0o644);
  });
});
