// What is not closed is collected, by /proc/self/maps and /proc/self/fd: lib/mem/pages.ts,
// lib/internal/descriptors/owned-fd.ts, src-native/napi/memory/{buffer,mapping}.cc.
import { runs } from '../support/process/run.mjs';

const collects = (name) => () => runs('collection', [name], { nodeArgs: ['--expose-gc'] });

describe('mappings that nobody closes', () => {
  it('are unmapped when they are dropped before a buffer was made', collects('without a buffer'));
  it('are unmapped when they and their buffers are dropped', collects('with a buffer'));
  it("are unmapped with buffer: 'array'", collects('array'));
  it('stay while a view is kept, though the mapping is dropped', collects('kept views'));
  it('stay while the buffer is kept, though the mapping is dropped', collects('kept buffers'));
  it("stay while a view is kept of buffer: 'array'", collects('kept array'));
  it('close the memfd behind shared memory', collects('descriptors'));
  it('are not unmapped a second time, over what took their place', collects('no second unmapping'));
});

describe('a closed mapping', () => {
  it('keeps its addresses for the views that are left, which reach no other mapping', collects('closed with a kept view'));
});
