// Every error code is documented, raised and of its class: lib/errors.ts, lib/internal/syscall.ts,
// lib/internal/remedy.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { FaultError, Reservation, StateError, SystemError, UnsupportedError, configure, guard, mapAnonymous, mapFile, reserve } from 'memmap';
import { Event, Mutex, PeerError, SharedMemory, connect, listen } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { CHANNEL_ERRORS } from '../support/boundary/channel-errors.mjs';
import { skip } from '../support/hooks.mjs';
import { NUMA_ERRORS, withoutCapabilities } from '../support/boundary/numa-errors.mjs';
import { maps } from '../support/kernel/proc.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { STORE_ERRORS } from '../support/boundary/store-errors.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { PAGE_SIZE } = sys;
const documentation = readFileSync('docs/errors.md', 'utf8');

/** The codes in the tables of docs/errors.md: { code, is: the class, or the calls }. */
function documented(pattern) {
  return [...documentation.matchAll(/^\| (`[A-Z_`, ]+) \| ([^|]+) \|/gm)]
    .flatMap(([, codes, is]) => codes.match(/[A-Z_]+/g).map((code) => ({ code, is: is.trim() })))
    .filter(({ code }) => pattern.test(code));
}

function codesInLibrary() {
  const sources = readdirSync('lib', { recursive: true }).filter((name) => name.endsWith('.ts'));
  // In quotes: where it is thrown, not where a comment speaks of it.
  const codes = sources.flatMap((name) => Array.from(readFileSync(join('lib', name), 'utf8').matchAll(/'(ERR_[A-Z_]+)'/g), ([, code]) => code));
  return [...new Set(codes)].toSorted();
}

describe('Errors', () => {
  const file = temporaryFiles();
  const source = () => file('errors', Buffer.alloc(4 * PAGE_SIZE, 1));

  it('every code of ours in lib/ is documented, and every documented one is in lib/', () => {
    assert.deepEqual(documented(/^ERR_/).map(({ code }) => code).toSorted(), codesInLibrary());
  });

  const CLASSES = { TypeError, RangeError, Error, StateError, UnsupportedError, FaultError, PeerError };

  /** How each documented code comes about. `skip`: why it does not come about here. */
  const PROVOKED = {
    ERR_INVALID_ARG_TYPE: { call: () => reserve('4096') },
    ERR_INVALID_ARG_VALUE: { call: () => mapAnonymous({ length: 4096, Access: 'read' }) },
    ERR_OUT_OF_RANGE: { call: () => reserve(1.5) },
    ERR_STRING_TOO_LONG: { call: () => mapAnonymous({ length: 2 ** 31, noReserve: true }).toString() },
    ERR_ILLEGAL_CONSTRUCTOR: { call: () => new Reservation() },
    ERR_ACCESS_DENIED: { skip: 'it takes --permission: see permission.test.mjs' },
    ERR_MEMMAP_WRITE_EXEC: { call: () => mapAnonymous({ length: 4096, access: 'read-write-execute' }) },
    ERR_MEMMAP_FOREIGN_ADDRESS: { call: () => sys.munmap(new ArrayBuffer(4096)) },
    ERR_MEMMAP_CLOSED: {
      call: () => {
        const mapping = mapAnonymous({ length: 4096 });
        mapping.close();
        return mapping.buffer;
      },
    },
    ERR_MEMMAP_DETACHED: {
      call: () => {
        const mapping = mapAnonymous({ length: 4096, buffer: 'array' });
        new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(mapping.bytes) });
        return mapping.bytes;
      },
    },
    ERR_MEMMAP_FILE_REPLACED: {
      call: () => {
        const mapping = mapFile(source());
        renameSync(file('another', 'x'), mapping.path);
        try {
          return mapping.size();
        } finally {
          mapping.close();
        }
      },
    },
    ERR_MEMMAP_TIMEOUT: { call: () => new Event(mapAnonymous({ length: 8 }), 0).wait({ timeout: 0 }) },
    ERR_MEMMAP_DEADLOCK: {
      call: () => {
        const mutex = new Mutex(mapAnonymous({ length: 8 }), 0);
        mutex.lock();
        mutex.lock();
      },
    },
    ERR_MEMMAP_NOT_OWNER: { call: () => new Mutex(mapAnonymous({ length: 8 }), 0).unlock() },
    ...CHANNEL_ERRORS, ...STORE_ERRORS,
    ERR_MEMMAP_CORRUPT: {
      call: () => {
        const memory = mapAnonymous({ length: 8 });
        memory.bytes.fill(0xff);
        new Mutex(memory, 0).lock();
      },
    },
    ERR_MEMMAP_TOO_LATE: {
      call: () => {
        mapAnonymous({ length: 4096 }).close();
        configure({ guard: false });
      },
    },
    ERR_MEMMAP_TRUNCATED: {
      call: () => {
        const mapping = mapFile(source());
        truncateSync(mapping.path, 0);
        mapping.copyOut(0, 1);
      },
    },
    ERR_MEMMAP_NO_SPACE: { skip: 'it takes a full file system: see test/guard' },
    ERR_MEMMAP_MEMORY_FAILURE: { skip: 'it takes broken memory: see test/vm' },
    ERR_MEMMAP_READ_ONLY: { call: () => mapFile(source()).copyIn(0, Buffer.alloc(1)) },
    ERR_MEMMAP_NO_ACCESS: {
      call: () => {
        const mapping = mapAnonymous({ length: 4096, access: 'none' });
        assert.equal(mapping.bytes[0], 0);
        mapping.check();
      },
    },
    ERR_MEMMAP_FAULT: { call: () => guard(() => (mapFile(source()).bytes[0] = 1)) },
    ERR_MEMMAP_NO_NAME: { call: () => SharedMemory.create({ length: 1 }).unlink() },
    ERR_MEMMAP_NOT_MEMORY: {
      call: () => {
        const fd = openSync('/dev/null');
        try {
          SharedMemory.fromFd(fd);
        } finally {
          closeSync(fd);
        }
      },
    },
    ERR_MEMMAP_NOT_SEALED: { call: () => SharedMemory.fromFd(SharedMemory.create({ length: 1 }).fd, { require: ['shrink'] }) },
    ERR_MEMMAP_TOO_SHORT: { call: () => SharedMemory.fromFd(SharedMemory.create({ length: 1 }).fd, { length: 2 }) },
    ERR_MEMMAP_UNSUPPORTED: { skip: 'it takes an older kernel: see test/vm' },
    ERR_MEMMAP_PLATFORM: { skip: 'the import throws it: see below' },
    ERR_MEMMAP_BUFFER_TOO_LARGE: {
      skip: hasExternalShared && 'this runtime has buffers of any length',
      call: () => mapAnonymous({ length: 2 ** 33, noReserve: true }).buffer,
    },
    ERR_MEMMAP_NO_SHARED_BUFFER: {
      skip: hasExternalShared && 'this runtime can put a SharedArrayBuffer over any memory',
      call: () => mapAnonymous({ length: 4096, growsDown: true, buffer: 'shared' }).buffer,
    },
    ERR_MEMMAP_NO_EXTERNAL_BUFFER: { skip: 'it takes another engine: see no-external-buffers.test.mjs' },
    ERR_MEMMAP_LINE_TOO_LONG: { skip: 'it takes a line of more than 4 GiB' },
  };

  for (const { code, is } of documented(/^ERR_/)) {
    it(`${code} is a ${is}`, function () {
      const { skip: reason, call } = PROVOKED[code];
      if (reason) skip(this, reason);
      assert.throws(call, (error) => {
        assert.equal(error.code, code);
        assert.equal(error.constructor, CLASSES[is]);
        assert.equal(error.name, is);
        return true;
      });
    });
  }

  it('ERR_MEMMAP_PLATFORM is what the import throws elsewhere than on Linux', () => {
    for (const name of ['memmap', 'memmap/http', 'memmap/shm', 'memmap/store', 'memmap/sys']) {
      const program = `
        Object.defineProperty(process, 'platform', { value: 'darwin' });
        await import('${name}').then(() => process.exit(1), (error) => {
          console.log(JSON.stringify({ code: error.code, name: error.name, message: error.message }));
        });`;
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      const { code, name: kind, message } = JSON.parse(stdout);
      assert.deepEqual([code, kind], ['ERR_MEMMAP_PLATFORM', 'Error']);
      assert.match(message, /Linux.*darwin/);
    }
  });

  describe('of the kernel', () => {
    const foreign = () => maps().find(({ path }) => path === process.execPath).start;
    const OLDER = 'it takes an older kernel';
    const whole = (mapping, act) => {
      try {
        return act(mapping);
      } finally {
        mapping.close();
      }
    };
    /** `code, call`: what brings it about. */
    const PROVOKED_BY_KERNEL = {
      'ENOENT open': () => mapFile('/nowhere'),
      'EACCES open': () => {
        const secret = source();
        chmodSync(secret, 0o000);
        withoutCapabilities(() => mapFile(secret));
      },
      'EACCES mmap': () => {
        const fd = openSync(source(), 'r');
        try {
          mapFile(fd, { access: 'read-write' });
        } finally {
          closeSync(fd);
        }
      },
      'EACCES mprotect': () => whole(mapFile(source()), (mapping) => mapping.protect('read-write')),
      'EISDIR fstat': () => mapFile('/'),
      'ENODEV fstat': () => mapFile('/proc/self/maps'),
      'EBADF fstat': () => mapFile(2 ** 31 - 1),
      'ENOSPC fallocate': existsSync('/dev/shm') ? () => {
        const path = `/dev/shm/memmap-errors-${process.pid}`;
        try {
          mapFile(path, { access: 'read-write', create: true, size: 2 ** 44 });
        } finally {
          rmSync(path, { force: true });
        }
      } : 'there is no /dev/shm',
      'ENOMEM fallocate': () => SharedMemory.create({ length: 2 ** 46 }),
      'EEXIST linkat': () => {
        const name = `memmap-errors-${process.pid}`;
        try {
          whole(SharedMemory.create({ name, length: 1 }), () => SharedMemory.create({ name, length: 1 }));
        } finally {
          SharedMemory.unlink(name);
        }
      },
      'EPERM mmap': () => whole(SharedMemory.create({ length: 1 }), (memory) => {
        memory.seal('write');
        memory.map();
      }),
      'EPERM fcntl': () => whole(SharedMemory.create({ length: 1 }), (memory) => {
        memory.seal('seal');
        memory.seal('grow');
      }),
      'EBUSY fcntl': () => whole(SharedMemory.create({ length: 1 }), (memory) => whole(memory.map(), () => memory.seal('write'))),
      'ENOSYS memfd_secret': OLDER,
      'EADDRINUSE bind': () => listen(source(), () => {}),
      'ECONNREFUSED connect': () => connect(source()),
      'ENOENT connect': () => connect(file('nothing')),
      'EPIPE sendmsg': 'it takes a peer that goes: see test/shm/socket/send-fds.test.mjs',
      'ECONNRESET recv': 'it takes a peer that goes: see test/shm/socket/send-fds.test.mjs',
      'EMFILE fcntl': 'the fixture no-descriptor-left does it',
      'EMFILE recvmsg': 'the fixture few-descriptors does it',
      'ENOMEM mmap': () => mapAnonymous({ length: 2 ** 50, noReserve: true }),
      'EEXIST mmap': () => mapAnonymous({ length: 4096, address: foreign(), placement: 'fixed' }),
      'ENOTSUP mmap': () => mapFile(source(), { access: 'read-write', sync: true }),
      'ENOMEM mlock': () => whole(mapAnonymous({ length: 4096, access: 'none' }), (mapping) => mapping.lock()),
      'ESRCH read': 'it takes a process that ends meanwhile: see test/mem/maps/maps.test.mjs',
      'EAGAIN read': 'it takes nodes that come and go: see test/mem/topology.test.mjs',
      'EAGAIN pthread_create': 'it takes a user with no threads left: see test/guard/threads.test.mjs',
      'EPERM mlock': 'it takes RLIMIT_MEMLOCK 0: see test/sys/memory.test.mjs',
      'EAGAIN mlock': 'it takes pages that cannot be brought in; the fixture lock-limit reaches the limit',
      'EPERM any': 'it takes sealed memory, which stays: the fixture sealed does it',
      ...Object.fromEntries(['read', 'write'].map((call) => [`EFAULT ${call}`, 'node:fs throws it: see test/guard/system-calls.test.mjs'])),
      'EFAULT madvise': () => whole(mapFile(source()), (mapping) => {
        truncateSync(mapping.path, PAGE_SIZE);
        mapping.populate();
      }),
      'ENOTSUP mseal': hasExternalShared ? 'the SharedArrayBuffers of this runtime are memory of memmap' : () =>
        whole(mapAnonymous({ length: PAGE_SIZE }), (mapping) => {
          assert.ok(mapping.buffer instanceof SharedArrayBuffer);
          mapping.seal();
        }),
      'EINVAL madvise': OLDER, 'EINVAL mremap': OLDER, 'EINVAL mseal': OLDER, ...NUMA_ERRORS,
    };

    for (const { code, is } of documented(/^E(?!RR_)/)) {
      for (const call of is.split(', ')) {
        it(`${code} from ${call}`, async function () {
          const provoke = PROVOKED_BY_KERNEL[`${code} ${call}`];
          if (typeof provoke === 'string') skip(this, provoke);
          await assert.rejects(async () => provoke(), (error) => {
            assert.ok(error instanceof SystemError, error.stack);
            assert.deepEqual([error.code, error.syscall, error.name], [code, call, 'SystemError']);
            assert.ok(Number.isInteger(error.errno) && error.errno < 0);
            assert.ok(error.message.startsWith(`${code}: `));
            return true;
          });
        });
      }
    }

    it('look as those of node:fs do: code, errno, syscall, path and message', () => {
      const loop = file('loop');
      symlinkSync(loop, loop);
      const secret = file('secret', 'x');
      chmodSync(secret, 0o000);
      const fields = ({ code, errno, syscall, path, message }) => ({ code, errno, syscall, path, message });
      const errorOf = (call) => {
        try {
          call();
        } catch (error) {
          return error;
        }
        return assert.fail('no error');
      };
      for (const path of ['/nowhere', `${process.execPath}/below`, loop, secret, `/${'x'.repeat(300)}`]) {
        withoutCapabilities(() => {
          const ours = errorOf(() => mapFile(path));
          const theirs = errorOf(() => openSync(path));
          assert.equal(ours.message.startsWith(theirs.message), true, ours.message);
          assert.deepEqual({ ...fields(ours), message: '' }, { ...fields(theirs), message: '' });
        });
      }
    });

    it('a descriptor that is not open: as fs.fstatSync says it', () => {
      const theirs = { code: 'EBADF', errno: -9, syscall: 'fstat', message: 'EBADF: bad file descriptor, fstat' };
      assert.throws(() => mapFile(2 ** 31 - 1), theirs);
    });

    it('have no path where there is not a file', () => {
      assert.throws(() => mapAnonymous({ length: 2 ** 50, noReserve: true }), (error) => !('path' in error));
    });
  });

  it('StateError, SystemError and UnsupportedError are Errors of their own', () => {
    for (const Class of [StateError, SystemError, UnsupportedError]) {
      assert.ok(Class.prototype instanceof Error);
      assert.ok(Object.hasOwn(Class.prototype, 'name'));
    }
    assert.equal(new SystemError(-2, 'open').message, 'ENOENT: no such file or directory, open');
    assert.equal(new SystemError(-9999, 'open').code, 'UNKNOWN');
  });
});
