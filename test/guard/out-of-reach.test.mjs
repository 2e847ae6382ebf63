// Memory stays guarded as long as a buffer reaches it: lib/mem/pages.ts, src-native/napi/memory/buffer.cc,
// src-native/core/mapping/closing.cc, src-native/core/extent/closed_pages.cc.
import { runs } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const WAYS = [
  'posted', 'in a queue', 'cloned', 'of a mapping that was collected', 'transferred', 'of a worker that ended',
  'of a lock in use',
];

describe('a file that shrinks ends no process by a buffer', () => {
  const file = temporaryFiles();
  for (const way of WAYS) {
    // A SharedArrayBuffer is not transferred.
    (way === 'transferred' ? itExternal : it)(way, () => runs('out-of-reach', [way, file('f')], { nodeArgs: ['--expose-gc'] }));
  }
});
