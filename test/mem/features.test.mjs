// features() says what the calls really do: lib/mem/features.ts, lib/internal/features.ts,
// src-native/core/kernel/probe.cc.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { release } from 'node:os';
import { configure, features, mapAnonymous } from 'memmap';
import * as sys from 'memmap/sys';
import { ORIGIN, binding } from '../support/boundary/features.mjs';
import { maps } from '../support/kernel/proc.mjs';
import { runs } from '../support/process/run.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';

const { MADV, MAP, MFD, MLOCK, MPOL, MREMAP, PAGE_SIZE, PROT } = sys;
const RW = PROT.READ | PROT.WRITE;
const ANONYMOUS = MAP.PRIVATE | MAP.ANONYMOUS;

const page = (flags = ANONYMOUS) => sys.mmap(null, PAGE_SIZE, RW, flags, -1, 0, { shared: !hasExternalBuffers });
const advised = (advice) => () => sys.madvise(page(), PAGE_SIZE, advice);

/** The real call behind a feature: it throws if the kernel has no such thing. */
const CALLS = {
  lockOnFault: () => sys.mlock2(page(), PAGE_SIZE, MLOCK.ONFAULT),
  wipeOnFork: advised(MADV.WIPEONFORK),
  cold: advised(MADV.COLD),
  pageOut: advised(MADV.PAGEOUT),
  populate: advised(MADV.POPULATE_READ),
  discardLocked: advised(MADV.DONTNEED_LOCKED),
  guardPages: advised(MADV.GUARD_INSTALL),
  remapKeeping: () => sys.mremap(page(), PAGE_SIZE, PAGE_SIZE, MREMAP.MAYMOVE | MREMAP.DONTUNMAP),
  remapKeepingFiles: () => sys.mremap(page(MAP.SHARED | MAP.ANONYMOUS), PAGE_SIZE, PAGE_SIZE, MREMAP.MAYMOVE | MREMAP.DONTUNMAP),
  droppable: () => page(MAP.DROPPABLE | MAP.ANONYMOUS),
  noExecSeal: () => sys.memfd_create('memmap', MFD.CLOEXEC | MFD.NOEXEC_SEAL),
  secretMemory: () => sys.memfd_secret(),
  cachestat: () => sys.cachestat(sys.memfd_create('memmap')),
  processAdvice: () => sys.process_madvise(sys.pidfd_open(process.pid), [{ address: page(), length: PAGE_SIZE }], MADV.COLD),
  checkedCopy: () => mapAnonymous({ length: 1 }).copyOut(0, 1),
  numa: () => sys.get_mempolicy(null, 0),
  preferredMany: () => sys.mbind(page(), PAGE_SIZE, MPOL.PREFERRED_MANY, [0], 0),
  weightedInterleave: () => sys.mbind(page(), PAGE_SIZE, MPOL.WEIGHTED_INTERLEAVE, [0], 0),
};

describe('features', () => {
  it('says of each feature whether it is there, which call it is, and since when', () => {
    for (const [name, feature] of Object.entries(features().supports)) {
      assert.deepEqual([feature.call, feature.since], [ORIGIN[name].call, ORIGIN[name].since]);
      assert.match(feature.since, /^\d+\.\d+(\.\d+)?$/);
      assert.equal(feature.supported, feature.code === undefined, name);
    }
  });

  it('knows every feature natively, and no other', () => {
    for (const name of Object.keys(ORIGIN)) assert.notEqual(binding.probe(name), -2, name);
    assert.equal(binding.probe('nonsense'), -2);
    if (!existsSync('src-native')) return; // in an emulated machine
    const names = [...readFileSync('src-native/core/kernel/probe.cc', 'utf8').matchAll(/^ {4}\{"(\w+)", /gm)].map(([, name]) => name);
    assert.deepEqual(names.toSorted(), Object.keys(ORIGIN).toSorted());
  });

  for (const [name, call] of Object.entries(CALLS)) {
    it(`${name} is what the call does`, () => {
      if (features().supports[name].supported) call();
      else assert.throws(call, { name: /SystemError|UnsupportedError/ });
    });
  }

  it('is what the machine says', () => {
    const found = features();
    assert.equal(found.kernel, release());
    assert.equal(found.pageSize, PAGE_SIZE);
    const pools = readdirSync('/sys/kernel/mm/hugepages').map((pool) => Number(/\d+/.exec(pool)[0]) * 1024);
    assert.deepEqual(found.hugePageSizes, pools.toSorted((a, b) => a - b));
    assert.match(readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8'), new RegExp(`\\[${found.transparentHugePages}\\]`));
    const processor = readFileSync('/proc/cpuinfo', 'utf8');
    const best = ['clwb', 'clflushopt', 'clflush'].find((name) => new RegExp(`^flags.* ${name}( |$)`, 'm').test(processor));
    if (process.arch === 'x64') assert.equal(found.writeBackInstruction, best);
  });

  it('changes nothing: no mapping, no descriptor is left, and configure() can still be called', async () => {
    const CALLS_OF_IT = 100;
    const state = () => [maps().length, readdirSync('/proc/self/fd').length];
    features();
    const before = state();
    for (let i = 0; i < CALLS_OF_IT; i++) features();
    // What a call leaves would be there so many times; the engine maps some memory for itself.
    const [mappings, descriptors] = state().map((count, i) => count - before[i]);
    assert.ok(mappings < CALLS_OF_IT / 2 && descriptors <= 0, `${mappings} more mappings, ${descriptors} more descriptors`);
    assert.throws(() => configure({ guard: false }), { code: 'ERR_MEMMAP_TOO_LATE' });
    await runs('features-first');
  });
});
