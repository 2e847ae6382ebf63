// SharedFile: one version of one file, opened and mapped once for all requests that send it.
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { constants as system } from 'node:os';
import type { FileMapping } from '../file/file-mapping.js';
import { mapFile } from '../file/map-file.js';
import { BUFFER_LIMIT } from '../internal/buffer.js';
import { type PathName, shownPath } from '../internal/path.js';
import { systemError } from '../internal/syscall.js';
import { truncatedInStream } from '../mem/lease/file-lease.js';
import { Canary } from './canary.js';
import type { Content } from './content.js';
import { Version } from './version.js';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants;

/** Below this many bytes, copies are as fast as views. */
const WORTH_VIEWS = 2 ** 17;
/** How often to try again while the file keeps shrinking. */
const MOST_TRIES = 8;

/** File systems on which the kernel of this machine alone shortens files. */
const LOCAL = new Set(['ext4', 'xfs', 'btrfs', 'f2fs', 'tmpfs', 'overlay', 'zfs']);

/** A descriptor. Does not block if the path is that of a pipe. Throws as mapFile(). */
function openToRead(path: PathName): number {
  try {
    return openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    mapFile(path).close();
    throw error;
  }
}

/** Throws as mapFile(), and for devices. */
function statsOfRegular(fd: number, path: PathName): BigIntStats {
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile()) return stats;
  if (!stats.isCharacterDevice()) mapFile(path).close();
  throw systemError(-system.errno.ENODEV, 'mmap', { path, remedy: () => 'Only regular files can be served' });
}

/** Which part of a file to share: bytes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
}

export class SharedFile implements Content {
  readonly path: PathName;
  readonly size: number;
  readonly version: Version;
  readonly etag: string;
  readonly #fd: number;
  readonly #start: number;
  readonly #mapping: FileMapping;
  #canary: Canary | undefined;
  #viewable: number | undefined;
  #users = 0;
  #isDropped = false;
  /** Whether a request has used it since this was last set to false. */
  used = true;

  private constructor(path: PathName, fd: number, version: Version, part: Part | undefined) {
    const { offset, length } = part ?? { offset: 0, length: version.size };
    this.path = path;
    this.#fd = fd;
    this.#start = offset;
    this.size = length;
    this.version = version;
    this.etag = part === undefined ? version.etag : `${version.etag.slice(0, -1)}-${offset.toString(36)}-${length.toString(36)}"`;
    // Files in /proc, for example, report no length and cannot be mapped: the error is to name the path.
    if (version.size === 0) mapFile(path).close();
    this.#mapping = mapFile(fd, { offset, length });
  }

  /** @param reopen - opens the file again if no path leads to it */
  static open(path: PathName, part?: Part, reopen: () => number = () => openToRead(path)): SharedFile {
    for (let tries = 1; ; tries++) {
      const fd = reopen();
      try {
        return new SharedFile(path, fd, new Version(statsOfRegular(fd, path)), part);
      } catch (error) {
        closeSync(fd);
        // It has shrunk since its length was read.
        const again = error instanceof RangeError && part === undefined;
        if (!again || tries === MOST_TRIES) throw error;
      }
    }
  }

  get modified(): number {
    return this.version.modified;
  }

  /** The file that is open: also if the path leads to another one now. */
  get isCurrent(): boolean {
    return this.version.isOf(fstatSync(this.#fd, { bigint: true }));
  }

  get viewable(): number {
    return (this.#viewable ??= this.#watch());
  }

  #watch(): number {
    const { filesystem } = this.#mapping;
    if (this.size < WORTH_VIEWS || this.size > BUFFER_LIMIT || !LOCAL.has(filesystem)) return 0;
    try {
      this.#canary = new Canary(this.#fd, this.version.size);
    } catch {
      return 0; // no descriptor or mapping is left, or the file has shrunk: copies say so
    }
    return Math.max(0, Math.min(this.size, this.#canary.guarded - this.#start));
  }

  read(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.#fd, bytes, done, bytes.length - done, this.#start + offset + done);
      if (got === 0) throw truncatedInStream(shownPath(this.path), offset + done);
      done += got;
    }
  }

  view(offset: number, length: number): Uint8Array {
    return this.#mapping.bytes.subarray(offset, offset + length);
  }

  verify(): void {
    const left = fstatSync(this.#fd).size - this.#start;
    if (left < this.size || this.#canary?.lives === false) throw truncatedInStream(shownPath(this.path), Math.max(0, Math.min(left, this.size)));
    this.#mapping.check();
  }

  retain(): this {
    this.#users += 1;
    this.used = true;
    return this;
  }

  get isIdle(): boolean {
    return this.#users === 0;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0 && this.#isDropped) this.#close();
  }

  /** No new request will use it: it closes when the last one ends. */
  drop(): void {
    this.#isDropped = true;
    if (this.#users === 0) this.#close();
  }

  #close(): void {
    this.#canary?.close();
    this.#mapping.close();
    closeSync(this.#fd);
  }
}
