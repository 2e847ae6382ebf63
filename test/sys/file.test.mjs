// The calls on files, 1:1: lib/sys/file.ts, src-native/sys/file.cc, src-native/napi/memory/file_calls.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, readlinkSync, statSync, writeSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { evictPages, readPages } from '../support/cli/cli.mjs';
import { skip } from '../support/hooks.mjs';
import { withHugePages } from '../support/kernel/huge-pages.mjs';
import { mincorePages } from '../support/cli/in-memory.mjs';
import { cachestatOrSkip } from '../support/kernel/kernel.mjs';
import { inherited } from '../support/process/peer.mjs';
import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { needsTools } from '../support/process/tools.mjs';
import { until } from '../support/until.mjs';

const { FADV, FALLOC, MAP, MFD, PAGE_SIZE, PROT, cachestat, fallocate, ftruncate, memfd_create, pidfd_open, posix_fadvise } = sys;
const LENGTH = 4 * PAGE_SIZE;
const BEYOND = 2 ** 32 + PAGE_SIZE;
const CLOSED = 2 ** 31 - 1;

describe('calls on files', () => {
  const file = temporaryFiles();
  let path;
  let fd;
  beforeEach(() => {
    path = file('calls', Buffer.alloc(LENGTH, 1));
    fd = openSync(path, 'r+');
    fsyncSync(fd);
  });
  afterEach(() => closeSync(fd));

  /** The file as one value a page. */
  const pages = () => {
    const bytes = readFileSync(path);
    return Array.from({ length: Math.ceil(bytes.length / PAGE_SIZE) }, (_, page) => bytes[page * PAGE_SIZE]);
  };

  describe('ftruncate', () => {
    it('gives the file that very length, past 4 GiB too', () => {
      for (const length of [0, 1, PAGE_SIZE, BEYOND]) {
        ftruncate(fd, length);
        assert.equal(statSync(path).size, length);
      }
    });

    it('a file open for reading is EINVAL, a closed descriptor EBADF', () => {
      const reading = openSync(path, 'r');
      assert.throws(() => ftruncate(reading, 0), { code: 'EINVAL', errno: -22, syscall: 'ftruncate' });
      assert.throws(() => ftruncate(CLOSED, 0), { code: 'EBADF', errno: -9, syscall: 'ftruncate' });
      closeSync(reading);
      assert.equal(statSync(path).size, LENGTH);
    });

    it('longer than a file can be is EFBIG', () => {
      assert.throws(() => ftruncate(fd, Number.MAX_SAFE_INTEGER), { code: 'EFBIG', errno: -27, syscall: 'ftruncate' });
      assert.equal(statSync(path).size, LENGTH);
    });
  });

  describe('fallocate', () => {
    const allocated = () => statSync(path).blocks * 512;

    it('mode 0 grows the file, with blocks', () => {
      fallocate(fd, 0, 0, 2 * LENGTH);
      assert.equal(statSync(path).size, 2 * LENGTH);
      assert.ok(allocated() >= 2 * LENGTH);
      assert.deepEqual(pages(), [1, 1, 1, 1, 0, 0, 0, 0]);
    });

    it('KEEP_SIZE allocates without growing, past 4 GiB too', () => {
      fallocate(fd, FALLOC.KEEP_SIZE, BEYOND, LENGTH);
      assert.equal(statSync(path).size, LENGTH);
      assert.ok(allocated() >= 2 * LENGTH);
    });

    for (const [name, mode, after] of [
      ['PUNCH_HOLE', FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, [1, 0, 3, 4]],
      ['ZERO_RANGE', FALLOC.ZERO_RANGE, [1, 0, 3, 4]],
      ['COLLAPSE_RANGE', FALLOC.COLLAPSE_RANGE, [1, 3, 4]],
      ['INSERT_RANGE', FALLOC.INSERT_RANGE, [1, 0, 2, 3, 4]],
      ['UNSHARE_RANGE', FALLOC.UNSHARE_RANGE, [1, 2, 3, 4]],
    ]) {
      it(`${name} on the second page of four`, function () {
        for (let page = 0; page < 4; page++) writeSync(fd, Buffer.alloc(PAGE_SIZE, page + 1), 0, PAGE_SIZE, page * PAGE_SIZE);
        fsyncSync(fd);
        const before = allocated();
        try {
          fallocate(fd, mode, PAGE_SIZE, PAGE_SIZE);
        } catch (error) {
          assert.equal(error.code, 'ENOTSUP'); // EOPNOTSUPP
          assert.equal(error.syscall, 'fallocate');
          skip(this, `the file system of ${path} has no ${name}`);
        }
        assert.deepEqual(pages(), after);
        if (name === 'PUNCH_HOLE') assert.equal(before - allocated(), PAGE_SIZE);
      });
    }

    it('length 0 is EINVAL, a closed descriptor EBADF, too much EFBIG', () => {
      assert.throws(() => fallocate(fd, 0, 0, 0), { code: 'EINVAL', errno: -22, syscall: 'fallocate' });
      assert.throws(() => fallocate(CLOSED, 0, 0, 1), { code: 'EBADF', syscall: 'fallocate' });
      assert.throws(() => fallocate(fd, 0, Number.MAX_SAFE_INTEGER, 1), { code: 'EFBIG', syscall: 'fallocate' });
      assert.equal(statSync(path).size, LENGTH);
    });

    it('more than the disk has is ENOSPC or EFBIG', () => {
      const length = 2 ** 43;
      assert.throws(() => fallocate(fd, FALLOC.KEEP_SIZE, 0, length), ({ code }) => code === 'ENOSPC' || code === 'EFBIG');
      ftruncate(fd, LENGTH);
    });
  });

  describe('posix_fadvise', function () {
    despiteReclaim(this);
    const PAGES = 8;
    /** Pages in memory of a file on the disk that is read page by page, after the act. */
    const left = (act) => {
      const cold = file('advised', Buffer.alloc(PAGES * PAGE_SIZE, 1));
      evictPages(cold);
      readPages(cold, [[0, PAGES]]);
      const reading = openSync(cold, 'r');
      act(reading);
      closeSync(reading);
      return mincorePages(cold);
    };

    it('DONTNEED pushes whole pages of the range out, of a file open for reading', () => {
      assert.equal(left((reading) => posix_fadvise(reading, 0, 0, FADV.DONTNEED)), '00000000');
      assert.equal(left((reading) => posix_fadvise(reading, 2 * PAGE_SIZE, 3 * PAGE_SIZE, FADV.DONTNEED)), '11000111');
      assert.equal(left((reading) => posix_fadvise(reading, PAGE_SIZE + 1, 3 * PAGE_SIZE, FADV.DONTNEED)), '11001111');
      assert.equal(left((reading) => posix_fadvise(reading, 6 * PAGE_SIZE, Number.MAX_SAFE_INTEGER, FADV.DONTNEED)), '11111100');
      assert.equal(left((reading) => posix_fadvise(reading, BEYOND, LENGTH, FADV.DONTNEED)), '11111111');
    });

    it('WILLNEED reads the range in', async () => {
      const cold = file('needed', Buffer.alloc(PAGES * PAGE_SIZE, 1));
      evictPages(cold);
      const reading = openSync(cold, 'r');
      posix_fadvise(reading, 2 * PAGE_SIZE, 3 * PAGE_SIZE, FADV.WILLNEED);
      await until(() => mincorePages(cold) === '00111000', 'the pages are there');
      closeSync(reading);
    });

    it('takes each advice, and leaves bytes and pages as they are', () => {
      for (const name of ['NORMAL', 'RANDOM', 'SEQUENTIAL', 'NOREUSE']) {
        assert.equal(left((reading) => posix_fadvise(reading, 0, 0, FADV[name])), '11111111', name);
      }
    });

    it('an unknown advice is EINVAL, a closed descriptor EBADF, a pipe ESPIPE', () => {
      assert.throws(() => posix_fadvise(fd, 0, 0, 99), { code: 'EINVAL', errno: -22, syscall: 'posix_fadvise' });
      assert.throws(() => posix_fadvise(CLOSED, 0, 0, FADV.NORMAL), { code: 'EBADF', errno: -9, syscall: 'posix_fadvise' });
      const pipe = file('pipe');
      execFileSync('mkfifo', [pipe]);
      const end = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
      assert.throws(() => posix_fadvise(end, 0, 0, FADV.NORMAL), { code: 'ESPIPE', errno: -29, syscall: 'posix_fadvise' });
      closeSync(end);
    });
  });

  describe('cachestat', function () {
    despiteReclaim(this);
    it('counts the pages of a range in the page cache', function () {
      const all = cachestatOrSkip(this, fd);
      assert.deepEqual(Object.keys(all), ['cached', 'dirty', 'writeback', 'evicted', 'recentlyEvicted']);
      assert.equal(all.cached, 4);
      assert.equal(cachestat(fd, { offset: PAGE_SIZE, length: PAGE_SIZE }).cached, 1);
      assert.equal(cachestat(fd, { offset: LENGTH }).cached, 0);
      assert.equal(cachestat(fd, { offset: BEYOND, length: LENGTH }).cached, 0);
    });

    it('dirty pages are those that are not on the disk', function () {
      assert.equal(cachestatOrSkip(this, fd).dirty, 0);
      const memory = sys.mmap(null, LENGTH, PROT.READ | PROT.WRITE, MAP.SHARED, fd, 0);
      new Uint8Array(memory).fill(2);
      assert.equal(cachestat(fd).dirty, 4);
      sys.msync(memory, LENGTH, sys.MS.SYNC);
      assert.equal(cachestat(fd).dirty, 0);
      sys.munmap(memory);
    });

    it('unknown flags are EINVAL, a closed descriptor EBADF', function () {
      cachestatOrSkip(this, fd);
      assert.throws(() => cachestat(fd, {}, 1), { code: 'EINVAL', errno: -22, syscall: 'cachestat' });
      assert.throws(() => cachestat(CLOSED), { code: 'EBADF', errno: -9, syscall: 'cachestat' });
    });
  });

  describe('memfd_create', () => {
    const created = [];
    const create = (...args) => {
      const memory = memfd_create(...args);
      created.push(memory);
      return memory;
    };
    afterEach(() => created.splice(0).forEach((one) => closeSync(one)));
    const flagsOf = (one) => Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${one}`, 'utf8'))[1], 8);
    const CLOEXEC = 0o2000000;

    it('gives an empty file of that name, which no child inherits', () => {
      const memory = create('a name');
      assert.equal(readlinkSync(`/proc/self/fd/${memory}`), '/memfd:a name (deleted)');
      assert.equal(fstatSync(memory).size, 0);
      assert.equal(flagsOf(memory) & CLOEXEC, CLOEXEC);
      assert.equal(flagsOf(create('inherited', 0)) & CLOEXEC, 0);
    });

    it('ALLOW_SEALING leaves the seals open', function () {
      needsTools(this, 'python3');
      const seals = (one) => Number(inherited(one, 'fcntl.fcntl(3, 1034)')); // F_GET_SEALS
      assert.equal(seals(create('sealed', MFD.CLOEXEC)) & 1, 1); // F_SEAL_SEAL
      assert.equal(seals(create('open', MFD.CLOEXEC | MFD.ALLOW_SEALING)) & 1, 0);
    });

    it('NOEXEC_SEAL and EXEC decide whether it can be executed', function () {
      try {
        assert.equal(fstatSync(create('data', MFD.NOEXEC_SEAL)).mode & 0o111, 0);
      } catch (error) {
        assert.equal(error.code, 'EINVAL');
        skip(this, 'MFD_NOEXEC_SEAL needs Linux 6.3');
      }
      assert.equal(fstatSync(create('program', MFD.EXEC)).mode & 0o111, 0o111);
      assert.throws(() => create('both', MFD.EXEC | MFD.NOEXEC_SEAL), { code: 'EINVAL', syscall: 'memfd_create' });
    });

    for (const [name, flag, size] of [['HUGE_2MB', MFD.HUGE_2MB, 2 ** 21], ['HUGE_1GB', MFD.HUGE_1GB, 2 ** 30]]) {
      it(`HUGETLB | ${name}: a file of huge pages`, function () {
        return withHugePages(this, size, 0, () => {
          assert.equal(fstatSync(create('huge', MFD.HUGETLB | flag)).blksize, size);
        });
      });
    }

    it('a name too long, and unknown flags, are EINVAL', () => {
      assert.throws(() => create('x'.repeat(250)), { code: 'EINVAL', errno: -22, syscall: 'memfd_create' });
      assert.throws(() => create('x', 0xffff0000), { code: 'EINVAL', syscall: 'memfd_create' });
    });
  });

  describe('pidfd_open', () => {
    it('gives a descriptor of the process', () => {
      const pidfd = pidfd_open(process.pid);
      assert.match(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8'), new RegExp(`^Pid:\\s+${process.pid}$`, 'm'));
      closeSync(pidfd);
    });

    it('no such process is ESRCH, unknown flags EINVAL', () => {
      assert.throws(() => pidfd_open(2 ** 31 - 1), { code: 'ESRCH', errno: -3, syscall: 'pidfd_open' });
      assert.throws(() => pidfd_open(process.pid, 1), { code: 'EINVAL', syscall: 'pidfd_open' });
    });
  });
});
