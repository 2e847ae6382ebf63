// Mapping and closing in a loop leaves nothing behind: lib/internal/gc.ts, lib/mem/pages.ts,
// src-native/core/mapping/closing.cc, src-native/core/extent/closed_pages.cc.
import { readFileSync } from 'node:fs';
import { skip } from '../support/hooks.mjs';
import { hasExternalShared } from '../support/process/runtime.mjs';
import { runs } from '../support/process/run.mjs';

const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'));

/** Closed ranges beside each other merge: only V8's heap and the last few ranges show. */
const MERGED = 1000;
/**
 * Beside pages moved under a WebAssembly.Memory lie guard pages of V8, so that nothing
 * merges until V8 collects; collectUnderPressure() makes it, long before the kernel's limit.
 */
const GUARDED = hasExternalShared ? MERGED : limit / 2;
/** Pages moved under a growable buffer merge, but not with all their neighbours. */
const MOVED = hasExternalShared ? MERGED : limit / 8;

const PAGE = 4096;
const MiB = 2 ** 20;
const GiB = 2 ** 30;

describe('mapping and closing in a loop', () => {
  it('stays flat over 70,000 files that were read through bytes', () =>
    runs('churn', ['bytes', PAGE, 70_000, MOVED]));

  it('stays flat over 20,000 files of which no buffer was made', () =>
    runs('churn', ['without a buffer', PAGE, 20_000, MERGED]));

  it('stays flat over 20,000 pieces of anonymous memory', () =>
    runs('churn', ['anonymous', PAGE, 20_000, MOVED]));

  it('stays flat over closed ranges whose pages had been written', () =>
    runs('churn', ['written', PAGE, 10_000, MOVED]));

  it("stays flat with buffer: 'array'", () => runs('churn', ['array', PAGE, 10_000, MERGED]));

  it('holds no memfd of closed shared memory', () => runs('churn', ['memfd', PAGE, 5_000, MOVED]));

  it('stays flat over files of 64 KiB', () => runs('churn', ['bytes', 2 ** 16, 20_000, GUARDED]));

  it('stays flat over files of 64 MiB', () => runs('churn', ['bytes', 64 * MiB, 2_000, GUARDED]));

  it('stays flat over sparse files of 4 GiB', () => runs('churn', ['bytes', 4 * GiB, 2_000, GUARDED]));

  it('stays flat over 64 MiB files of which no buffer was made', () =>
    runs('churn', ['without a buffer', 64 * MiB, 2_000, MERGED]));

  it('gives the addresses of old mappings back before they take an eighth of the address space', function () {
    if (!hasExternalShared) skip(this, 'memory of the engine lies under the buffers: it collects by its own measure');
    return runs('retire');
  });

  it('stays flat in a worker', () => runs('churn', ['bytes', PAGE, 10_000, MOVED, 'worker']));
});
