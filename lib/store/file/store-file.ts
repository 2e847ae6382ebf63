// StoreFile: all calls of the store to the file system. The kernel writes the mapped pages to the disk
// when it chooses, and at sync() and syncAll() at the latest.
//
// Tests replace it with one that fails, or that records what is durable.
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { fstat } from '../../internal/descriptors/calls.js';
import { constants } from 'node:os';
import { StateError } from '../../errors.js';
import { dirname } from 'node:path';
import { binding } from '../../internal/binding.js';
import { growRemedy } from '../../internal/remedy.js';
import type { Pages } from '../../mem/pages.js';
import { check, systemError } from '../../internal/syscall.js';

const { FALLOC, MS } = binding;
const { errno } = constants;

const remedy = (code: string): string | undefined =>
  code === 'ENOSPC' ? 'Nothing was changed. compact() frees the space of overwritten and deleted values' : growRemedy(code);

export class StoreFile {
  readonly fd: number;
  readonly path: string;

  /** @param fd held by this thread, and closed by {@link close} */
  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** The length of the file now, in bytes. */
  size(): number {
    return fstat(this.fd).size;
  }

  /** Bytes of disk or memory that the file occupies. */
  allocated(): number {
    return fstat(this.fd).blocks * 512;
  }

  /**
   * @throws {StateError} ERR_MEMMAP_FILE_REPLACED if the path leads to another file now, or if the file has
   * no path left. One that was only renamed is still found by its other path.
   */
  demandPath(): void {
    const { dev, ino, nlink } = fstat(this.fd, { bigint: true });
    const now = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (now === undefined ? nlink > 0n : now.dev === dev && now.ino === ino) return;
    const where = nlink === 0n ? 'which no path leads to any more, and which ends with it' : 'which has been renamed';
    throw new StateError(
      'ERR_MEMMAP_FILE_REPLACED',
      `'${this.path}' ${now === undefined ? 'was removed' : 'is another file now'}. This store writes to the former one, ${where}. Close it, and open the path again`,
    );
  }

  /** Allocates the blocks of a part, so that writing there cannot fail for lack of space. Grows the file if needed. */
  allocate(offset: number, length: number): void {
    const result = binding.fallocate(this.fd, 0, offset, length);
    // Without fallocate(2), as on NFS 3: growFile() leaves a file that is long enough unchanged.
    const size = result === -errno.EOPNOTSUPP ? this.size() : 0;
    if (result !== -errno.EOPNOTSUPP) check(result, 'fallocate', { path: this.path, remedy });
    else check(binding.growFile(this.fd, size, offset + length), 'fallocate', { path: this.path, remedy });
  }

  /** Frees the blocks of a part, which then reads as zeros. False if the file system cannot. */
  punch(offset: number, length: number): boolean {
    const result = binding.fallocate(this.fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, offset, length);
    if (result === -errno.EOPNOTSUPP) return false;
    check(result, 'fallocate', { path: this.path });
    return true;
  }

  /** Starts writing a part of the file to the disk, so that a later sync waits for less. Failures are ignored. */
  startSync(offset: number, length: number): void {
    binding.syncFileRange(this.fd, offset, length);
  }

  /** Waits until a part of a mapping is durable. `offset` and `length`: whole pages of `pages`. */
  sync(pages: Pages, offset: number, length: number): void {
    check(binding.msync(pages.open(), offset, length, MS.SYNC), 'msync', { path: this.path });
  }

  async syncAsync(pages: Pages, offset: number, length: number): Promise<void> {
    const result = await binding.msyncAsync(pages.open(), offset, length, MS.SYNC);
    check(result, 'msync', { path: this.path });
  }

  /** Waits until all writes are durable, including those through mappings. */
  syncAll(): void {
    check(binding.syncFile(this.fd, false), 'fdatasync', { path: this.path });
  }

  /** Waits until the name of the file is durable. */
  syncName(): void {
    const folder = openSync(dirname(this.path), 'r');
    try {
      check(binding.syncFile(folder, true), 'fsync', { path: dirname(this.path) });
    } finally {
      closeSync(folder);
    }
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
    }
  }

  /** Fills `bytes`; throws if the file ends before. */
  read(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
      if (read === 0) throw systemError(-errno.EIO, 'read', { path: this.path, remedy: () => `The file was truncated: it ends before byte ${position + bytes.length}` });
      done += read;
    }
  }

  close(): void {
    binding.closeFd(this.fd);
  }
}
