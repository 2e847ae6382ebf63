// FileIdentity: the very file that is mapped, whatever its path leads to by now.
import { type Stats, closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { StateError } from '../errors.js';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

export class FileIdentity {
  readonly #path: string;
  readonly #device: number;
  readonly #inode: number;

  constructor(path: string, device: number, inode: number) {
    this.#path = path;
    this.#device = device;
    this.#inode = inode;
  }

  #verify(stats: Stats): Stats {
    if (stats.ino === this.#inode && stats.dev === this.#device) return stats;
    throw new StateError(
      'ERR_MEMMAP_FILE_REPLACED',
      `'${this.#path}' is another file now than the one mapped: map it again to see the new one`,
    );
  }

  /** @param descriptor - of the file, or -1. @throws {StateError} ERR_MEMMAP_FILE_REPLACED */
  stat(descriptor: number): Stats {
    return this.#verify(descriptor >= 0 ? fstatSync(descriptor) : statSync(this.#path));
  }

  /** Bytes of the file; undefined if its path leads elsewhere now: only the kernel knows. */
  sizeByPath(): number | undefined {
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    return stats !== undefined && stats.ino === this.#inode && stats.isFile() ? stats.size : undefined;
  }

  /** A new descriptor of the file, which the caller closes. Opening a pipe in its place would not block. */
  openAgain(flags: 'r' | 'r+'): number {
    const fd = openSync(this.#path, (flags === 'r' ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
    try {
      this.#verify(fstatSync(fd));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Runs `act` with `descriptor`, or with one opened for it if that is -1. */
  open(descriptor: number, flags: 'r' | 'r+', act: (fd: number) => void): void {
    const fd = descriptor >= 0 ? descriptor : this.openAgain(flags);
    try {
      act(fd);
    } finally {
      if (fd !== descriptor) closeSync(fd);
    }
  }
}
