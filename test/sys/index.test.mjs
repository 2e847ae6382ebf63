// The names that memmap/sys exports: lib/sys/index.ts.
import assert from 'node:assert/strict';
import * as sys from 'memmap/sys';

const CALLS = [
  'cachestat', 'fallocate', 'fcntl_add_seals', 'fcntl_get_seals', 'ftruncate', 'futex_wait', 'futex_waitv', 'futex_wake', 'get_mempolicy', 'madvise', 'mbind', 'memfd_create',
  'memfd_secret', 'migrate_pages', 'mincore', 'mlock', 'mlock2', 'mlockall', 'mmap', 'move_pages', 'mprotect', 'mremap', 'mseal',
  'msync', 'munlock', 'munlockall', 'munmap', 'pidfd_open', 'posix_fadvise', 'process_madvise', 'set_mempolicy', 'set_mempolicy_home_node',
  'shm_open', 'shm_unlink',
];
const TABLES = ['FADV', 'FALLOC', 'F_SEAL', 'MADV', 'MAP', 'MCL', 'MFD', 'MLOCK', 'MPOL', 'MREMAP', 'MS', 'PAGE_SIZE', 'PROT'];
const ERRORS = ['FaultError', 'StateError', 'SystemError', 'UnsupportedError'];

describe('memmap/sys', () => {
  it('exports the calls by their C names, the flag tables and the error classes, and nothing else', () => {
    assert.deepEqual(Object.keys(sys).toSorted(), [...CALLS, ...TABLES, ...ERRORS].toSorted());
    for (const name of CALLS) assert.equal(sys[name].name, name);
  });

  it('shares its error classes with memmap', async () => {
    const memmap = await import('memmap');
    for (const name of ERRORS) assert.equal(sys[name], memmap[name]);
  });
});
