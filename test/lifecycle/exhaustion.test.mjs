// A process at vm.max_map_count gets an error and goes on: lib/internal/gc.ts, lib/internal/remedy.ts,
// src-native/core/replacement/headroom.cc.
import { readFileSync } from 'node:fs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { runs } from '../support/process/run.mjs';
import { skip } from '../support/hooks.mjs';

const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'));

describe('mapping without closing', () => {
  before(function () {
    if (limit > 2 ** 18) skip(this, `vm.max_map_count is ${limit}: reaching it takes minutes`);
  });

  it('ends in ENOMEM that names the limit and the live maps; closing some makes room', () =>
    runs('exhaust', ['bytes', 4096]));

  it('does so where no buffer was made', () => runs('exhaust', ['without a buffer', 4096]));

  it('does so where WebAssembly runs out of addresses first', function () {
    if (hasExternalShared) skip(this, 'this Node needs no WebAssembly memory for its buffers');
    return runs('exhaust', ['bytes', 2 ** 16]);
  });
});
