// Calls that older kernels lack.
import assert from 'node:assert/strict';
import { cachestat } from 'memmap/sys';

import { skip } from '../hooks.mjs';

/** cachestat(2), or skips the test where the kernel has none. */
export function cachestatOrSkip(context, ...args) {
  try {
    return cachestat(...args);
  } catch (error) {
    assert.equal(error.code, 'ENOSYS');
    return skip(context, 'cachestat(2) needs Linux 6.5');
  }
}
