// That a file was cut is known before any of its bytes reads wrong: lib/http/canary.ts.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PAGE_SIZE } from 'memmap/sys';
import { mapFile } from 'memmap';
import { Canary } from '../support/http/canary.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PAGES = 64;
/** No whole number of pages. */
const CONTENT = Buffer.alloc(PAGES * PAGE_SIZE + 77, 'memmap');
const SECONDS = 2;

describe('Canary', () => {
  const file = temporaryFiles();

  it('dies when the file is cut by a page or more, though it has its length and bytes again', () => {
    for (const cut of [0, PAGE_SIZE, 10 * PAGE_SIZE + 5, PAGES * PAGE_SIZE - 1]) {
      const path = file('served', CONTENT);
      const fd = openSync(path, 'r+');
      const canary = new Canary(fd, CONTENT.length);
      assert.ok(canary.lives);
      ftruncateSync(fd, CONTENT.length + 5 * PAGE_SIZE);
      writeFileSync(path, CONTENT, { flag: 'r+' });
      assert.ok(canary.lives, 'it had only grown');
      ftruncateSync(fd, cut);
      ftruncateSync(fd, CONTENT.length);
      writeFileSync(path, CONTENT, { flag: 'r+' });
      assert.equal(canary.lives, false, `cut to ${cut}`);
      canary.close();
      closeSync(fd);
    }
  });

  it('is dead by the time a byte reads wrong without a fault', async function () {
    const path = file('served', CONTENT);
    const turn = new SharedArrayBuffer(4);
    const state = new Int32Array(turn);
    const cut = 3 * PAGE_SIZE + 5;
    const cutter = new Worker(new URL('../fixtures/http/cutter.mjs', import.meta.url), { workerData: { path, content: CONTENT, cut, turn } });
    await once(cutter, 'online');
    const fd = openSync(path, 'r');
    let [rounds, seen] = [0, 0];
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end; rounds++) {
      // Anew: where it had no page the guard has put zeros.
      const mapping = mapFile(path);
      const { bytes } = mapping;
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) assert.equal(bytes[at], CONTENT[at]);
      const canary = new Canary(fd, CONTENT.length);
      Atomics.store(state, 0, 1);
      Atomics.notify(state, 0);
      for (let page = 3; Atomics.load(state, 0) === 1; page = page === PAGES - 1 ? 3 : page + 1) {
        const at = page * PAGE_SIZE + 7;
        if (bytes[at] === CONTENT[at]) continue;
        // A page that is not there is a fault, or EFAULT, from the moment the file is shorter.
        if (mapping.faults.truncated === 0) {
          seen += 1;
          assert.equal(canary.lives, false, `byte ${at} of round ${rounds}`);
        }
      }
      assert.equal(canary.lives, false);
      canary.close();
      mapping.close();
    }
    Atomics.store(state, 0, 2);
    Atomics.notify(state, 0);
    await once(cutter, 'exit');
    closeSync(fd);
    if (seen === 0) this.skip(); // the bytes were right again each time
  });
});
