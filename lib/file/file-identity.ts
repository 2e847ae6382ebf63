// FileIdentity: the file that is mapped, even if its path refers to another file now.
import { type Stats, closeSync, constants, openSync, statSync } from 'node:fs';
import { fstat } from '../internal/descriptors/calls.js';
import { StateError } from '../errors.js';
import { type FileId, areOf } from '../internal/descriptors/file-id.js';
import { blockDeviceSize } from './block-device.js';
import { type PathName, shownPath } from '../internal/path.js';
import { maps } from '../mem/maps/maps.js';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/** The result of `ask`; undefined if it throws. */
function tryTo<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** A path that leads to the file. */
interface Found {
  readonly path: PathName;
  readonly stats: Stats;
}

export class FileIdentity {
  readonly #path: PathName;
  readonly #file: FileId;
  /** A path that referred to the file when last checked. */
  #lately: PathName;

  constructor(path: PathName, file: FileId) {
    this.#path = path;
    this.#file = file;
    this.#lately = path;
  }

  #leadsTo(stats: Stats | undefined): stats is Stats {
    return stats !== undefined && areOf(stats, this.#file);
  }

  #verify(stats: Stats): Stats {
    if (this.#leadsTo(stats)) return stats;
    throw new StateError(
      'ERR_MEMMAP_FILE_REPLACED',
      `'${shownPath(this.#path)}' is now another file than the one that was mapped: map it again to see the new one`,
    );
  }

  /** Bytes in the file. @param descriptor - of the file, or -1. @throws {StateError} ERR_MEMMAP_FILE_REPLACED */
  size(descriptor: number): number {
    const stats = this.stat(descriptor);
    if (!stats.isBlockDevice()) return stats.size;
    return blockDeviceSize(descriptor >= 0 ? descriptor : this.#path) ?? 0;
  }

  /** @param descriptor - of the file, or -1. @throws {StateError} ERR_MEMMAP_FILE_REPLACED */
  stat(descriptor: number): Stats {
    return this.#verify(descriptor >= 0 ? fstat(descriptor) : statSync(this.#path));
  }

  /**
   * The length of the file whose pages are mapped at `address`, also if it was renamed. If no path refers to it, only
   * root (CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE) can find it, through map_files. Otherwise undefined.
   */
  sizeOf(address: bigint): number | undefined {
    return this.#find(address)?.stats.size;
  }

  #find(address: bigint): Found | undefined {
    const found = this.#at(this.#lately);
    if (found !== undefined) return found;
    const [entry] = tryTo(() => maps({ at: address }).mappings) ?? [];
    if (entry?.path === undefined) return undefined;
    const range = `${entry.start.toString(16)}-${entry.end.toString(16)}`;
    return this.#at(entry.path) ?? this.#at(`/proc/self/map_files/${range}`);
  }

  #at(path: PathName): Found | undefined {
    const stats = tryTo(() => statSync(path, { throwIfNoEntry: false }));
    if (!this.#leadsTo(stats) || !stats.isFile()) return undefined;
    this.#lately = path;
    return { path, stats };
  }

  /** A path that opens the file whose pages are mapped at `address`, as it is now; undefined if none does. */
  reach(descriptor: number, address: bigint): PathName | undefined {
    return descriptor >= 0 ? `/proc/self/fd/${descriptor}` : this.#find(address)?.path;
  }

  /** A new descriptor of the file, which the caller closes. Does not block if a pipe has replaced it. */
  openAgain(flags: 'r' | 'r+', path: PathName = this.#path): number {
    const fd = openSync(path, (flags === 'r' ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
    try {
      this.#verify(fstat(fd));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Runs `act` with `descriptor`, or with one opened for it if that is -1. */
  open<T>(descriptor: number, flags: 'r' | 'r+', act: (fd: number) => T): T {
    const fd = descriptor >= 0 ? descriptor : this.openAgain(flags);
    try {
      return act(fd);
    } finally {
      if (fd !== descriptor) closeSync(fd);
    }
  }
}
