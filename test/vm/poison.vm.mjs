// Memory that breaks, each case in a process of its own: src-native/core/guard/{fault_cause,fault_fixup}.cc.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { features } from 'memmap';
import { MADV, PAGE_SIZE, madvise, mmap, MAP, PROT } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { run, runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 8 * PAGE_SIZE;
const { poison } = features().supports;

/** Kilobytes of memory that the kernel counts as broken; NaN where it counts none. */
const broken = () => Number(/^HardwareCorrupted: +(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]);

describe('Memory that breaks', () => {
  const file = temporaryFiles();
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
  });

  it('is what features() says it is', () => {
    assert.equal(poison.supported, !Number.isNaN(broken()), 'with CONFIG_MEMORY_FAILURE meminfo counts it');
    if (poison.supported) return;
    assert.equal(poison.code, 'EINVAL');
    const memory = mmap(null, PAGE_SIZE, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS);
    assert.throws(() => madvise(memory, PAGE_SIZE, MADV.HWPOISON), { code: 'EINVAL' });
  });

  for (const [name, title] of [
    ['read', 'reads zeros, and its neighbours what they had'],
    ['written', 'takes what is written, on a sound page'],
    ['copied', 'is an error of a checked copy'],
    ['of a huge page', 'costs one small page of a huge one'],
    ['shared', 'is told to every mapping of it'],
  ]) {
    it(title, async function () {
      if (!poison.supported) skip(this, `the kernel breaks no memory: ${poison.code}`);
      const before = broken();
      await runs('break-memory', [name]);
      assert.equal(broken() - before, PAGE_SIZE / 1024);
      if (name === 'copied') return; // touches nothing itself
      const { signal, stderr } = await run('break-memory', [name, 'unguarded']);
      assert.equal(signal, 'SIGBUS', stderr);
    });
  }

  it('under a clean page of a file costs nothing but a read', async function () {
    if (!poison.supported) skip(this, `the kernel breaks no memory: ${poison.code}`);
    const fd = openSync(file('clean', Buffer.alloc(LENGTH, 7)), 'r');
    try {
      await runs('break-memory', ['clean page of a file'], { stdio: [fd] });
    } finally {
      closeSync(fd);
    }
  });

  it('and is taken off line in time keeps its data', async function () {
    if (!poison.supported) skip(this, `the kernel breaks no memory: ${poison.code}`);
    await runs('break-memory', ['taken off line']);
  });
});
