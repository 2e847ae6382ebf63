// worker.terminate() at any moment leaves the process alive and nothing behind: src-native/napi/environment.cc,
// src-native/napi/{memory,wait}. MEMMAP_TERMINATIONS: how often each function is cut short.
import { runs } from '../support/process/run.mjs';

const times = Number(process.env.MEMMAP_TERMINATIONS ?? 1);
const risky = Number(process.env.MEMMAP_TERMINATIONS ?? 6);

describe('worker.terminate()', function () {
  this.timeout(300_000);

  it('in any function of the addon leaves the process alive, and nothing behind', () =>
    runs('terminated-calls', [times, risky], { nodeArgs: ['--expose-gc'] }));

  it('leaves sockets, channels, locks, mappings and stores in use to the others, and nothing behind', () =>
    runs('terminated-uses', [risky], { nodeArgs: ['--expose-gc'] }));
});
