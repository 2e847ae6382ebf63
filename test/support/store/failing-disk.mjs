// A disk that fails: what the store asks the file system for is counted, and chosen calls fail.
import { constants } from 'node:os';
import { SystemError } from '../../../.unbundled/errors.js';
import { StoreFile } from '../../../.unbundled/store/file/store-file.js';

const { errno } = constants;

/** With what each call fails. */
const CODES = { allocate: 'ENOSPC', write: 'ENOSPC', punch: 'EIO', sync: 'EIO', syncAsync: 'EIO', syncAll: 'EIO', syncName: 'EIO' };

/**
 * Counts the calls, and lets those fail of whose number `fails(number, name)` says so.
 *
 * @returns { calls, failed, close() }
 */
export function failingDisk(fails) {
  const real = {};
  const disk = { calls: [], failed: [] };
  for (const [name, code] of Object.entries(CODES)) {
    const original = StoreFile.prototype[name];
    real[name] = original;
    StoreFile.prototype[name] = function failing(...args) {
      const number = disk.calls.push(name) - 1;
      // What is durable is of no interest here, and waiting for it takes time.
      if (!fails(number, name)) return name.startsWith('sync') ? undefined : original.apply(this, args);
      disk.failed.push(name);
      const error = new SystemError(-errno[code], name, { path: this.path });
      if (name === 'syncAsync') return Promise.reject(error);
      throw error;
    };
  }
  disk.close = () => void Object.assign(StoreFile.prototype, real);
  return disk;
}
