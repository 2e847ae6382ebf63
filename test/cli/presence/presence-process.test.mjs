// memmap presence --pid tells the pages of a process in its page tables, in the page cache and in swap apart:
// lib/cli/presence/process.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { evictPages, memmap, readPages } from '../../support/cli/cli.mjs';
import { skip } from '../../support/hooks.mjs';
import { quiet } from '../../support/process/quiet.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const PAGE = 4096;

describe('memmap presence --pid', function () {
  despiteReclaim(this);
  this.timeout(60_000);
  const file = temporaryFiles();

  /** Runs `use` beside a Python program that sleeps after the script: with its number, and where its memory `m` is. */
  async function beside(script, args, use) {
    const address = 'import ctypes\ndef address(m): return ctypes.addressof(ctypes.c_char.from_buffer(m))\n';
    const peer = await quiet(address + script, args, "hex(address(m)) if 'm' in globals() else ''");
    try {
      return await use(peer.pid, peer.told);
    } finally {
      await peer.stop();
    }
  }

  function told(args) {
    const { status, stdout, stderr } = memmap(['presence', '--json', ...args]);
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout).files;
  }

  /** A field of smaps, in kB, of the mapping that has the address. */
  function smapsOf(pid, address, field) {
    const entries = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-)/m);
    const holds = (entry) => {
      const [start, end] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(entry).slice(1).map((number) => BigInt(`0x${number}`));
      return start <= BigInt(address) && BigInt(address) < end;
    };
    return Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(entries.find(holds))[1]);
  }

  /** The state of each page, a letter each. */
  const letters = ({ runs }) => runs.map(({ length, state }) => state[0].repeat(length / PAGE)).join('');

  it('tells pages that are mapped, in the page cache only, and neither', async () => {
    const path = file('mapped', Buffer.alloc(32 * PAGE, 1));
    evictPages(path);
    readPages(path, [[0, 20]]);
    const script = `
f = open(sys.argv[1], 'r+b')
m = mmap.mmap(f.fileno(), 0)
m.madvise(mmap.MADV_RANDOM)
for page in (0, 1, 2, 7): m[page * 4096] = m[page * 4096]`;
    await beside(script, [path], (pid, start) => {
      const [one, ...others] = told(['--pid', pid, path]);
      assert.deepEqual(others, []);
      assert.equal(one.address, start);
      // Around a fault the kernel may map what is cached next to it.
      const found = letters(one);
      assert.equal(found.replaceAll(/[^m]/g, '').length, smapsOf(pid, start, 'Rss') / 4);
      for (const page of [0, 1, 2, 7]) assert.equal(found[page], 'm');
      assert.match(found.slice(0, 20), /^[mr]{20}$/);
      assert.match(found.slice(20), /^[ae]{12}$/);
      const { stdout } = memmap(['presence', '--pid', pid, path]);
      assert.match(stdout, /20 of 32 pages in memory, 62\.5%.*; \d+ in the page tables/);
    });
  });

  it('tells what is in swap', async function () {
    const swap = file('swap', Buffer.alloc(2 ** 24));
    const on = process.getuid() === 0 && spawnSync('sh', ['-c', 'chmod 600 "$1" && mkswap "$1" && swapon "$1"', 'sh', swap]).status === 0;
    if (!on && !/\n\S/.test(readFileSync('/proc/swaps', 'utf8'))) skip(this, 'there is no swap, and none can be made');
    try {
      const script = `
m = mmap.mmap(-1, 64 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(48): m[page * 4096] = page + 1
def swapped():
    with open('/proc/self/pagemap', 'rb') as f:
        f.seek(address(m) // 4096 * 8)
        return all(entry >> 62 & 1 for entry in struct.unpack('16Q', f.read(128)))
end = time.monotonic() + 20
while not swapped() and time.monotonic() < end:  # pages that are on their way to a list of the kernel's stay
    ctypes.CDLL(None).madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(16 * 4096), 21)`;
      await beside(script, [], (pid, start) => {
        const one = told(['--pid', pid, '--all']).find(({ address }) => address === start) ?? assert.fail(`${start} is not there`);
        const found = letters(one).slice(0, 64);
        // Not VmSwap: others of its pages may be there, too, and the count of them all is a rough one.
        assert.equal(found.replaceAll(/[^s]/g, '').length, smapsOf(pid, start, 'Swap') / 4);
        assert.equal(found, 's'.repeat(16) + 'm'.repeat(32) + 'a'.repeat(16));
      });
    } finally {
      if (on) execFileSync('swapoff', [swap]);
      rmSync(swap);
    }
  });

  it('tells of a file that is deleted, and of all files if none is named', async function () {
    const path = file('deleted', Buffer.alloc(8 * PAGE, 1));
    const script = `
f = open(sys.argv[1], 'r+b')
m = mmap.mmap(f.fileno(), 0)
os.unlink(sys.argv[1])
m[0] = 1`;
    await beside(script, [path], (pid) => {
      const files = told(['--pid', pid]);
      const one = files.find((entry) => entry.path === path) ?? assert.fail('the deleted file is not there');
      assert.equal(letters(one)[0], 'm');
      assert.ok(files.some((entry) => entry.path.includes('libc')));
      assert.ok(files.every((entry) => entry.address !== undefined));
    });
  });

  it('says so if there is no such process, or it is none of ours', function () {
    const gone = memmap(['presence', '--pid', 4_194_305]);
    assert.equal(gone.status, 1);
    assert.match(gone.stderr, /^memmap: .*(ENOENT|ESRCH)/);
    if (process.getuid() !== 0) return;
    const refused = memmap(['presence', '--pid', process.pid], { uid: 65_534, gid: 65_534 });
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(refused.stderr, /EACCES|EPERM/);
  });
});
