// Seals of shared memory hold for other processes: lib/shm/memory/seals.ts.
import assert from 'node:assert/strict';
import { closeSync, fstatSync, ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { SharedMemory } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { closedAfterEach, closesOnExec } from '../../support/descriptors.mjs';
import { inherited } from '../../support/process/peer.mjs';
import { hasExternalBuffers } from '../../support/process/runtime.mjs';

/** What becomes of Python code in another process that has our descriptor as 3. */
function elsewhere(fd, code) {
  const program = `import fcntl, mmap, os\ntry:\n  ${code}\n  print('done')\nexcept Exception as e: print(type(e).__name__)`;
  const run = `__import__('subprocess').run([sys.executable, '-S', '-c', ${JSON.stringify(program)}], pass_fds=[3], capture_output=True, text=True)`;
  return inherited(fd, `${run}.stdout.strip()`);
}

describe('SharedMemory, sealed', () => {
  const keep = closedAfterEach();
  const create = () => keep(SharedMemory.create({ length: 2 * sys.PAGE_SIZE }));

  describe('seal()', () => {
    const SEALED = {
      shrink: ['os.ftruncate(3, 10)', 'os.ftruncate(3, 20000)'],
      grow: ['os.ftruncate(3, 20000)', 'os.ftruncate(3, 10)'],
      write: ["os.pwrite(3, b'x', 0)", 'os.ftruncate(3, 20000)'],
      'future-write': ['mmap.mmap(3, 4096, prot=mmap.PROT_WRITE)', "mmap.mmap(3, 4096, flags=mmap.MAP_PRIVATE)"],
      seal: ['fcntl.fcntl(3, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)', "os.pwrite(3, b'x', 0)"],
    };
    for (const [seal, [forbidden, allowed]] of Object.entries(SEALED)) {
      it(`'${seal}' holds for other processes, and forbids no more than that`, () => {
        const memory = create();
        memory.seal(seal);
        assert.deepEqual(memory.seals, [seal]);
        assert.equal(elsewhere(memory.fd, forbidden), 'PermissionError');
        assert.equal(elsewhere(memory.fd, allowed), 'done');
      });
    }

    it("'write' is EBUSY while a writable mapping exists, and says what to do", () => {
      const memory = create();
      const mapping = memory.map();
      assert.throws(() => memory.seal('write'), { code: 'EBUSY', syscall: 'fcntl', message: /future-write/ });
      mapping.close();
      memory.seal('write', 'shrink');
      assert.deepEqual(memory.seals.toSorted(), ['shrink', 'write']);
      assert.throws(() => memory.map(), { code: 'EPERM', syscall: 'mmap', message: /seal/ });
      assert.equal(keep(memory.map({ access: 'read' })).bytes[0], 0);
      keep(memory.map({ access: 'copy-on-write' })).bytes[0] = 1;
    });

    it("'future-write' lets mappings that exist go on", () => {
      const memory = create();
      const mapping = keep(memory.map());
      memory.seal('future-write');
      mapping.bytes[0] = 3;
      assert.equal(keep(memory.map({ access: 'read' })).bytes[0], 3);
      assert.throws(() => memory.map(), { code: 'EPERM' });
    });

    it('is EPERM after seal(\'seal\'), and for memory with a name', () => {
      const memory = create();
      memory.seal('seal');
      assert.throws(() => memory.seal('grow'), { code: 'EPERM' });
      const named = keep(SharedMemory.create({ name: `memmap-test-${process.pid}-seal`, length: 1 }));
      named.unlink();
      assert.deepEqual(named.seals, ['seal']);
      assert.throws(() => named.seal('grow'), { code: 'EPERM' });
    });
  });

  describe('readOnlyFd()', () => {
    it('is another descriptor, which cannot be written to, mapped writable, resized or sealed', () => {
      const memory = create();
      const fd = memory.readOnlyFd();
      try {
        assert.notEqual(fd, memory.fd);
        assert.equal(fstatSync(fd).ino, fstatSync(memory.fd).ino);
        assert.ok(closesOnExec(fd, readFileSync));
        assert.throws(() => writeSync(fd, 'x'), { code: 'EBADF' });
        assert.throws(() => ftruncateSync(fd, 1), { code: 'EINVAL' });
        const map = () => sys.mmap(null, 1, sys.PROT.WRITE, sys.MAP.SHARED, fd, 0, { shared: !hasExternalBuffers });
        assert.throws(map, { code: 'EACCES' });
        assert.throws(() => sys.fcntl_add_seals(fd, sys.F_SEAL.GROW), { code: 'EPERM' });
        const reader = keep(SharedMemory.fromFd(fd));
        assert.equal(reader.access, 'read');
        assert.throws(() => reader.map(), { code: 'EACCES', syscall: 'mmap' });
        keep(memory.map()).bytes[0] = 5;
        assert.equal(keep(reader.map({ access: 'read' })).bytes[0], 5);
      } finally {
        closeSync(fd);
      }
    });

    it('does not become writable in the hands of another process', () => {
      const memory = create();
      const fd = memory.readOnlyFd();
      assert.equal(elsewhere(fd, 'mmap.mmap(3, 4096)'), 'PermissionError');
      assert.equal(elsewhere(fd, 'mmap.mmap(3, 4096, prot=mmap.PROT_READ)'), 'done');
      // Root may open it again, and so may our own user: only a seal stops those.
      const again = "m = mmap.mmap(os.open('/proc/self/fd/3', os.O_RDWR), 4096)";
      assert.equal(elsewhere(fd, again), 'done');
      if (process.geteuid() === 0) assert.equal(elsewhere(fd, `os.setuid(65534); ${again}`), 'PermissionError');
      memory.seal('future-write');
      assert.equal(elsewhere(fd, again), 'PermissionError');
      closeSync(fd);
    });
  });
});
