// populateAsync() and flushAsync() on another thread, with progress and a signal: lib/mem/background.ts,
// src-native/napi/memory/async_calls.cc, src-native/napi/pool_job.h.
import assert from 'node:assert/strict';
import { openSync, closeSync, readFileSync, truncateSync } from 'node:fs';

import { mapAnonymous, mapFile } from 'memmap';
import { PAGE_SIZE, cachestat } from 'memmap/sys';

import { despiteReclaim } from '../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../support/temp.mjs';
import { needsDisk, residentParts } from '../support/kernel/resident.mjs';

/** What the library does in one step. */
const PIECE = 2 ** 26;

/** Page faults the main thread has taken itself. */
function faultsOfThisThread() {
  const fields = readFileSync(`/proc/self/task/${process.pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return Number(fields[7]);
}

/** Memory that small pages fill. */
function memory(length) {
  return mapAnonymous({ length, advice: 'nohugepage' });
}

describe('background', function () {
  despiteReclaim(this);
  const file = temporaryFiles();

  describe('arguments', () => {
    it('rejects, and starts nothing, if the signal or the callback is none', async () => {
      const mapping = memory(PAGE_SIZE);
      await assert.rejects(mapping.populateAsync({ signal: {} }), { code: 'ERR_INVALID_ARG_TYPE' });
      await assert.rejects(mapping.populateAsync({ onProgress: 1 }), { code: 'ERR_INVALID_ARG_TYPE' });
      await assert.rejects(mapping.populateAsync({ length: PAGE_SIZE + 1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.equal(mapping.residency().resident, 0);
      mapping.close();
    });
  });

  describe('populateAsync', () => {
    it('takes the page faults on another thread', async () => {
      const mapping = memory(PIECE);
      const before = faultsOfThisThread();
      const done = mapping.populateAsync();
      await done;
      const pages = PIECE / PAGE_SIZE;
      assert.equal(mapping.residency().resident, pages);
      assert.ok(faultsOfThisThread() - before < pages / 2);
      const synchronous = memory(PIECE);
      const early = faultsOfThisThread();
      synchronous.populate();
      assert.ok(faultsOfThisThread() - early >= pages, 'the witness counts what populate() does');
      synchronous.close();
      mapping.close();
    });

    it('reports progress that only grows, up to the total', async () => {
      const mapping = memory(2 * PIECE + PAGE_SIZE);
      const seen = [];
      await mapping.populateAsync({ onProgress: (progress) => seen.push(progress) });
      const total = 2 * PIECE + PAGE_SIZE;
      assert.deepEqual(seen, [
        { done: PIECE, total },
        { done: 2 * PIECE, total },
        { done: total, total },
      ]);
      assert.equal(mapping.residency().resident, total / PAGE_SIZE);
      mapping.close();
    });

    it('keeps to its range', async () => {
      const mapping = memory(16 * PAGE_SIZE);
      await mapping.populateAsync({ offset: 4 * PAGE_SIZE + 1, length: PAGE_SIZE });
      assert.deepEqual(residentParts(mapping.residency()), [{ offset: 4 * PAGE_SIZE, length: 2 * PAGE_SIZE }]);
      mapping.close();
    });

    it('does nothing at once with an empty range', async () => {
      const mapping = memory(PAGE_SIZE);
      await mapping.populateAsync({ length: 0 });
      assert.equal(mapping.residency().resident, 0);
      mapping.close();
    });

    it('is EFAULT past the end of a file that shrank, not a signal', async () => {
      const path = file('shrunk', Buffer.alloc(4 * PAGE_SIZE));
      const mapping = mapFile(path);
      truncateSync(path, PAGE_SIZE);
      await assert.rejects(mapping.populateAsync(), { name: 'SystemError', code: 'EFAULT', syscall: 'madvise' });
      mapping.close();
    });
  });

  describe('signal', () => {
    const reason = new Error('enough');

    it('that is aborted already rejects with its reason before anything is done', async () => {
      const mapping = memory(PIECE);
      const signal = AbortSignal.abort(reason);
      await assert.rejects(mapping.populateAsync({ signal }), (error) => error === reason);
      assert.equal(mapping.residency().resident, 0);
      mapping.close();
    });

    it('that aborts meanwhile stops after the piece under way, with its reason', async () => {
      const mapping = memory(3 * PIECE);
      const controller = new AbortController();
      const seen = [];
      const done = mapping.populateAsync({
        signal: controller.signal,
        onProgress(progress) {
          seen.push(progress.done);
          controller.abort(reason);
        },
      });
      await assert.rejects(done, (error) => error === reason);
      assert.deepEqual(seen, [PIECE]);
      assert.equal(mapping.residency().resident, PIECE / PAGE_SIZE);
      mapping.close();
    });

    it('that aborts from outside, during the first piece, stops the second', async () => {
      const mapping = memory(2 * PIECE);
      const controller = new AbortController();
      const done = mapping.populateAsync({ signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(done, (error) => error === reason);
      assert.equal(mapping.residency().resident, PIECE / PAGE_SIZE);
      mapping.close();
    });

    it('that aborts afterwards changes nothing', async () => {
      const mapping = memory(PAGE_SIZE);
      const controller = new AbortController();
      await mapping.populateAsync({ signal: controller.signal });
      controller.abort(reason);
      assert.equal(mapping.residency().resident, 1);
      mapping.close();
    });

    it('rejects with what onProgress throws', async () => {
      const mapping = memory(2 * PIECE);
      const onProgress = () => {
        throw reason;
      };
      await assert.rejects(mapping.populateAsync({ onProgress }), (error) => error === reason);
      assert.equal(mapping.residency().resident, PIECE / PAGE_SIZE);
      mapping.close();
    });
  });

  describe('flushAsync', () => {
    it('leaves no dirty page, and keeps the event loop turning', async function () {
      const path = file('flush', Buffer.alloc(2 ** 24));
      const fd = openSync(path, 'r');
      const mapping = mapFile(path, { access: 'read-write' });
      needsDisk(this, mapping);
      mapping.flush();
      assert.equal(cachestat(fd).dirty, 0);
      do {
        mapping.bytes.fill(mapping.bytes[0] + 1);
      } while (cachestat(fd).dirty === 0); // the kernel may write back on its own
      let turns = 0;
      const ticking = setInterval(() => turns++, 0);
      try {
        await mapping.flushAsync();
        assert.equal(cachestat(fd).dirty, 0);
        while (turns === 0) await new Promise(setImmediate);
      } finally {
        clearInterval(ticking);
        closeSync(fd);
        mapping.close();
      }
    });
  });

  describe('after close', () => {
    const closed = { name: 'StateError', code: 'ERR_MEMMAP_CLOSED' };

    it('is ERR_MEMMAP_CLOSED', async () => {
      const mapping = memory(PAGE_SIZE);
      mapping.close();
      await assert.rejects(mapping.populateAsync(), closed);
      await assert.rejects(mapping.flushAsync(), closed);
    });

    it('during the job the piece under way ends harmlessly, and no other begins', async () => {
      const mapping = memory(3 * PIECE);
      const seen = [];
      const done = mapping.populateAsync({ onProgress: (progress) => seen.push(progress.done) });
      mapping.close();
      await assert.rejects(done, closed);
      assert.deepEqual(seen, []);
    });

    it('during the job of a file mapping leaves the file alone', async () => {
      const path = file('closed-meanwhile', Buffer.alloc(2 ** 24, 7));
      const mapping = mapFile(path, { access: 'read-write' });
      const { bytes } = mapping;
      const done = mapping.populateAsync();
      mapping.close();
      bytes.fill(9);
      await assert.rejects(done, closed);
      assert.ok(readFileSync(path).equals(Buffer.alloc(2 ** 24, 7)));
    });
  });
});
