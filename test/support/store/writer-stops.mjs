// A writer of a store that is stopped before and after each of its steps; and what it leaves.
import assert from 'node:assert/strict';
import { closeSync, copyFileSync, openSync, statSync, writeSync } from 'node:fs';
import { StoreFile } from '../../../.unbundled/store/file/store-file.js';
import { HashIndex } from '../../../.unbundled/store/index/hash-index.js';
import { Header } from '../../../.unbundled/store/file/header.js';
import { AT_STAMP } from '../../../.unbundled/store/file/layout.js';
import { Log } from '../../../.unbundled/store/log/log.js';

/** What changes the file, or comes between two changes. */
const STEPS = [
  [HashIndex, ['add', 'move', 'remove']],
  [Log, ['reserve', 'write', 'copy', 'publish', 'beginBatch', 'endBatch', 'dropBatch']],
  [Header, ['removeExtent', 'advance']],
  [StoreFile, ['allocate', 'punch', 'sync', 'syncAll']],
];
/** What others look at as well: the catalog, the directory and its entries, what is under way. */
export const STORES = [{ name: 'Atomics', prototype: Atomics }, ['store']];

/** Calls `stop(name)` before and after each step, until the function that it returns is called. */
export function stopping(stop, also = []) {
  const undo = [];
  for (const [{ name: owner, prototype }, names] of [...STEPS, ...also]) {
    for (const name of names) {
      const original = prototype[name];
      assert.equal(typeof original, 'function', `${owner}.${name}`);
      prototype[name] = function stopped(...args) {
        stop(`before ${owner}.${name}`);
        const result = original.apply(this, args);
        stop(`after ${owner}.${name}`);
        return result;
      };
      undo.push(() => (prototype[name] = original));
    }
  }
  return () => undo.forEach((one) => one());
}

/** A copy of the file, in the place of the file itself: the header says which one is meant, on which boot. */
export function copyStore(path, copy) {
  copyFileSync(path, copy);
  const { dev, ino } = statSync(copy, { bigint: true });
  const fd = openSync(copy, 'r+');
  writeSync(fd, new BigInt64Array([dev, ino]), 0, 16, 4 * (AT_STAMP + 4));
  closeSync(fd);
}

/** Runs `open`, which must take the index as it is, and not make it again. */
export function withoutRebuilding(open, where) {
  const real = Object.getOwnPropertyDescriptor(Header.prototype, 'invalidate');
  Header.prototype.invalidate = () => assert.fail(`${where}: the index is made again, not taken as it is`);
  try {
    return open();
  } finally {
    Object.defineProperty(Header.prototype, 'invalidate', real);
  }
}
