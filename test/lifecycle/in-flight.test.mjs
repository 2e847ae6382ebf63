// Memory closed during a call of another thread, and buffers that moved away: lib/mem/pages.ts,
// lib/internal/buffer.ts, src-native/core/mapping/closing.cc.
import { skip } from '../support/hooks.mjs';
import { runs } from '../support/process/run.mjs';

const survives = (name) => () => runs('in-flight', [name], { nodeArgs: ['--expose-gc'] });

describe('close() under a call in flight', () => {
  for (const name of ['gzip', 'randomFill', 'write', 'flushAsync', 'populateAsync']) {
    it(`lets ${name} end`, survives(name));
  }
});

describe("a buffer: 'array' that moved away", () => {
  const transfers = (name) =>
    function () {
      if (ArrayBuffer.prototype.transfer === undefined) skip(this, 'this Node has no ArrayBuffer.prototype.transfer()');
      return survives(name)();
    };
  it('reads its bytes until close(), then zeros', transfers('transfer'));
  it('keeps the pages until the moved buffer is dropped', transfers('alias outlives'));
  it('is safe in a byte stream that took it', survives('stream'));
  it('is cloned as a copy', survives('clone'));
});
