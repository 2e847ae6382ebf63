// What many faults cost the process: mappings of the kernel, and memory: src-native/core/guard/fault_fixup.cc,
// src-native/core/replacement/{replacement,spare_mappings}.cc, src-native/core/extent/extent.cc.
import { runs } from '../support/process/run.mjs';

const goesOn = (name) => () => runs('many-faults', [name], { nodeArgs: ['--expose-gc'] });

describe('many faults', () => {
  it('past one end of a file, in random order, cost one replacement', goesOn('truncated'));
  it('are one, of 256 pages written in a read-only mapping', goesOn('read-only'));
  it('are one, in a mapping without access', goesOn('without access'));
  it('in closed mappings count apart, and closed ones that nobody touches cost nothing', goesOn('closed'));
  it('leave no memory behind, after 10,000 mappings that were truncated, touched and closed', goesOn('rounds'));
  it('on four threads at once in twenty mappings are all fixed up, and refresh() restores each', goesOn('threads'));
});
