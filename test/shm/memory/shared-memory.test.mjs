// SharedMemory: creating it, mapping it, handing its descriptor on:
// lib/shm/memory/{shared-memory,shared-mapping,options}.ts, src-native/core/mapping/shared_memory.cc.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync,
} from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PeerError, SharedMapping, SharedMemory } from 'memmap/shm';
import { StateError, SystemError } from 'memmap';
import * as sys from 'memmap/sys';
import { closedAfterEach, closesOnExec, countDescriptors } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { withHugePages } from '../../support/kernel/huge-pages.mjs';
import { inherited } from '../../support/process/peer.mjs';
import { mapAt, smapsAt } from '../../support/kernel/proc.mjs';
import { run, runs } from '../../support/process/run.mjs';
import { itExternal } from '../../support/process/runtime.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const { PAGE_SIZE } = sys;
const { O_RDWR, O_RDONLY, O_WRONLY } = constants;

/** Blocks of 512 bytes that the file really has. */
const allocated = (fd) => fstatSync(fd).blocks * 512;

describe('SharedMemory', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();
  const create = (options) => keep(SharedMemory.create({ length: 2 * PAGE_SIZE, ...options }));

  describe('create()', () => {
    it('makes zeroed memory with every page allocated, which nobody else can open or execute', () => {
      const memory = create();
      assert.equal(memory.length, 2 * PAGE_SIZE);
      assert.equal(allocated(memory.fd), 2 * PAGE_SIZE);
      assert.ok(closesOnExec(memory.fd, readFileSync));
      assert.equal(fstatSync(memory.fd).mode & 0o777, 0o600);
      assert.deepEqual([memory.access, memory.name, memory.seals, memory.closed], ['read-write', undefined, [], false]);
      assert.ok(keep(memory.map()).bytes.every((byte) => byte === 0));
    });

    it('takes lengths that are no whole pages, and maps so many bytes', () => {
      const memory = create({ length: 5000 });
      assert.equal(memory.length, 5000);
      assert.equal(keep(memory.map()).buffer.byteLength, 5000);
    });

    it('seals it against being made executable, where the kernel can', function () {
      try {
        closeSync(sys.memfd_create('probe', sys.MFD.NOEXEC_SEAL));
      } catch (error) {
        if (error.code !== 'EINVAL') throw error;
        skip(this, 'MFD_NOEXEC_SEAL is Linux 6.3');
      }
      const { fd } = create();
      assert.equal(sys.fcntl_get_seals(fd), sys.F_SEAL.EXEC);
      const chmod = "oct(os.fstat(3).st_mode & 0o111) + str(__import__('subprocess').call(['chmod', '+x', '/proc/self/fd/3'], pass_fds=[3], stderr=-3))";
      assert.equal(inherited(fd, chmod), '0o01');
    });

    it('has memory that the machine does not have as ENOMEM, before any of it is taken', () => {
      const before = countDescriptors();
      assert.throws(() => SharedMemory.create({ length: 2 ** 46 }), { code: 'ENOMEM', syscall: 'fallocate', name: 'SystemError' });
      assert.equal(countDescriptors(), before);
    });

    it('has a /dev/shm that is full as ENOSPC, and leaves no name', async function () {
      const { code, stdout, stderr } = await run('full-shm', [], {});
      if (code === 77) skip(this, `needs root and mount namespaces: ${stdout}`);
      assert.equal(code, 0, stderr);
    });

    it('has a name that cannot be had without /proc as an error that names it', async function () {
      if (process.env.LD_PRELOAD !== undefined) skip(this, 'a sanitizer reads its options from /proc');
      mkdirSync(file('empty'));
      const { code, stdout, stderr } = await run('without-proc', [file('empty')]);
      if (code === 77) skip(this, `needs root and mount namespaces: ${stdout}${stderr}`);
      assert.equal(code, 0, stderr);
    });

    itExternal('lies on huge pages of a pool, of which it takes whole ones', async function () {
      await withHugePages(this, 2 ** 21, 2, () => {
        const memory = create({ length: 2 ** 21 + 1, hugePages: '2MB' });
        assert.equal(memory.length, 2 ** 22);
        const mapping = memory.map();
        mapping.bytes[2 ** 21] = 1;
        assert.equal(smapsAt(mapping.address).KernelPageSize, 2048);
        // Another descriptor finds out by itself.
        const other = SharedMemory.fromFd(memory.fd);
        const again = other.map();
        assert.equal(again.bytes[2 ** 21], 1);
        for (const one of [mapping, again, other, memory]) one.close();
      });
    });

    it('has an empty pool as an error that names it', function () {
      const pool = Number(readFileSync('/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages', 'utf8'));
      if (pool !== 0) skip(this, 'the pool is not empty');
      assert.throws(() => create({ hugePages: '2MB' }), (error) => ['ENOMEM', 'ENOSPC'].includes(error.code) && /huge/i.test(error.message));
    });

    it('refuses what excludes each other', () => {
      const wrong = [{ name: 'x', secret: true }, { name: 'x', hugePages: '2MB' }, { secret: true, hugePages: '2MB' }];
      for (const options of wrong) assert.throws(() => create(options), { code: 'ERR_INVALID_ARG_VALUE' });
    });
  });

  describe('map()', () => {
    it('shows the same bytes through every mapping, as a SharedArrayBuffer', () => {
      const memory = create();
      const [one, two, readOnly] = ['read-write', 'read-write', 'read'].map((access) => keep(memory.map({ access })));
      one.view(Int32Array)[5] = 42;
      assert.equal(two.view(Int32Array)[5], 42);
      assert.equal(readOnly.view(Int32Array)[5], 42);
      assert.ok(one.buffer instanceof SharedArrayBuffer);
      assert.ok(one instanceof SharedMapping);
      assert.equal(mapAt(one.address).permissions, 'rw-s');
    });

    it("keeps what is written to a 'copy-on-write' mapping in this process", () => {
      const memory = create();
      const [shared, copy] = [keep(memory.map()), keep(memory.map({ access: 'copy-on-write' }))];
      copy.bytes[0] = 1;
      assert.equal(shared.bytes[0], 0);
    });

    it("leaves the memory as it is when a 'read' mapping is written to, and counts that", () => {
      const memory = create();
      const [shared, reader] = [keep(memory.map()), keep(memory.map({ access: 'read' }))];
      reader.bytes[0] = 1;
      assert.equal(shared.bytes[0], 0);
      assert.equal(reader.faults.violations, 1);
    });

    it("is EACCES, with a way out, to make a 'read' mapping writable: writes would not reach the memory", () => {
      const memory = create();
      const [all, one] = [keep(memory.map()), keep(memory.map({ access: 'read' }))];
      assert.throws(() => one.protect('read-write'), { code: 'EACCES', syscall: 'mprotect', message: /call map\(\) again/ });
      one.protect('none');
      one.protect('read');
      all.bytes[1] = 9;
      assert.deepEqual([one.access, one.bytes[1]], ['read', 9]);
    });

    it("keeps the own pages of a 'copy-on-write' mapping before a lost end, whatever protect() did meanwhile", () => {
      for (const access of ['read-write', 'read']) {
        const memory = create();
        const copy = keep(memory.map({ access: 'copy-on-write' }));
        const { bytes } = copy;
        bytes.fill(42);
        copy.protect(access);
        sys.ftruncate(memory.fd, PAGE_SIZE);
        assert.equal(bytes[PAGE_SIZE], 0);
        copy.refresh();
        assert.deepEqual([copy.length, copy.bytes[0]], [PAGE_SIZE, 42]);
      }
    });

    it('goes on after close() of the memory', () => {
      const memory = create();
      const mapping = keep(memory.map());
      memory.close();
      mapping.bytes[0] = 1;
      assert.equal(mapping.bytes[0], 1);
    });

    itExternal('gives an ArrayBuffer on request', () => {
      assert.ok(keep(create().map({ buffer: 'array' })).buffer instanceof ArrayBuffer);
    });

    it('follows the memory when it has grown, with resize()', () => {
      const memory = create({ length: PAGE_SIZE });
      const mapping = keep(memory.map());
      assert.throws(() => mapping.resize(2 * PAGE_SIZE), { code: 'ERR_OUT_OF_RANGE' });
      sys.ftruncate(memory.fd, 2 * PAGE_SIZE);
      mapping.resize(2 * PAGE_SIZE);
      mapping.bytes[2 * PAGE_SIZE - 1] = 9;
      assert.equal(keep(memory.map()).bytes[2 * PAGE_SIZE - 1], 9);
    });

    it('shares with worker threads what is posted to them', async () => {
      const mapping = keep(create().map());
      const words = mapping.view(Int32Array);
      const program = "const { workerData } = require('worker_threads'); for (let i = 0; i < 1e5; i += 1) Atomics.add(workerData, 0, 1);";
      const worker = new Worker(program, { eval: true, workerData: words });
      for (let i = 0; i < 1e5; i += 1) Atomics.add(words, 0, 1);
      assert.equal(await new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve)), 0);
      assert.equal(words[0], 2e5);
    });
  });

  describe('another process', () => {
    it('inherits the descriptor through stdio, and takes it with fromFd()', async () => {
      const memory = create();
      const words = keep(memory.map()).view(Int32Array);
      words[0] = 17;
      await runs('inherit-shm', [17, 18], { stdio: [memory.fd] });
      assert.equal(words[0], 18);
    });

    it('does not get it if it is not given', async () => {
      const { fd } = create();
      const child = spawn('readlink', [`/proc/self/fd/${fd}`], { stdio: ['ignore', 'pipe', 'ignore'] });
      let out = '';
      child.stdout.on('data', (data) => (out += data));
      await new Promise((resolve) => child.on('close', resolve));
      assert.doesNotMatch(out, /memfd/);
    });
  });

  describe('fromFd()', () => {
    const refused = (fd, code, options) => {
      const before = countDescriptors();
      assert.throws(() => SharedMemory.fromFd(fd, options), (error) => {
        assert.equal(error.code, code);
        assert.ok(error instanceof PeerError, error.stack);
        return true;
      });
      assert.equal(countDescriptors(), before);
    };

    it('has a descriptor of its own', () => {
      const memory = SharedMemory.create({ length: 10 });
      const other = keep(SharedMemory.fromFd(memory.fd));
      assert.notEqual(other.fd, memory.fd);
      assert.ok(closesOnExec(other.fd, readFileSync));
      memory.close();
      assert.equal(other.length, 10);
    });

    it('refuses what is no memory', () => {
      const [read, write] = pipe();
      const opened = [
        read, write, openSync('/tmp', O_RDONLY), openSync('/dev/zero', O_RDWR), openSync('/proc/self/maps', O_RDONLY),
        openSync(file('on-disk-or-tmp', 'x'), O_WRONLY), openSync('/dev/shm', O_RDONLY),
      ];
      for (const fd of opened) refused(fd, 'ERR_MEMMAP_NOT_MEMORY');
      for (const fd of opened) closeSync(fd);
      assert.throws(() => SharedMemory.fromFd(opened[0]), { code: 'EBADF', name: 'SystemError' });
    });

    /** Both ends of a pipe that has a name: JavaScript cannot make another. */
    function pipe() {
      const path = file('fifo');
      execFileSync('mkfifo', [path]);
      const read = openSync(path, O_RDWR | constants.O_NONBLOCK);
      return [read, openSync(path, O_WRONLY | constants.O_NONBLOCK)];
    }

    it('refuses memory that is empty or shorter than it must be', () => {
      const fd = sys.memfd_create('short');
      refused(fd, 'ERR_MEMMAP_TOO_SHORT');
      sys.ftruncate(fd, 4096);
      refused(fd, 'ERR_MEMMAP_TOO_SHORT', { length: 4097 });
      assert.equal(keep(SharedMemory.fromFd(fd, { length: 4096 })).length, 4096);
      closeSync(fd);
    });

    it('refuses memory without the seals that are demanded, and says which', () => {
      const memory = create();
      memory.seal('grow');
      refused(memory.fd, 'ERR_MEMMAP_NOT_SEALED', { require: ['grow', 'shrink'] });
      assert.throws(() => SharedMemory.fromFd(memory.fd, { require: ['shrink'] }), { message: /lacks the seals shrink/ });
      memory.seal('shrink');
      assert.ok(keep(SharedMemory.fromFd(memory.fd, { require: ['grow', 'shrink'] })));
    });

    it('takes memory that can still shrink, and the guard meets it when it does', () => {
      const memory = create();
      const mapping = keep(keep(SharedMemory.fromFd(memory.fd)).map());
      mapping.bytes.fill(1);
      sys.ftruncate(memory.fd, 0);
      assert.equal(mapping.bytes[PAGE_SIZE], 0);
      assert.ok(mapping.faults.truncated > 0);
      assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_TRUNCATED' });
    });

    it('follows memory that has shrunk, with refresh(), and is content again', () => {
      const memory = create();
      const mapping = keep(memory.map());
      mapping.bytes.fill(1);
      sys.ftruncate(memory.fd, 100);
      assert.equal(mapping.bytes[PAGE_SIZE], 0);
      assert.equal(mapping.refresh(), true);
      assert.deepEqual([mapping.length, mapping.bytes[99]], [100, 1]);
      mapping.check();
      assert.equal(mapping.refresh(), false);
    });

    it('takes files of /dev/shm', () => {
      const name = `memmap-test-${process.pid}-file`;
      const fd = sys.shm_open(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
      sys.shm_unlink(name);
      sys.ftruncate(fd, 100);
      assert.equal(keep(SharedMemory.fromFd(fd)).length, 100);
      closeSync(fd);
    });
  });

  describe('close()', () => {
    it('closes the descriptor, once, and every member but close throws after it', () => {
      const before = countDescriptors();
      const memory = SharedMemory.create({ length: 1 });
      assert.equal(countDescriptors(), before + 1);
      memory.close();
      memory.close();
      memory[Symbol.dispose]();
      assert.equal(countDescriptors(), before);
      assert.equal(memory.closed, true);
      const members = [
        () => memory.fd, () => memory.length, () => memory.seals, () => memory.seal('grow'), () => memory.map(),
        () => memory.readOnlyFd(), () => memory.unlink(),
      ];
      for (const member of members) assert.throws(member, { code: 'ERR_MEMMAP_CLOSED', name: 'StateError' });
    });

    it('closes no descriptor that has got its number since', () => {
      const memory = SharedMemory.create({ length: 1 });
      closeSync(memory.fd); // nobody should
      const other = SharedMemory.create({ length: 2 });
      assert.equal(other.length, 2);
      other.close();
      memory.close(); // Not when it is collected: the number may be of something else by then.
    });

    it('comes once: memory that is refused takes nothing with it when it is collected', async () => {
      await runs('refused-shm', [], { nodeArgs: ['--expose-gc'] });
    });

    it('comes with the end of a worker, and with the collector', async () => {
      await runs('forgotten-shm', [], { nodeArgs: ['--expose-gc'] });
    });
  });

  it('errors are of the classes that the documents name', () => {
    assert.ok(PeerError.prototype instanceof Error);
    assert.throws(() => create().unlink(), StateError);
    assert.throws(() => SharedMemory.open('memmap-test-nobody'), SystemError);
    assert.throws(() => new SharedMemory(), { code: 'ERR_ILLEGAL_CONSTRUCTOR' });
  });
});
