// The advice at the end of messages fits the call, its error and its options: lib/internal/remedy.ts,
// lib/file/file-remedy.ts, lib/errors.ts, lib/internal/buffer.ts, lib/mem/protections.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { features, mapAnonymous, mapFile } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { AS_NOBODY } from '../support/cli/cli-runs.mjs';
import { smallTmpfs } from '../support/kernel/mount.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MAP, PAGE_SIZE, PROT } = sys;

describe('remedies', () => {
  const file = temporaryFiles();

  /** The error of a call. */
  function errorOf(call) {
    let result;
    try {
      result = call();
    } catch (error) {
      return error;
    }
    result?.close?.();
    throw new assert.AssertionError({ message: 'nothing was thrown' });
  }

  describe('of open(2)', () => {
    before(function () {
      if (process.getuid() !== 0) skip(this, 'only root can become another user');
    });

    /** The messages of mapFile() in a process without rights, for each [path, options]. */
    function messagesAsNobody(calls) {
      const script = `
        const { mapFile } = await import(${JSON.stringify(import.meta.resolve('memmap'))});
        const told = ${JSON.stringify(calls)}.map(([path, options]) => { try { mapFile(path, options); } catch (error) { return error.message; } });
        console.log(JSON.stringify(told));`;
      const [program, ...args] = [...AS_NOBODY, process.execPath, '--input-type=module', '-e', script];
      return JSON.parse(execFileSync(program, args, { encoding: 'utf8' }));
    }

    it('EACCES speaks of reading for a reader, of writing for a writer, of the folder for a new file', () => {
      const path = file('secret', 'x');
      chmodSync(file(''), 0o755);
      chmodSync(path, 0o600);
      const [read, copy, write, create] = messagesAsNobody([
        [path, {}],
        [path, { access: 'copy-on-write' }],
        [path, { access: 'read-write' }],
        [file('new'), { access: 'read-write', create: true, size: 5 }],
      ]);
      for (const message of [read, copy]) {
        assert.match(message, /^EACCES: permission denied, open '.*'\. This process may not read the file/);
        assert.doesNotMatch(message, /writ|descriptor/);
      }
      assert.match(write, /may not both read and write the file.*access: 'read'/);
      assert.match(create, /may not create a file in that folder/);
    });
  });

  it('of open(2): a directory, a program that runs, a socket, too many files', async () => {
    mkdirSync(file('folder'));
    assert.match(errorOf(() => mapFile(file('folder'))).message, /^EISDIR: .*only files can be mapped$/);
    assert.match(errorOf(() => mapFile(process.execPath, { access: 'read-write' })).message, /^ETXTBSY: .*access: 'read'/);
    const server = createServer();
    await new Promise((resolve) => server.listen(file('socket'), resolve));
    assert.match(errorOf(() => mapFile(file('socket'))).message, /^ENXIO: .*socket/);
    await new Promise((resolve) => server.close(resolve));
    const script = `
      import { mapFile } from ${JSON.stringify(import.meta.resolve('memmap'))};
      import { openSync } from 'node:fs';
      mapFile('/etc/passwd').close();
      try { for (;;) openSync('/dev/null'); } catch {}
      try { mapFile('/etc/passwd'); } catch (error) { console.log(error.message); }`;
    const told = execFileSync('sh', ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script], { encoding: 'utf8' });
    assert.match(told, /^EMFILE: .*ulimit -n/);
  });

  it('of mmap(2): EACCES says how the descriptor must be open', () => {
    const path = file('modes', Buffer.alloc(PAGE_SIZE));
    const [reader, writer] = [openSync(path, 'r'), openSync(path, 'a')];
    try {
      assert.match(errorOf(() => mapFile(reader, { access: 'read-write' })).message, /opened for reading and writing$/);
      assert.match(errorOf(() => sys.mmap(null, PAGE_SIZE, PROT.READ | PROT.WRITE, MAP.SHARED, reader)).message, /opened for reading and writing$/);
      for (const call of [() => mapFile(writer), () => mapFile(writer, { access: 'copy-on-write' }), () => sys.mmap(null, PAGE_SIZE, PROT.READ, MAP.SHARED, writer)]) {
        const { code, message } = errorOf(call);
        assert.equal(code, 'EACCES');
        assert.match(message, /The descriptor must be open for reading$/);
      }
      const { code, message } = errorOf(() => mapFile(reader, { access: 'read-write', size: 2 * PAGE_SIZE }));
      assert.deepEqual([code, message.endsWith('opened for reading and writing')], ['EBADF', true]);
    } finally {
      closeSync(reader);
      closeSync(writer);
    }
  });

  it('of mmap(2): noReserve is advised only where it changes something', function () {
    const length = 2 ** 46;
    const told = (call) => {
      const { code, message } = errorOf(call);
      assert.equal(code, 'ENOMEM');
      return message;
    };
    if (!features().supports.remapKeeping.supported) skip(this, 'an old kernel');
    const address = (flags) => () => sys.mmap(null, length, PROT.READ | PROT.WRITE, MAP.ANONYMOUS | flags, -1, 0);
    if (hasExternalShared) {
      assert.match(told(address(MAP.PRIVATE)), /MAP\.NORESERVE/);
      assert.doesNotMatch(told(() => sys.mmap(null, 2 ** 50, PROT.NONE, MAP.ANONYMOUS | MAP.PRIVATE | MAP.NORESERVE)), /noReserve|NORESERVE/);
    }
    assert.match(told(() => mapAnonymous({ length: 2 ** 50 })), /noReserve: true/);
    assert.doesNotMatch(told(() => mapAnonymous({ length: 2 ** 50, noReserve: true })), /noReserve/);
    assert.doesNotMatch(told(() => mapAnonymous({ length, sharing: 'shared' })), /noReserve/);
    const mapping = mapAnonymous({ length: PAGE_SIZE });
    assert.doesNotMatch(told(() => mapping.resize(2 ** 44)), /noReserve/);
    mapping.close();
  });

  describe('of a full file system', () => {
    const place = smallTmpfs(2 ** 16);

    it('ENOSPC does not talk of address space', () => {
      for (const call of [
        () => mapFile(place('grown'), { access: 'read-write', create: true, size: 2 ** 20 }),
        () => {
          const mapping = mapFile(place('small'), { access: 'read-write', create: true, size: 4096 });
          try {
            mapping.resize(2 ** 20);
          } finally {
            mapping.close();
          }
        },
      ]) {
        const { code, syscall, message } = errorOf(call);
        assert.deepEqual([code, syscall], ['ENOSPC', 'fallocate']);
        assert.match(message, /The file system is full: df/);
        assert.doesNotMatch(message, /address space|noReserve/);
      }
    });
  });

  describe('of a file system without programs', () => {
    const place = smallTmpfs(`${2 ** 16},noexec`);

    it('mprotect(2) does not ask for write access', () => {
      writeFileSync(place('code'), Buffer.alloc(PAGE_SIZE));
      const mapping = mapFile(place('code'));
      try {
        const { code, message } = errorOf(() => mapping.protect('read-execute'));
        assert.equal(code, 'EACCES');
        assert.match(message, /noexec/);
        assert.doesNotMatch(message, /read-write/);
      } finally {
        mapping.close();
      }
    });

    it('a file system for reading only says so', () => {
      writeFileSync(place('here'), 'x');
      execFileSync('mount', ['-o', 'remount,ro', place('')]);
      try {
        assert.match(errorOf(() => mapFile(place('here'), { access: 'read-write' })).message, /^EROFS: .*access: 'read'/);
      } finally {
        execFileSync('mount', ['-o', 'remount,rw', place('')]);
      }
    });
  });

  it('ENOTSUP of a call without a socket does not talk of one', () => {
    const path = file('plain', Buffer.alloc(PAGE_SIZE));
    const { code, message } = errorOf(() => mapFile(path, { access: 'read-write', sync: true }));
    assert.equal(code, 'ENOTSUP');
    assert.match(message, /^ENOTSUP: operation not supported, mmap/);
  });

  it('EFBIG names the limits', () => {
    const script = `
      import { mapFile } from ${JSON.stringify(import.meta.resolve('memmap'))};
      process.on('SIGXFSZ', () => undefined);
      try { mapFile(${JSON.stringify(file('limited'))}, { access: 'read-write', create: true, size: 2 ** 20 }); } catch (error) { console.log(error.message); }`;
    const told = execFileSync('sh', ['-c', 'ulimit -f 1; exec "$0" --input-type=module -e "$1"', process.execPath, script], { encoding: 'utf8' });
    assert.match(told, /^EFBIG: .*ulimit -f/);
  });

  it('EPERM of sealed memory names the seal', () => {
    const memory = SharedMemory.create({ length: PAGE_SIZE });
    memory.seal('write', 'grow');
    try {
      assert.match(errorOf(() => mapFile(memory.fd, { access: 'read-write' })).message, /^EPERM: .*seal/);
      assert.match(errorOf(() => mapFile(memory.fd, { access: 'read-write', size: 2 * PAGE_SIZE })).message, /^EPERM: .*seal/);
    } finally {
      memory.close();
    }
  });

  it('mlock(2) that no limit forbids does not advise to raise it', function () {
    if (process.getuid() !== 0) skip(this, 'only root may lock without a limit');
    const path = file('shrinks', Buffer.alloc(4 * PAGE_SIZE));
    const mapping = mapFile(path);
    try {
      truncateSync(path, PAGE_SIZE);
      const { code, message } = errorOf(() => mapping.lock());
      assert.equal(code, 'ENOMEM');
      assert.doesNotMatch(message, /ulimit -l/);
      assert.match(message, /shorter/);
    } finally {
      mapping.close();
    }
  });

  it('only programs that Node runs are told to use another Node', function () {
    if (hasExternalShared) skip(this, 'this runtime can make every buffer');
    const script = `
      const { mmap, MAP, PROT } = await import(${JSON.stringify(import.meta.resolve('memmap/sys'))});
      try { mmap(2 ** 40, 4096, PROT.READ, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0, { shared: true }); } catch (error) { console.log(error.message); }`;
    const told = (before) => execFileSync(process.execPath, ['--input-type=module', '-e', before + script], { encoding: 'utf8' });
    assert.match(told(''), /^Node .*, or Node 22\.23/);
    for (const [key, name] of [['bun', 'Bun'], ['deno', 'Deno']]) {
      const message = told(`Object.defineProperty(process, 'versions', { value: { ...process.versions, ${key}: '1.2.3' } });`);
      assert.match(message, new RegExp(`^${name} 1\\.2\\.3 cannot`));
      assert.doesNotMatch(message, /Node/);
    }
  });
});
