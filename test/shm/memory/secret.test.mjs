// Secret shared memory, which no other process reads and the kernel never swaps or dumps:
// lib/shm/memory/{shared-memory,shared-mapping}.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { SharedMemory } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { closedAfterEach } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { inherited } from '../../support/process/peer.mjs';
import { maps, smapsAt } from '../../support/kernel/proc.mjs';
import { python } from '../../support/process/program.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const { PAGE_SIZE } = sys;

/** Reads 8 bytes at each address of a process, by three ways that the kernel offers. */
const SPY = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
pid = int(sys.argv[1])
for address in map(int, sys.argv[2:]):
    with open('/proc/%d/mem' % pid, 'rb', 0) as m:
        m.seek(address)
        try: print(m.read(8).decode())
        except OSError as error: print('errno', error.errno)
    into = ctypes.create_string_buffer(8)
    here, there = iovec(ctypes.addressof(into), 8), iovec(address, 8)
    got = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    print(into.raw.decode() if got == 8 else 'errno %d' % ctypes.get_errno())`;

/** Reads 8 bytes of another process: prints them, or the error. */
const READER = `
const [pid, address] = process.argv.slice(1);
const { openSync, readSync, writeSync } = require('node:fs');
const bytes = Buffer.alloc(8);
try {
  readSync(openSync('/proc/' + pid + '/mem'), bytes, 0, 8, BigInt(address));
  writeSync(1, bytes);
} catch (error) {
  writeSync(1, error.code);
}`;

describe('Secret shared memory', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();
  let secret;
  beforeEach(function () {
    try {
      secret = keep(SharedMemory.create({ length: 2 * PAGE_SIZE, secret: true }));
    } catch (error) {
      if (error.code !== 'ERR_MEMMAP_UNSUPPORTED') throw error;
      skip(this, error.message);
    }
  });

  it('is memory that no other process reads through /proc/PID/mem', () => {
    const mapping = keep(secret.map());
    mapping.bytes.write('a secret');
    const plain = keep(keep(SharedMemory.create({ length: PAGE_SIZE })).map());
    plain.bytes.write('in plain');
    const read = ({ address }) => execFileSync(process.execPath, ['-e', READER, process.pid, address], { encoding: 'utf8' });
    assert.equal(read(plain), 'in plain');
    assert.equal(read(mapping), 'EIO');
    const own = openSync('/proc/self/mem', 'r');
    assert.throws(() => readSync(own, Buffer.alloc(8), 0, 8, mapping.address), { code: 'EIO' });
    closeSync(own);
  });

  it('is memory that no other process reads, root neither', async function () {
    needsTools(this, 'python3');
    const mapping = keep(secret.map());
    mapping.bytes.write('a secret');
    const plain = keep(keep(SharedMemory.create({ length: PAGE_SIZE })).map());
    plain.bytes.write('in plain');
    const { stdout, stderr } = await python(SPY, [process.pid, mapping.address, plain.address]).ended;
    assert.deepEqual(stdout.trim().split('\n'), ['errno 5', 'errno 14', 'in plain', 'in plain'], stderr);
  });

  it('is never dumped, nor swapped out', () => {
    const mapping = keep(secret.map());
    mapping.bytes.fill(7);
    const { VmFlags, Rss } = smapsAt(mapping.address);
    assert.ok(VmFlags.includes('dd'), VmFlags.join(' '));
    try {
      mapping.evict();
    } catch ({ code }) {
      assert.equal(code, 'EINVAL'); // locked, as smaps has it on most kernels; not on 6.12
      assert.ok(VmFlags.includes('lo'), VmFlags.join(' '));
    }
    assert.deepEqual([smapsAt(mapping.address).Rss, smapsAt(mapping.address).Swap], [Rss, 0]);
    assert.ok(mapping.bytes.every((byte) => byte === 7));
  });

  it('goes into files and out of them, and through checked copies, where the process itself says so', () => {
    const mapping = keep(secret.map());
    const fd = openSync(file('secret', 'twelve bytes'), 'r+');
    mapping.copyIn(3, Buffer.from('hidden'));
    assert.equal(mapping.copyOut(3, 6).toString(), 'hidden');
    assert.throws(() => mapping.copyOut(0, 2 * PAGE_SIZE + 1), { code: 'ERR_OUT_OF_RANGE' });
    writeSync(fd, mapping.bytes, 3, 6, 0);
    readSync(fd, mapping.bytes, 0, 12, 0);
    closeSync(fd);
    assert.equal(mapping.bytes.toString('latin1', 0, 12), 'hidden bytes');
  });

  it("has no private copy: what is written to a 'read' mapping makes it read zeros, until refresh()", () => {
    const [mapping, reader] = [keep(secret.map()), keep(secret.map({ access: 'read' }))];
    mapping.bytes.write('hidden');
    const { address } = reader;
    assert.throws(() => reader.copyIn(0, Buffer.alloc(1)), { code: 'ERR_MEMMAP_READ_ONLY' });
    reader.bytes[1] = 7;
    assert.deepEqual([...reader.bytes.subarray(0, 6)], [0, 7, 0, 0, 0, 0]);
    assert.equal(mapping.bytes.toString('latin1', 0, 6), 'hidden');
    assert.equal(reader.faults.violations, 1);
    assert.throws(() => reader.check(), { code: 'ERR_MEMMAP_READ_ONLY' });
    assert.throws(() => reader.copyOut(0, 1), { code: 'ERR_MEMMAP_READ_ONLY' });
    // No hole was left, into which something else could come.
    const end = address + 2n * BigInt(PAGE_SIZE);
    const covered = () => maps().filter((one) => one.start < end && one.end > address)
      .reduce((sum, one) => sum + (one.end < end ? one.end : end) - (one.start > address ? one.start : address), 0n);
    assert.equal(covered(), end - address);
    reader.refresh();
    assert.equal(covered(), end - address);
    assert.equal(reader.bytes.toString('latin1', 0, 6), 'hidden');
    reader.check();
  });

  it('refuses copy-on-write, and leaves nothing behind', () => {
    const before = maps().filter(({ path }) => path.startsWith('/secretmem')).length;
    assert.throws(() => secret.map({ access: 'copy-on-write' }), { code: 'EINVAL', syscall: 'mmap' });
    assert.equal(maps().filter(({ path }) => path.startsWith('/secretmem')).length, before);
  });

  it('cannot shrink or grow', () => {
    assert.throws(() => sys.ftruncate(secret.fd, 0), { code: 'EINVAL' });
    assert.throws(() => sys.ftruncate(secret.fd, 4 * PAGE_SIZE), { code: 'EINVAL' });
  });

  it('is zeros after close(), through views that are left', () => {
    const mapping = secret.map();
    const { bytes } = mapping;
    bytes.write('hidden');
    mapping.close();
    assert.ok([0, undefined].includes(bytes[0]));
  });

  it('is shared with whoever gets the descriptor, and cannot be opened again or sealed', function () {
    needsTools(this, 'python3');
    keep(secret.map()).bytes.write('shared');
    assert.equal(inherited(secret.fd, "__import__('mmap').mmap(3, 4096)[:6]"), "b'shared'");
    assert.throws(() => secret.readOnlyFd(), { code: 'ENXIO', syscall: 'open' });
    assert.throws(() => secret.seal('shrink'), { code: 'EINVAL', syscall: 'fcntl' });
    assert.deepEqual(secret.seals, []);
  });

  it('goes through fromFd() as what it is', () => {
    const again = keep(SharedMemory.fromFd(secret.fd, { length: 2 * PAGE_SIZE }));
    const mapping = keep(again.map({ access: 'read' }));
    keep(secret.map()).bytes[9] = 9;
    assert.equal(mapping.bytes[9], 9);
    assert.equal(mapping.copyOut(9, 1)[0], 9);
  });
});
