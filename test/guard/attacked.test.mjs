// Memory under attack, by threads that stray, calls on repaired memory and a full disk:
// src-native/core/guard/fault_fixup.cc, src-native/core/replacement/stash.cc, src-native/core/mapping/restore.cc.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { features, mapAnonymous, mapFile } from 'memmap';
import { MADV, PAGE_SIZE as PAGE, madvise } from 'memmap/sys';
import { smapsAt } from '../support/kernel/proc.mjs';
import { fillFileSystem, smallTmpfs } from '../support/kernel/mount.mjs';
import { skip } from '../support/hooks.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const LENGTH = 16 * PAGE;
const file = temporaryFiles();

describe('a worker that alone has loaded the package', () => {
  it('is guarded though the main thread listens for the signals', () => runs('worker-alone', [file('worker-alone')], { timeout: 20_000 }));
});

describe('a thread that strays all the time', () => {
  for (const kind of ['memory', 'file']) {
    it(`changes no byte while another thread repairs and protects: ${kind}`, () => runs('strays-meanwhile', [kind, file('strays'), 1], { timeout: 60_000 }));
  }
});

describe('a call on memory that a stray access has met', () => {
  /** A file, mapped without access, that something has read. */
  function strayed() {
    const path = file('strayed', Buffer.alloc(LENGTH, 'f'));
    const mapping = mapFile(path, { access: 'read-write' });
    mapping.bytes.fill('n');
    mapping.protect('none');
    assert.equal(mapping.bytes[0], 0);
    return { path, mapping };
  }

  it('flush() writes what the mapping has', () => {
    const { mapping } = strayed();
    mapping.flush();
    const dirty = mapping.residency().dirty;
    if (dirty !== undefined) assert.equal(dirty, 0);
    mapping.close();
  });

  it('advise() is about the pages that are of the mapping again', () => {
    const { mapping } = strayed();
    mapping.advise('dontdump');
    mapping.protect('read-write');
    assert.ok(mapping.bytes.equals(Buffer.alloc(LENGTH, 'n')));
    assert.ok(smapsAt(mapping.address).VmFlags.includes('dd'));
    mapping.close();
  });

  it('punchHole() destroys for good', () => {
    const memory = mapAnonymous({ length: LENGTH, sharing: 'shared' });
    memory.bytes.fill('s');
    memory.protect('none');
    assert.equal(memory.bytes[0], 0);
    memory.punchHole({ offset: 0, length: LENGTH });
    memory.protect('read-write');
    assert.ok(memory.bytes.equals(Buffer.alloc(LENGTH)));
    memory.close();
  });

  it('removes a guard page of the kernel from the mapping, not from what the guard has put there', function () {
    if (!features().supports.guardPages.supported) skip(this, 'the kernel has no guard pages: Linux 6.13');
    const path = file('guard-page', Buffer.alloc(LENGTH, 'f'));
    const mapping = mapFile(path, { access: 'read-write' });
    const page = mapping.view(Uint8Array, { offset: PAGE, count: PAGE });
    madvise(page, undefined, MADV.GUARD_INSTALL);
    assert.equal(page[0], 0);
    madvise(page, undefined, MADV.GUARD_REMOVE);
    assert.equal(page[0], 102);
    page[0] = 110;
    assert.equal(readFileSync(path)[PAGE], 110);
    mapping.close();
  });
});

describe('a private mapping of a file on a disk that was full for a while', () => {
  const tmpfs = smallTmpfs('1m');
  it('has the file again, and its own writes, and follows the file as it grows', () => {
    const path = tmpfs('f');
    writeFileSync(path, Buffer.alloc(PAGE, 'f'));
    truncateSync(path, 8 * PAGE);
    fillFileSystem(tmpfs('filler'));
    const mapping = mapFile(path, { access: 'copy-on-write' });
    mapping.bytes[5] = 1;
    assert.equal(mapping.bytes[4 * PAGE], 0);
    mapping.bytes[4 * PAGE + 7] = 2;
    assert.throws(() => mapping.check(), { code: 'ERR_MEMMAP_NO_SPACE' });
    rmSync(tmpfs('filler'));
    // Not cut meanwhile: that would take the mapping's own pages, too.
    writeFileSync(path, Buffer.alloc(12 * PAGE, 'g'), { flag: 'r+' });
    assert.equal(mapping.refresh(), true);
    mapping.check();
    assert.equal(mapping.length, statSync(path).size);
    assert.deepEqual([mapping.bytes[5], mapping.bytes[4 * PAGE + 7], mapping.bytes[11 * PAGE]], [1, 2, 103]);
    mapping.close();
  });
});
