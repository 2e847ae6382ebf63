// Every advice of madvise(2), by what the kernel shows of it: lib/sys/memory.ts.
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, openSync, readFileSync, readSync } from 'node:fs';
import * as sys from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { cachestatOrSkip } from '../support/kernel/kernel.mjs';
import { memoryAt } from '../support/kernel/memory-at.mjs';
import { smapsAt } from '../support/kernel/proc.mjs';
import { run } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { until } from '../support/until.mjs';

const { MADV, MAP, PAGE_SIZE, madvise, mincore } = sys;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;
const LENGTH = 4 * PAGE_SIZE;
const KB = 1024;
const HUGE = 2 ** 21;

describe('madvise', () => {
  const file = temporaryFiles();
  const at = memoryAt();
  const tested = new Set();

  function filled(...args) {
    const memory = at(...args);
    memory.bytes.fill(1);
    return memory;
  }
  function onMemfd(length = LENGTH) {
    const fd = sys.memfd_create('madvise');
    sys.ftruncate(fd, length);
    return { ...filled(MAP.SHARED, { fd, length }), fd };
  }
  function advise(memory, name) {
    tested.add(name);
    madvise(memory.buffer, memory.buffer.byteLength, MADV[name]);
  }
  const has = ({ address }, flag) => smapsAt(address).VmFlags.includes(flag);

  /** Advice this kernel may lack: EINVAL then. */
  function adviseOrSkip(context, memory, name, reason) {
    try {
      advise(memory, name);
    } catch (error) {
      assert.equal(error.code, 'EINVAL');
      assert.equal(error.syscall, 'madvise');
      skip(context, reason);
    }
  }

  for (const [on, flag, off] of [
    ['RANDOM', 'rr', 'NORMAL'],
    ['SEQUENTIAL', 'sr', 'NORMAL'],
    ['DONTFORK', 'dc', 'DOFORK'],
    ['DONTDUMP', 'dd', 'DODUMP'],
    ['WIPEONFORK', 'wf', 'KEEPONFORK'],
    ['HUGEPAGE', 'hg', 'NOHUGEPAGE'],
    ['NOHUGEPAGE', 'nh', 'HUGEPAGE'],
    ['MERGEABLE', 'mg', 'UNMERGEABLE'],
  ]) {
    it(`${on} sets '${flag}' of the mapping, ${off} takes it back, no byte changes`, function () {
      const memory = filled();
      adviseOrSkip(this, memory, on, `this kernel has no ${on}`);
      assert.ok(has(memory, flag), `${smapsAt(memory.address).VmFlags}`);
      advise(memory, off);
      assert.ok(!has(memory, flag));
      assert.ok(memory.bytes.every((byte) => byte === 1));
    });
  }

  it('advice is for the pages of the range only', () => {
    const { address, bytes } = filled();
    madvise(bytes.subarray(PAGE_SIZE, 2 * PAGE_SIZE), undefined, MADV.DONTDUMP);
    const marked = [0, 1, 2].map((page) => smapsAt(address + BigInt(page * PAGE_SIZE)).VmFlags.includes('dd'));
    assert.deepEqual(marked, [false, true, false]);
  });

  it('WILLNEED reads a file ahead', async function () {
    tested.add('WILLNEED');
    const path = file('willneed', Buffer.alloc(LENGTH, 2));
    const fd = openSync(path, 'r+');
    cachestatOrSkip(this, fd);
    sys.fallocate(fd, 0, 0, LENGTH);
    const memory = at(MAP.SHARED, { fd });
    sys.msync(memory.buffer, LENGTH, sys.MS.SYNC);
    advise(memory, 'PAGEOUT');
    advise(memory, 'WILLNEED');
    while (!mincore(memory.buffer).every((page) => (page & 1) === 1)) await new Promise(setImmediate);
    assert.ok(sys.cachestat(fd).cached >= 4);
    closeSync(fd);
  });

  it('DONTNEED drops private pages: zeros, or the file\'s bytes; a shared file keeps its bytes', () => {
    const memory = filled();
    advise(memory, 'DONTNEED');
    assert.equal(smapsAt(memory.address).Rss, 0);
    assert.ok(memory.bytes.every((byte) => byte === 0));

    const path = file('dontneed', Buffer.alloc(LENGTH, 2));
    const fd = openSync(path, 'r+');
    const copy = filled(MAP.PRIVATE, { fd });
    advise(copy, 'DONTNEED');
    assert.ok(copy.bytes.every((byte) => byte === 2));
    const shared = filled(MAP.SHARED, { fd });
    advise(shared, 'DONTNEED');
    assert.ok(shared.bytes.every((byte) => byte === 1));
    closeSync(fd);
  });

  it('FREE lets the kernel take private pages when it needs some', () => {
    const memory = filled(ANONYMOUS, { length: HUGE }); // the kernel marks pages in batches
    advise(memory, 'FREE');
    assert.ok(smapsAt(memory.address).LazyFree >= HUGE / 2 / KB);
    memory.bytes[0] = 5;
    assert.equal(memory.bytes[0], 5);
    const { buffer } = onMemfd();
    assert.throws(() => madvise(buffer, LENGTH, MADV.FREE), { code: 'EINVAL', errno: -22, syscall: 'madvise' });
  });

  it('REMOVE punches a hole into the file behind', () => {
    const { buffer, bytes, fd } = onMemfd();
    const other = at(MAP.SHARED, { fd });
    madvise(bytes.subarray(PAGE_SIZE, 2 * PAGE_SIZE), undefined, MADV.REMOVE);
    tested.add('REMOVE');
    assert.deepEqual([...mincore(buffer)].map((page) => page & 1), [1, 0, 1, 1]);
    assert.deepEqual([0, 1, 2].map((page) => other.bytes[page * PAGE_SIZE]), [1, 0, 1]);
    closeSync(fd);
    assert.throws(() => madvise(at().buffer, LENGTH, MADV.REMOVE), { code: 'EINVAL' });
  });

  it('COLD and PAGEOUT change no byte; PAGEOUT evicts clean pages of a file', async () => {
    const memory = filled();
    advise(memory, 'COLD');
    advise(memory, 'PAGEOUT');
    assert.ok(memory.bytes.every((byte) => byte === 1));

    const path = file('pageout', Buffer.alloc(LENGTH, 2));
    const fd = openSync(path, 'r+');
    const mine = filled(MAP.SHARED, { fd });
    closeSync(fd);
    sys.msync(mine.buffer, LENGTH, sys.MS.SYNC);
    // Pages that are on their way to a list of the kernel's stay at first.
    await until(() => {
      advise(mine, 'PAGEOUT');
      return smapsAt(mine.address).Rss === 0;
    }, 'the pages are evicted');
    assert.ok(mine.bytes.every((byte) => byte === 1));
  });

  it('POPULATE_READ and POPULATE_WRITE bring pages in, the one clean, the other ready to write', () => {
    const path = file('populate', Buffer.alloc(LENGTH, 2));
    const fd = openSync(path, 'r+');
    fsyncSync(fd);
    for (const [name, dirty] of [['POPULATE_READ', 0], ['POPULATE_WRITE', LENGTH / KB]]) {
      const memory = at(MAP.PRIVATE, { fd });
      assert.equal(smapsAt(memory.address).Rss, 0);
      advise(memory, name);
      assert.equal(smapsAt(memory.address).Rss, LENGTH / KB);
      assert.equal(smapsAt(memory.address).Private_Dirty, dirty);
    }
    closeSync(fd);
  });

  it('POPULATE_READ past the end of the file is EFAULT, not a signal', () => {
    const { buffer, fd } = onMemfd();
    sys.ftruncate(fd, PAGE_SIZE);
    assert.throws(() => madvise(buffer, LENGTH, MADV.POPULATE_READ), { code: 'EFAULT', errno: -14 });
    closeSync(fd);
  });

  it('DONTNEED_LOCKED drops locked pages, which DONTNEED may not', function () {
    const memory = filled();
    sys.mlock(memory.buffer);
    assert.throws(() => madvise(memory.buffer, LENGTH, MADV.DONTNEED), { code: 'EINVAL' });
    assert.ok(memory.bytes.every((byte) => byte === 1));
    adviseOrSkip(this, memory, 'DONTNEED_LOCKED', 'MADV_DONTNEED_LOCKED needs Linux 5.18');
    assert.equal(memory.bytes[0], 0);
  });

  it('COLLAPSE makes a transparent huge page of small ones', function () {
    const memory = filled(ANONYMOUS, { length: 2 * HUGE });
    // Unadvised memory has huge pages of its own accord only where all memory has.
    const always = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').includes('[always]');
    if (!always) assert.equal(smapsAt(memory.address).AnonHugePages, 0);
    // A huge page that goes to the swap is split. RLIMIT_MEMLOCK may forbid it.
    try {
      sys.mlock(memory.buffer);
    } catch (error) {
      assert.match(error.code, /^(EPERM|ENOMEM)$/);
    }
    adviseOrSkip(this, memory, 'COLLAPSE', 'MADV_COLLAPSE needs Linux 6.1, and memory it applies to');
    const shown = smapsAt(memory.address);
    assert.equal(shown.AnonHugePages, 2 * HUGE / KB, JSON.stringify(shown));
    assert.ok(memory.bytes.every((byte) => byte === 1));
  });

  it('GUARD_INSTALL makes pages that any access to is a fault, GUARD_REMOVE gives zeros', function () {
    tested.add('GUARD_REMOVE');
    const memory = filled();
    adviseOrSkip(this, memory, 'GUARD_INSTALL', 'MADV_GUARD_INSTALL needs Linux 6.13');
    // A call into the kernel with that memory faults there, which is an error and no signal.
    const path = file('guard', Buffer.alloc(PAGE_SIZE));
    const fd = openSync(path, 'r');
    assert.throws(() => readSync(fd, memory.bytes, 0, PAGE_SIZE, 0), { code: 'EFAULT' });
    advise(memory, 'GUARD_REMOVE');
    readSync(fd, memory.bytes, 0, PAGE_SIZE, 0);
    closeSync(fd);
    assert.ok(memory.bytes.every((byte) => byte === 0));
  });

  for (const name of ['HWPOISON', 'SOFT_OFFLINE']) {
    it(`${name} is EPERM to a process without privileges`, async function () {
      tested.add(name);
      const { code, signal, stdout, stderr } = await run('poison', [name]);
      if (stdout.startsWith('skip')) skip(this, 'this kernel has no handling of memory failures');
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
    });
  }

  it('an advice the kernel does not know is EINVAL', () => {
    for (const advice of [5, 99, 4096, 2 ** 32 - 1]) {
      assert.throws(() => madvise(at().buffer, LENGTH, advice), { code: 'EINVAL', errno: -22, syscall: 'madvise' });
    }
  });

  it('from inside a page is EINVAL, and nothing is destroyed', () => {
    const { bytes } = filled();
    assert.throws(() => madvise(bytes.subarray(1), undefined, MADV.DONTNEED), { code: 'EINVAL' });
    assert.ok(bytes.every((byte) => byte === 1));
  });

  it('every advice of the headers was given in a test', () => {
    assert.deepEqual(Object.keys(MADV).filter((name) => !tested.has(name)), []);
  });
});
