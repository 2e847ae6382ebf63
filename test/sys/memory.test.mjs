// The calls on mapped memory, 1:1: lib/sys/memory.ts, src-native/sys/memory.cc,
// src-native/napi/memory/memory_calls.cc.
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, openSync, readFileSync, truncateSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { memoryAt } from '../support/kernel/memory-at.mjs';
import { peerReads } from '../support/process/peer.mjs';
import { mapAt, smapsAt, status } from '../support/kernel/proc.mjs';
import { start } from '../support/process/program.mjs';
import { run, runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { MADV, MAP, MLOCK, MS, PAGE_SIZE, PROT, mincore, mlock, mlock2, mprotect, msync, munlock } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;
const LENGTH = 4 * PAGE_SIZE;
const KB = 1024;

describe('calls on memory', () => {
  const file = temporaryFiles();
  const at = memoryAt();

  /** A shared mapping of a file of four pages. */
  function atFile(flags = MAP.SHARED, mode = 'r+', prot = RW) {
    const path = file('memory', Buffer.alloc(LENGTH, 'a'));
    const fd = openSync(path, mode);
    fsyncSync(fd);
    const result = { ...at(flags, { fd, prot }), path };
    closeSync(fd);
    return result;
  }

  describe('mprotect', () => {
    it('gives pages each protection there is', () => {
      const { address, buffer } = at();
      for (const [prot, permissions] of [
        [PROT.NONE, '---p'], [PROT.READ, 'r--p'], [PROT.WRITE, '-w-p'], [RW, 'rw-p'],
        [PROT.EXEC, '--xp'], [PROT.READ | PROT.EXEC, 'r-xp'],
      ]) {
        mprotect(buffer, LENGTH, prot);
        assert.equal(mapAt(address).permissions, permissions);
      }
    });

    it('acts on the pages of a view', () => {
      const { address, bytes } = at();
      mprotect(bytes.subarray(PAGE_SIZE, 2 * PAGE_SIZE), undefined, PROT.READ);
      const permissions = [0, 1, 2].map((page) => mapAt(address + BigInt(page * PAGE_SIZE)).permissions);
      assert.deepEqual(permissions, ['rw-p', 'r--p', 'rw-p']);
    });

    it('write with exec only if it is permitted by name', () => {
      const { address, buffer } = at();
      for (const options of [undefined, {}, { allowWriteExec: false }]) {
        assert.throws(() => mprotect(buffer, LENGTH, RW | PROT.EXEC, options), { code: 'ERR_MEMMAP_WRITE_EXEC' });
      }
      assert.equal(mapAt(address).permissions, 'rw-p');
      mprotect(buffer, LENGTH, RW | PROT.EXEC, { allowWriteExec: true });
      assert.equal(mapAt(address).permissions, 'rwxp');
    });

    it('EACCES to write to a file that was opened for reading', () => {
      const { address, buffer } = atFile(MAP.SHARED, 'r', PROT.READ);
      assert.throws(() => mprotect(buffer, LENGTH, RW), { code: 'EACCES', errno: -13, syscall: 'mprotect' });
      assert.equal(mapAt(address).permissions, 'r--s');
    });

    it('GROWSDOWN and GROWSUP are EINVAL for memory that does not grow', () => {
      const { buffer } = at();
      for (const flag of [PROT.GROWSDOWN, PROT.GROWSUP, PROT.GROWSDOWN | PROT.GROWSUP]) {
        assert.throws(() => mprotect(buffer, LENGTH, PROT.READ | flag), { code: 'EINVAL', errno: -22 });
      }
    });

    it('GROWSDOWN reaches down to the start of memory that grows', () => {
      const { address, bytes } = at(ANONYMOUS | MAP.GROWSDOWN);
      mprotect(bytes.subarray(3 * PAGE_SIZE), PAGE_SIZE, PROT.READ | PROT.GROWSDOWN);
      assert.equal(mapAt(address).permissions, 'r--p');
      assert.equal(mapAt(address).end - address, BigInt(LENGTH));
    });
  });

  describe('msync', () => {
    const dirty = (path) => {
      const fd = openSync(path, 'r');
      try {
        return sys.cachestat(fd).dirty;
      } finally {
        closeSync(fd);
      }
    };

    it('SYNC: what was written is on the disk', () => {
      const { address, bytes, buffer, path } = atFile();
      bytes[0] = 98;
      const { Private_Dirty = 0, Shared_Dirty = 0 } = smapsAt(address);
      // The page cache may hold several pages as one, which is dirty as a whole.
      assert.ok(Private_Dirty + Shared_Dirty >= PAGE_SIZE / KB);
      assert.ok(dirty(path) >= 1);
      msync(buffer, LENGTH, MS.SYNC);
      assert.equal(smapsAt(address).Private_Dirty + smapsAt(address).Shared_Dirty, 0);
      assert.equal(dirty(path), 0);
      assert.equal(readFileSync(path)[0], 98);
    });

    it('SYNC of a part leaves the rest to the kernel', () => {
      const path = file('far', '');
      const length = 2 ** 26;
      truncateSync(path, length);
      const fd = openSync(path, 'r+');
      const { bytes } = at(MAP.SHARED, { fd, length });
      closeSync(fd);
      bytes[0] = 98;
      bytes[length - 1] = 98;
      const both = dirty(path);
      msync(bytes.subarray(length - PAGE_SIZE), undefined, MS.SYNC);
      const one = dirty(path);
      assert.ok(one < both && one > 0, `${both} pages, then ${one}`);
      msync(bytes, undefined, MS.SYNC);
      assert.equal(dirty(path), 0);
    });

    it('ASYNC returns at once, and the bytes are there for all', () => {
      const { bytes, buffer, path } = atFile();
      bytes[1] = 98;
      msync(buffer, LENGTH, MS.ASYNC);
      assert.equal(peerReads(path, 1, 1).toString(), 'b');
    });

    it('INVALIDATE is EBUSY for locked pages, and nothing otherwise', () => {
      const { buffer } = atFile();
      msync(buffer, LENGTH, MS.SYNC | MS.INVALIDATE);
      mlock(buffer);
      assert.throws(() => msync(buffer, LENGTH, MS.INVALIDATE), { code: 'EBUSY', errno: -16, syscall: 'msync' });
    });

    it('SYNC with ASYNC, and flags it does not know, are EINVAL', () => {
      const { buffer } = atFile();
      for (const flags of [MS.SYNC | MS.ASYNC, 1024, 2 ** 32 - 1]) {
        assert.throws(() => msync(buffer, LENGTH, flags), { code: 'EINVAL', syscall: 'msync' });
      }
    });
  });

  describe('mincore', () => {
    it('refuses memory of others before it makes an array for it', () => {
      assert.throws(() => mincore(2n ** 46n, Number.MAX_SAFE_INTEGER), { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' });
    });

    it('tells the pages that are in memory', () => {
      const { buffer, bytes } = at();
      bytes[0] = 1;
      bytes[2 * PAGE_SIZE] = 1;
      assert.deepEqual([...mincore(buffer)], [1, 0, 1, 0]);
      assert.deepEqual([...mincore(bytes.subarray(2 * PAGE_SIZE))], [1, 0]);
      assert.deepEqual([...mincore(buffer, PAGE_SIZE + 1)], [1, 0]);
    });

    it('fills and returns a vector of the caller\'s, as far as the range goes', () => {
      const { buffer, bytes } = at();
      bytes[0] = 1;
      const vec = new Uint8Array(4).fill(9);
      assert.equal(mincore(buffer, 2 * PAGE_SIZE, vec), vec);
      assert.deepEqual([...vec], [1, 0, 9, 9]);
      assert.throws(() => mincore(buffer, LENGTH, vec.subarray(1)), { code: 'ERR_OUT_OF_RANGE' });
      assert.deepEqual([...vec], [1, 0, 9, 9]);
    });

    it('EFAULT for a vector in memory that cannot be written', () => {
      const { buffer } = at();
      const vec = new Uint8Array(at(ANONYMOUS, { prot: PROT.READ }).buffer);
      assert.throws(() => mincore(buffer, LENGTH, vec), { code: 'EFAULT', errno: -14, syscall: 'mincore' });
    });

    it('EINVAL from inside a page', () => {
      assert.throws(() => mincore(at().bytes.subarray(1)), { code: 'EINVAL', syscall: 'mincore' });
    });
  });

  describe('mlock', () => {
    it('mlock brings pages in and keeps them, munlock lets go', () => {
      const before = status('VmLck');
      const { address, bytes, buffer } = at();
      mlock(bytes.subarray(0, 2 * PAGE_SIZE));
      assert.deepEqual([smapsAt(address).Locked, smapsAt(address).Rss], [2 * PAGE_SIZE / KB, 2 * PAGE_SIZE / KB]);
      assert.ok(smapsAt(address).VmFlags.includes('lo'));
      assert.equal(status('VmLck') - before, 2 * PAGE_SIZE);
      mlock(buffer);
      assert.equal(status('VmLck') - before, LENGTH);
      munlock(buffer, PAGE_SIZE);
      assert.equal(status('VmLck') - before, LENGTH - PAGE_SIZE);
      munlock(buffer);
      assert.equal(status('VmLck'), before);
      assert.equal(smapsAt(address).Locked, 0);
    });

    it('mlock2 with ONFAULT locks pages as they are touched', () => {
      const { address, bytes, buffer } = at();
      mlock2(buffer, LENGTH, MLOCK.ONFAULT);
      assert.equal(smapsAt(address).Rss, 0);
      assert.ok(smapsAt(address).VmFlags.includes('lf'));
      bytes[PAGE_SIZE] = 1;
      assert.equal(smapsAt(address).Locked, PAGE_SIZE / KB);
      assert.deepEqual([...mincore(buffer)], [0, 1, 0, 0]);
    });

    it('mlock2 without flags is mlock; unknown flags are EINVAL', () => {
      const { address, buffer } = at();
      mlock2(buffer, LENGTH, 0);
      assert.equal(smapsAt(address).Locked, LENGTH / KB);
      assert.throws(() => mlock2(buffer, LENGTH, 2), { code: 'EINVAL', syscall: 'mlock2' });
    });

    it('ENOMEM over memory without access, with what the limit is', () => {
      const { buffer } = at(ANONYMOUS, { prot: PROT.NONE });
      assert.throws(() => mlock(buffer), { code: 'ENOMEM', errno: -12, syscall: 'mlock', message: /RLIMIT_MEMLOCK/ });
    });

    it('beyond RLIMIT_MEMLOCK is refused to a process without privileges', async () => {
      await runs('lock-limit');
    });

    it('with RLIMIT_MEMLOCK 0 is EPERM, and the error says who may', async () => {
      const { ended } = start('sh', ['-c', 'ulimit -l 0; exec "$0" "$@"', process.execPath, 'test/fixtures/mem/lock-limit.mjs', 'none']);
      const { code, stderr } = await ended;
      assert.equal(code, 0, stderr);
    });

    it('mlockall locks what is, what comes, and what is touched; munlockall undoes it', async () => {
      await runs('mlockall');
    });
  });

  it('mseal: no protection, unmapping, moving or discarding any more', async function () {
    const { code, signal, stdout, stderr } = await run('sealed');
    if (stdout.startsWith('skip')) skip(this, 'mseal(2) needs Linux 6.10');
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });

  describe('process_madvise', () => {
    it('advises ranges of this process, and returns the bytes', function () {
      const { address, bytes, buffer } = at();
      bytes.fill(1);
      const pidfd = sys.pidfd_open(process.pid);
      try {
        const ranges = [{ address: buffer, length: PAGE_SIZE }, { address: address + BigInt(2 * PAGE_SIZE), length: PAGE_SIZE }];
        assert.equal(sys.process_madvise(pidfd, ranges, MADV.COLD), 2 * PAGE_SIZE);
        assert.equal(sys.process_madvise(pidfd, [], MADV.COLD), 0);
        assert.ok(bytes.every((byte) => byte === 1));
        assert.throws(() => sys.process_madvise(pidfd, ranges, MADV.COLD, 1), {
          code: 'EINVAL', errno: -22, syscall: 'process_madvise',
        });
        assert.throws(() => sys.process_madvise(2 ** 31 - 1, ranges, MADV.COLD), { code: 'EBADF' });
        // It would take away by what the guard knows memory on Node 20; madvise() marks it anew.
        assert.throws(() => sys.process_madvise(pidfd, ranges, MADV.KEEPONFORK), { code: 'EINVAL', syscall: 'process_madvise' });
      } finally {
        closeSync(pidfd);
      }
    });

    it('what destroys bytes is refused over memory that is not memmap\'s', () => {
      const pidfd = sys.pidfd_open(process.pid);
      const victim = Buffer.alloc(LENGTH, 7);
      const destructive = [
        'DONTNEED', 'FREE', 'REMOVE', 'DONTNEED_LOCKED', 'HWPOISON', 'GUARD_INSTALL', 'WIPEONFORK', 'DONTFORK',
      ];
      for (const name of destructive) {
        assert.throws(
          () => sys.process_madvise(pidfd, [{ address: victim, length: LENGTH }], MADV[name]),
          { code: 'ERR_MEMMAP_FOREIGN_ADDRESS' },
          name,
        );
      }
      closeSync(pidfd);
      assert.ok(victim.every((byte) => byte === 7));
    });
  });
});
