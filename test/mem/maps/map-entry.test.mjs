// The entries of maps(): file names as the kernel writes them, and one entry alone: lib/mem/maps/map-entry.ts,
// src-native/napi/memory/maps.cc.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, release } from 'node:os';

import { mapFile, maps } from 'memmap';

import { skip } from '../../support/hooks.mjs';
import { compiled, start } from '../../support/process/program.mjs';
import { run } from '../../support/process/run.mjs';
import { itExternal } from '../../support/process/runtime.mjs';
import { temporaryFiles } from '../../support/temp.mjs';

const entryAt = (address, options) => maps({ ...options, at: address }).mappings[0];
/** The entry at an address, as the whole text gives it. */
const inText = (address) => maps().mappings.find(({ start: first, end }) => first <= address && address < end);

describe('entries of maps()', () => {
  const file = temporaryFiles();

  describe('names', () => {
    const NAMES = {
      'a new line': 'a\nb',
      'two spaces': 'a  b ',
      'a backslash': 'a\\b\\040',
      'the words of the kernel': 'a (deleted)',
      'letters that are not ASCII': 'ä😀',
      'brackets': '[heap]',
    };
    for (const [what, name] of Object.entries(NAMES)) {
      itExternal(`with ${what} are as the file system has them`, () => {
        const path = file(name, 'bytes');
        const mapping = mapFile(path, { buffer: 'array' });
        for (const entry of [entryAt(mapping.address), inText(mapping.address), entryAt(mapping.address, { usage: true })]) {
          assert.deepEqual([entry.path, entry.deleted, entry.name], [path, false, undefined]);
        }
        rmSync(path);
        for (const entry of [entryAt(mapping.address), inText(mapping.address)]) {
          assert.deepEqual([entry.path, entry.deleted], [path, true]);
        }
        mapping.close();
      });
    }

    itExternal('with what the kernel writes for a new line are told from one by the privileged', function () {
      const path = file('a\\012b', 'bytes');
      const mapping = mapFile(path, { buffer: 'array' });
      const { start: first, end } = inText(mapping.address);
      const found = inText(mapping.address).path;
      mapping.close();
      if (process.getuid() !== 0) skip(this, `only root may read the links of /proc/PID/map_files: ${first}-${end}`);
      assert.equal(found, path);
    });

    it('follow the file when it is renamed', () => {
      const path = file('before', 'bytes');
      const mapping = mapFile(path);
      renameSync(path, file('after'));
      assert.equal(inText(mapping.address).path, file('after'));
      writeFileSync(file('instead'), 'other');
      renameSync(file('instead'), file('after'));
      assert.deepEqual([inText(mapping.address).path, inText(mapping.address).deleted], [file('after'), true]);
      mapping.close();
    });

    it('of what is not a file are apart from paths', () => {
      const { mappings } = maps();
      const text = readFileSync('/proc/self/maps', 'latin1');
      // Another allocator than the C library's has no use for the heap.
      for (const name of ['[stack]', '[heap]', '[vdso]'].filter((one) => one !== '[heap]' || text.includes(one))) {
        const entry = mappings.find((one) => one.name === name);
        assert.deepEqual([entry.path, entry.deleted, entry.inode], [undefined, false, 0], name);
      }
    });
  });

  describe('at an address', () => {
    const program = compiled(readFileSync(new URL('../../fixtures/kernel/without-calls.c', import.meta.url), 'utf8'));

    itExternal('asks the kernel for that mapping alone, where it can be asked', async function () {
      const { code, stdout, stderr } = await run('map-at');
      assert.equal(code, 0, stderr);
      const [major, minor] = release().split('.').map(Number);
      if (major < 6 || (major === 6 && minor < 11)) skip(this, 'PROCMAP_QUERY needs Linux 6.11');
      assert.equal(stdout, 'query\n');
    });

    for (const error of ['ENOTTY', 'EPERM']) {
      itExternal(`reads the text where that is ${error}`, async () => {
        const { ended } = start(program(), [constants.errno[error], process.execPath, 'test/fixtures/mem/map-at.mjs']);
        const { code, stdout, stderr } = await ended;
        assert.deepEqual([code, stdout], [0, 'text\n'], stderr);
      });
    }
  });
});
