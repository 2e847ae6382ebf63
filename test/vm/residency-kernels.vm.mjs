// features() on old and new kernels says what the calls do: lib/mem/features.ts, lib/internal/features.ts,
// src-native/core/kernel/probe.cc.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { features, mapAnonymous, mapFile, maps } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { MADV, PAGE_SIZE, fcntl_get_seals, madvise, memfd_create, MFD } from 'memmap/sys';
import { skip } from '../support/hooks.mjs';
import { keeper } from '../support/kernel/numa.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 4 * PAGE_SIZE;
const { supports, kernel } = features();
const names = Object.keys(supports);

/** What kernels of kernel.org have, by the release they came with: only this is left out by Debian's. */
const LEFT_OUT = new Set(['poison', 'secretMemory']);

/** Whether version `a` is `b` or later: '6.1' and '6.12'. */
function isSince(a, b) {
  const [[major, minor], [wantedMajor, wantedMinor]] = [a, b].map((version) => version.split('.').map(Number));
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

describe('Features of this kernel', () => {
  const file = temporaryFiles();
  const keep = keeper();
  const memory = (options) => keep(mapAnonymous({ length: LENGTH, advice: 'nohugepage', ...options }));
  const bound = (policy) => {
    const mapping = memory();
    mapping.bind(policy);
    return mapping;
  };
  before(function () {
    if (process.env.MEMMAP_VM === undefined) skip(this, 'it takes the emulated machine');
  });

  it('are those that kernels of its age have', () => {
    for (const name of names) {
      const { supported, since, code } = supports[name];
      if (!isSince(kernel, since)) assert.equal(supported, false, `${name} came with ${since}, this is ${kernel}`);
      else if (!LEFT_OUT.has(name)) assert.equal(supported, true, `${name} came with ${since}, this is ${kernel}: ${code}`);
      if (!supported) assert.match(code, /^(ENOSYS|EINVAL|ENOTTY|ENOTSUP)$/, name);
    }
  });

  const absent = (...list) => list.filter((name) => supports[name].supported);

  it('6.1: before cachestat, PAGEMAP_SCAN and mseal', function () {
    if (process.env.MEMMAP_VM !== '6.1') skip(this, `this is ${kernel}`);
    assert.deepEqual(absent(
      'cachestat', 'pagemapScan', 'mapsQuery', 'seal', 'droppable', 'secretMemory', 'noExecSeal', 'guardPages', 'weightedInterleave',
    ), []);
  });

  it('6.12: all but guard pages', function () {
    if (process.env.MEMMAP_VM !== '6.12') skip(this, `this is ${kernel}`);
    assert.deepEqual(names.filter((name) => !supports[name].supported && name !== 'poison'), ['guardPages']);
  });

  /** What asks for each through the facade; a result of `undefined` is that the kernel does not tell. */
  const CALLS = {
    lockOnFault: () => memory().lock({ onFault: true }) ?? true,
    wipeOnFork: () => memory().advise('wipeonfork') ?? true,
    fixedNoReplace() {
      const taken = memory();
      assert.throws(() => memory({ address: taken.address, placement: 'fixed-noreplace' }), { code: 'EEXIST' });
      return true;
    },
    cold: () => memory().advise('cold') ?? true,
    pageOut: () => memory().evict() ?? true,
    populate() {
      const mapping = memory();
      mapping.populate();
      assert.equal(mapping.residency().mapped, 4);
      return true;
    },
    collapse() {
      const size = Number(readFileSync('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size', 'latin1'));
      const mapping = keep(mapAnonymous({ length: 2 * size, advice: 'hugepage' }));
      mapping.bytes.fill(1);
      return mapping.collapse() ?? true;
    },
    remapKeeping() {
      const mapping = memory();
      mapping.bytes[0] = 7;
      mapping.resize(2 * LENGTH);
      return mapping.bytes[0] === 7;
    },
    droppable: () => (memory({ droppable: true, advice: undefined }).bytes[0] = 1),
    seal() {
      // It stays until the process ends.
      const mapping = mapAnonymous({ length: PAGE_SIZE, buffer: 'array' });
      mapping.seal();
      return true;
    },
    secretMemory: () => keep(SharedMemory.create({ length: PAGE_SIZE, secret: true })).length,
    noExecSeal: () => fcntl_get_seals(memfd_create('memmap', MFD.CLOEXEC | MFD.NOEXEC_SEAL)) || undefined,
    checkedCopy: () => memory().copyOut(0, LENGTH).length,
    cachestat: () => keep(mapFile(file('cachestat', Buffer.alloc(LENGTH)))).residency().dirty,
    pagemap: () => memory().residency().swapped,
    pagemapScan: () => memory().residency().runs[0].hugeSize,
    mapsQuery: () => maps({ at: memory().address }).mappings.length, // by the text, where it is missing
    numa: () => memory().policy().mode,
    preferredMany: () => bound({ mode: 'preferred-many', nodes: [0, 1] }).policy().mode,
    weightedInterleave: () => bound({ mode: 'weighted-interleave', nodes: [0, 1] }).policy().mode,
    homeNode: () => bound({ mode: 'bind', nodes: [0, 1] }).homeNode(1) ?? true,
    guardPages: () => madvise(memory().bytes, PAGE_SIZE, MADV.GUARD_INSTALL) ?? true,
  };

  /** Which do without, in another way: a value that is not there, or another source. */
  const QUIETLY = new Set(['cachestat', 'pagemapScan', 'mapsQuery', 'pagemap']);
  /** Calls of memmap/sys: the kernel's own errors. */
  const RAW = new Set(['noExecSeal', 'guardPages']);

  for (const [name, call] of Object.entries(CALLS)) {
    it(`${name}: used, or refused with the Linux that has it`, () => {
      const { supported, since } = supports[name];
      if (supported) {
        assert.notEqual(call(), undefined);
        return;
      }
      if (QUIETLY.has(name)) {
        const result = call();
        assert.ok(result === undefined || name === 'mapsQuery', String(result));
        return;
      }
      const version = new RegExp(`Linux ${since.replace('.', String.raw`\.`)}(?!\\d)`);
      assert.throws(call, (error) => {
        if (RAW.has(name)) return /^(ENOSYS|EINVAL)$/.test(error.code);
        assert.deepEqual([error.name, error.code], ['UnsupportedError', 'ERR_MEMMAP_UNSUPPORTED'], error.message);
        assert.match(error.message, version);
        return true;
      });
    });
  }
});
