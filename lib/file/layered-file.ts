// LayeredFile: a file of overlayfs that is mapped for reading. Whoever opens it for writing, or changes its owner
// or mode, has the kernel copy it to the upper layer; the mapping then still shows the lower one, under the same
// device and inode number. Only st_ctime tells: it changes then, and for other reasons too.
import { closeSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { StateError } from '../errors.js';
import { type PathName, shownPath } from '../internal/path.js';
import { check } from '../internal/syscall.js';
import type { FileIdentity } from './file-identity.js';
import type { FilePages } from './open-file.js';

const { errno } = constants;

function inNanoseconds({ seconds, nanoseconds }: FilePages['changed']): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/** Errors after which it would be no use to try again. */
const REFUSED = new Set(['EACCES', 'EPERM', 'ENOENT']);

export class LayeredFile {
  readonly #path: PathName;
  readonly #identity: FileIdentity;
  /** st_ctime in nanoseconds, as of before the file was opened that is mapped now. */
  #changed: bigint;
  /** How often it was mapped anew. */
  renewals = 0;

  constructor(path: PathName, identity: FileIdentity, changed: FilePages['changed']) {
    this.#path = path;
    this.#identity = identity;
    this.#changed = inNanoseconds(changed);
  }

  /** The file has been opened and mapped again. */
  mapped(changed: FilePages['changed']): void {
    this.#changed = inNanoseconds(changed);
  }

  /** Some pages may be of another layer than the others: renew() maps all of them anew. */
  forget(): void {
    this.#changed = -1n;
  }

  /**
   * If the file may have been copied up since it was mapped, runs `map` with a descriptor of what it is now. A file
   * that nothing leads to any more is taken to be as it was.
   *
   * @param descriptor of the file, or -1
   * @param map maps the descriptor in place: 0 or -errno
   * @throws {StateError} ERR_MEMMAP_FILE_REPLACED if it cannot be mapped anew now
   */
  renew(descriptor: number, address: bigint, map: (fd: number) => number): void {
    const path = this.#identity.reach(descriptor, address);
    const changed = path === undefined ? undefined : statSync(path, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
    if (path === undefined || changed === undefined || changed === this.#changed) return;
    const fd = this.#open(path);
    try {
      const result = map(fd);
      if (result === -errno.EBUSY) throw this.#stale('pages of it were replaced after faults: call refresh()');
      check(result, 'mmap', { path: this.#path });
    } finally {
      closeSync(fd);
    }
    this.#changed = changed;
    this.renewals += 1;
  }

  #open(path: PathName): number {
    try {
      return this.#identity.openAgain('r', path);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!REFUSED.has(code)) throw error;
      throw this.#stale(`it could not be opened again (${code}): map it again`);
    }
  }

  #stale(why: string): StateError {
    const message = `'${shownPath(this.#path)}' has changed on overlayfs, where it may be in another layer now than the one that is mapped, and ${why}`;
    return new StateError('ERR_MEMMAP_FILE_REPLACED', message);
  }
}
