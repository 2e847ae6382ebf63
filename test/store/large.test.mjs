// Values longer than a mapping is meant for, and a store longer than one mapping:
// lib/store/file/mapped-file.ts, lib/store/log/log.ts.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { Store } from 'memmap/store';
import { temporaryFiles } from '../support/temp.mjs';

const bytes = (text) => Buffer.from(text);

describe('a large store', () => {
  const file = temporaryFiles();
  let path;
  let store;
  beforeEach(() => {
    path = file('large.db');
    store = Store.open(path);
  });
  afterEach(() => store.close());

  it('holds values that no mapping holds, and reaches past a GiB', async function () {
    this.timeout(300_000);
    const giant = Buffer.alloc(2 ** 28 + 5, 'giant');
    const large = Buffer.alloc(2 ** 27 + 3, 'large');
    store.put('small', bytes('before'));
    store.put('giant', giant);
    for (let i = 0; i < 8; i++) store.put(`large ${i % 4}`, large);
    store.put('small', bytes('after'));
    assert.ok(statSync(path).size > 2 ** 30, 'more than a window');
    store.close();
    store = Store.open(path);
    assert.ok(store.get('giant').equals(giant) && store.getView('giant').equals(giant));
    assert.ok(store.get('large 3').equals(large) && store.getView('large 0').equals(large));
    const { diskBytes } = store.stats();
    await store.compact();
    assert.ok(store.stats().diskBytes < diskBytes - 3 * large.length, 'the room went back to the disk');
    assert.ok(store.get('giant').equals(giant));
    assert.deepEqual([(await store.check()).damage, String(store.get('small')), store.size], [[], 'after', 6]);
    const copy = Store.open(path, { readOnly: true });
    assert.ok(copy.get('giant').equals(giant));
    copy.close();
    store.close();
    store = Store.open(path, { salvage: true });
    assert.ok(store.get('giant').equals(giant) && store.get('large 3').equals(large) && store.size === 6);
  });
});
