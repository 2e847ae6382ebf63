// StoreFile: the one place where the store asks the file system for something. What the mapped pages
// hold reaches the disk when the kernel chooses, and at sync() and syncAll() at the latest.
//
// A test puts another one in its place that fails, or that notes what is durable.
import { closeSync, fdatasyncSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { binding } from '../../internal/binding.js';
import { mapRemedy } from '../../internal/remedy.js';
import type { Pages } from '../../mem/pages.js';
import { check, systemError } from '../../internal/syscall.js';

const { FALLOC, MS } = binding;
const { errno } = constants;

const remedy = (code: string): string | undefined =>
  code === 'ENOSPC' ? 'Nothing was changed. compact() gives back the room of what was overwritten and deleted' : mapRemedy(0)(code);

export class StoreFile {
  readonly fd: number;
  readonly path: string;

  /** @param fd held by this thread, and closed by {@link close} */
  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** Bytes of the file now. */
  size(): number {
    return fstatSync(this.fd).size;
  }

  /** Bytes of disk or memory that the file takes. */
  allocated(): number {
    return fstatSync(this.fd).blocks * 512;
  }

  /** Makes sure that writing to a part cannot fail for want of space; the file grows if it must. */
  allocate(offset: number, length: number): void {
    const result = binding.fallocate(this.fd, 0, offset, length);
    // Without fallocate(2), as on NFS 3: a file that is long enough has what it has.
    const size = result === -errno.EOPNOTSUPP ? this.size() : 0;
    if (result !== -errno.EOPNOTSUPP) check(result, 'fallocate', { path: this.path, remedy });
    else check(binding.growFile(this.fd, size, offset + length), 'fallocate', { path: this.path, remedy });
  }

  /** Gives the blocks of a part back: it reads zeros. False where the file system cannot. */
  punch(offset: number, length: number): boolean {
    const result = binding.fallocate(this.fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, offset, length);
    if (result === -errno.EOPNOTSUPP) return false;
    check(result, 'fallocate', { path: this.path });
    return true;
  }

  /** Has the disk begin with a part of the file: a later sync waits for less. No failure matters. */
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

  /** Waits until everything is durable that was written, be it through mappings. */
  syncAll(): void {
    fdatasyncSync(this.fd);
  }

  /** Waits until the name of the file is durable. */
  syncName(): void {
    const folder = openSync(dirname(this.path), 'r');
    try {
      fsyncSync(folder);
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
      if (read === 0) throw systemError(-errno.EIO, 'read', { path: this.path, remedy: () => 'The file has been truncated' });
      done += read;
    }
  }

  close(): void {
    binding.closeFd(this.fd);
  }
}
