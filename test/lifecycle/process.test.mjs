// Children, a second copy of the package, and a large heap: lib/file/map-file.ts, lib/internal/gc.ts,
// src-native/core/mapping/address_range.cc.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mapAnonymous, mapFile } from 'memmap';
import { skip } from '../support/hooks.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { runs } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

describe('a child process', () => {
  const file = temporaryFiles();

  it('inherits no descriptor and no mapping but those it was given', () => {
    const path = file('inherited', 'x'.repeat(4096));
    const held = [mapFile(path), mapAnonymous({ length: 4096, sharing: 'shared' })];
    held.forEach((mapping) => mapping.bytes.at(0));
    const code = `const { readdirSync, readlinkSync, readFileSync } = require('node:fs');
      const names = readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
      console.log(JSON.stringify({ memfds: names.filter((name) => name.startsWith('/memfd:memmap')).length,
        mapped: readFileSync('/proc/self/maps', 'utf8').includes(${JSON.stringify(path)}) }));`;
    const look = (stdio) => JSON.parse(spawnSync(process.execPath, ['-e', code], { stdio, encoding: 'utf8' }).stdout);
    assert.deepEqual(look(['ignore', 'pipe', 'inherit']), { memfds: 0, mapped: false });
    assert.deepEqual(look(['ignore', 'pipe', 'inherit', held[1].fd]), { memfds: 1, mapped: false });
    assert.ok(readFileSync('/proc/self/maps', 'utf8').includes(path));
    held.forEach((mapping) => mapping.close());
  });
});

describe('a second copy of the package', () => {
  it('does not touch what the first one mapped', () => runs('two-addons', ['traps']));
});

describe('a large JavaScript heap', () => {
  for (const [name, length] of [['64 MiB', 2 ** 26], ['4 GiB', 2 ** 32]]) {
    it(`is not collected because files of ${name} are mapped and closed`, function () {
      if (!hasExternalShared) skip(this, 'memory of the engine under the buffers has V8 collect by its own measure');
      return runs('pressure', [length], { nodeArgs: ['--expose-gc'] });
    });
  }
});
