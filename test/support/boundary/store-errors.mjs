// How the errors of docs/errors.md come about that stores have.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from 'memmap/store';

/** What `act` does with the path of a store that is not there yet. */
function withPath(act) {
  const folder = mkdtempSync(join(tmpdir(), 'memmap-store-errors-'));
  try {
    return act(join(folder, 'a.db'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const STORE_ERRORS = {
  ERR_MEMMAP_READ_ONLY_STORE: {
    call: () =>
      withPath((path) => {
        Store.open(path).close();
        const store = Store.open(path, { readOnly: true });
        try {
          store.put('a', Buffer.alloc(1));
        } finally {
          store.close();
        }
      }),
  },
  ERR_MEMMAP_TRANSACTION: {
    call: () =>
      withPath((path) => {
        const store = Store.open(path);
        try {
          store.transaction(() => store.transaction(() => {}));
        } finally {
          store.close();
        }
      }),
  },
  ERR_MEMMAP_STORE_FAILED: { skip: 'it takes a disk that fails: see test/store/failing-disk.test.mjs' },
  ERR_MEMMAP_STORE_FULL: { skip: 'it takes a store of 1 TiB' },
  ERR_MEMMAP_NOT_A_STORE: {
    call: () =>
      withPath((path) => {
        writeFileSync(path, Buffer.alloc(2 ** 17, 1));
        Store.open(path);
      }),
  },
  ERR_MEMMAP_UNCLEAN: { skip: 'it takes another boot, and a user who may not write' },
};
