// worker.terminate() at any moment: the process lives, and nothing stays.
// MEMMAP_TERMINATIONS: how often each function of the addon is cut short; by default a few times.
import { runs } from '../support/process/run.mjs';

const times = Number(process.env.MEMMAP_TERMINATIONS ?? 1);
const risky = Number(process.env.MEMMAP_TERMINATIONS ?? 6);

describe('worker.terminate()', () => {
  it('in any function of the addon leaves the process alive, and nothing behind', () =>
    runs('terminated-calls', [times, risky], { nodeArgs: ['--expose-gc'] }));

  it('leaves sockets, channels, locks, mappings and stores in use to the others, and nothing behind', () =>
    runs('terminated-uses', [risky], { nodeArgs: ['--expose-gc'] }));
});
