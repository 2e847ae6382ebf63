// FileMapping: a mapping of a file, and ways to read it.
import type { Stats } from 'node:fs';
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { BUFFER_LIMIT, runtimeName } from '../internal/buffer.js';
import type { BufferKind } from '../internal/enums.js';
import { type Range, resolveRange } from '../internal/range.js';
import { growRemedy, mapRemedy } from '../internal/remedy.js';
import { check } from '../internal/syscall.js';
import { OURS, validateInteger, validateOurs } from '../internal/validate.js';
import { MappedMemory, type Place } from '../mem/mapped-memory.js';
import { Mapping, memoryOf } from '../mem/mapping.js';
import { FileBacking } from './file-backing.js';
import type { LineOptions, Lines } from './reading/line.js';
import { lines } from './reading/lines.js';
import { type FilePages, type FileSource, openFile } from './open-file.js';
import { SubMappings } from './sub-mappings.js';
import { type Window, type WindowOptions, windows } from './reading/windows.js';

const PIECEWISE = 'Read it piece by piece with windows(), or a part with view(Uint8Array, { offset, count })';

/** How often to try again when other processes keep changing the length. */
const MOST_TRIES = 16;

/** What a mapping of a file permits: {@link MapFileOptions.access}. */
export type FileAccess = 'read' | 'read-write' | 'copy-on-write';

export let newFileMapping: (found: FilePages, access: FileAccess, source: FileSource, kind: BufferKind | undefined) => FileMapping;

/** What the kernel knows of the file that is mapped. Throws as {@link FileMapping.size}. */
export let statsOf: (mapping: FileMapping) => Stats;

/**
 * A mapped file, or a part of one. Made by {@link mapFile}.
 *
 * Made of a descriptor or a FileHandle, it keeps a duplicate until `close()`, and means that file whatever
 * happens to the path. Made of a path, it means the file there, and holds no descriptor unless it is too large
 * for one buffer of this runtime.
 *
 * On overlayfs, the file system of containers, a file is copied to the upper layer when it is first opened
 * for writing. A mapping made for reading before then shows the file as it was: `refresh()`, `copyOut()` and
 * `copyIn()` notice, and map the file anew in place; views show it then. `check()` does not notice.
 */
export class FileMapping<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> extends Mapping<TArrayBuffer> {
  static {
    statsOf = (mapping) => mapping.#file.identity.stat(mapping.#file.descriptor(mapping.#memory.pages));
    newFileMapping = (found, access, source, kind) => new FileMapping(OURS, found, access, source, kind);
  }
  /** The file, as an absolute path: a Buffer if it is not UTF-8. */
  readonly path: string | Buffer;
  /**
   * The file system's type, for example `'ext4'`. On `'nfs'`, `'cifs'` and `'fuse'` other
   * machines may change the file without this mapping seeing it.
   */
  readonly filesystem: string;
  readonly #memory: MappedMemory;
  readonly #file: FileBacking;
  /** Parts of a mapping too large for one buffer. */
  readonly #parts: SubMappings<FileMapping<TArrayBuffer>>;

  /** @param within bytes from the start of the mapping that it is a part of */
  private constructor(key: typeof OURS, found: FilePages, access: FileAccess, source: FileSource, kind: BufferKind | undefined, within = 0) {
    validateOurs(key);
    const parts = new SubMappings<FileMapping<TArrayBuffer>>((from, length) => this.#mapPart(from, length));
    const file = new FileBacking(
      found,
      source,
      () => parts.mappings.map(memoryOf),
      (offset, length) => this.#locateInPart(offset, length),
    );
    const memory = new MappedMemory({ ...found, kind, within, ...(source.copies ? {} : { instead: PIECEWISE }) }, access, file);
    super(key, memory);
    this.path = source.path;
    this.filesystem = found.filesystem;
    this.#memory = memory;
    this.#file = file;
    this.#parts = parts;
  }

  /**
   * The length of the file now, in bytes; other processes may have changed it.
   *
   * @throws {StateError} ERR_MEMMAP_FILE_REPLACED if the path, if one was given, refers to another file now
   * @throws {SystemError} ENOENT if the path was removed
   */
  size(): number {
    return this.#file.identity.size(this.#file.descriptor(this.#memory.pages));
  }

  /**
   * Adopts the length of the file after it grew or shrank: the mapping then ends with the file, or
   * after `options.length` bytes. Earlier views end if the length changes. Pages that the guard has
   * replaced show the file again, and `check()` no longer throws for them.
   *
   * On overlayfs a mapping for reading is mapped anew, in place, if the inode has changed since (st_ctime), as it
   * does when the file is copied to the upper layer. Pages that a copy-on-write mapping has written stay.
   *
   * @returns whether the length changed, or the file was mapped anew on overlayfs
   * @throws {StateError} ERR_MEMMAP_FILE_REPLACED if the path refers to another file now; on overlayfs also if
   * the file may not be opened again
   */
  refresh(): boolean {
    const { renewals } = this.#file;
    this.#memory.repair();
    const { offset, length: asked = Infinity } = this.#file.source;
    const available = () => {
      const length = Math.min(asked, Math.max(0, this.size() - offset));
      // After the length was read: what is mapped then has had this length.
      this.#renew();
      return length;
    };
    let tries = 0;
    for (let length = available(); length !== this.length; length = available()) {
      try {
        this.#setLength(length);
        return true;
      } catch (error) {
        // Try again if the file shrank meanwhile, or another thread has accessed bytes past its end.
        const isOver = !(error instanceof RangeError) && available() >= length && this.#memory.pages.fixedUp === -1;
        if (isOver || ++tries === MOST_TRIES) throw error;
        this.#memory.repair();
      }
    }
    return this.#file.renewals !== renewals;
  }

  #renew(): void {
    for (let tries = 1; ; tries++) {
      try {
        this.#memory.renew();
        return;
      } catch (error) {
        // Another thread has accessed bytes past the end of the file.
        if (this.#memory.pages.fixedUp === -1 || tries === MOST_TRIES) throw error;
        this.#memory.repair();
      }
    }
  }

  /**
   * Gives the mapping another length, at least 1 byte. A read-write mapping grows a file that is too
   * short, and allocates its blocks; the file never shrinks. Earlier views end.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE past the end of a file that is mapped without `'read-write'`
   * @throws {SystemError} ENOSPC, ENOMEM
   * @throws {StateError} ERR_MEMMAP_FILE_REPLACED
   */
  override resize(length: number): void {
    validateInteger(length, 'length', 1);
    this.#memory.pages.open();
    this.#memory.repair();
    const end = this.#file.source.offset + length;
    const size = this.size();
    this.#renew();
    if (end > size) {
      if (!this.#file.canGrow(this.#memory.pages)) validateInteger(length, 'length', 1, size - this.#file.source.offset);
      this.#file.identity.open(this.#file.descriptor(this.#memory.pages), 'r+', (fd) => {
        check(binding.growFile(fd, size, end), 'fallocate', { path: this.path, remedy: growRemedy });
      });
    }
    this.#setLength(length);
  }

  override persist(range?: Range): void {
    const { offset, length } = resolveRange(range, this.length);
    const handle = this.#memory.pages.open();
    const durable = (this.#file.source.flags & binding.MAP.SYNC) !== 0 && binding.writeBackInstruction() !== undefined;
    if (!durable) this.flush(range);
    else if (length > 0) check(binding.writeBack(handle, this.byteOffset + offset, length), 'persist');
  }

  /**
   * Pushes pages out of memory and out of the page cache; changes are written to the file first. Pages
   * that other mappings use stay. Written pages of a copy-on-write mapping go to swap. Linux 5.4.
   *
   * @throws {SystemError} EINVAL if pages are locked
   */
  override evict(range?: Range): void {
    const { offset, length } = this.#memory.pages.span(range);
    super.evict(range);
    if (length === 0 || this.#file.source.copies) return;
    // MADV_PAGEOUT reaches only pages that this mapping has touched. The rest of the page cache is dropped
    // through a descriptor, once no page table of this process refers to it.
    const handle = this.#memory.pages.pinnedHandle();
    check(binding.msync(handle, offset, length, binding.MS.SYNC), 'msync', { path: this.path });
    check(binding.madvise(handle, offset, length, binding.MADV.DONTNEED), 'madvise', {
      path: this.path,
      remedy: (code) => (code === 'EINVAL' ? 'Locked pages cannot be evicted: unlock() them first' : undefined),
    });
    const start = this.#file.source.offset - this.byteOffset + offset;
    this.#file.identity.open(this.#memory.pages.descriptor, 'r', (fd) => {
      // Pages that other processes changed stay until they are written, and msync(2) does nothing
      // for a mapping of a read-only descriptor.
      if (!this.#file.writable) check(binding.syncFile(fd, false), 'fdatasync', { path: this.path });
      check(binding.posixFadvise(fd, start, length, binding.FADV.DONTNEED), 'posix_fadvise', { path: this.path });
    });
  }

  #setLength(length: number): void {
    const handle = this.#memory.pages.open();
    this.#memory.resize(length, () => {
      if (handle === 0) return this.#file.mapAgain(length, this.#memory.protections.prot);
      if (length === 0) {
        this.#file.unmap(this.#memory.pages, handle);
        return 0;
      }
      check(binding.resize(handle, this.byteOffset + length), 'mremap', {
        path: this.path,
        feature: 'remapKeepingFiles',
        remedy: mapRemedy(0),
      });
      return handle;
    });
    this.#closeParts();
  }

  /** The bytes of a part, in place, even of a mapping too large for one buffer. */
  #part(offset: number, length: number): Buffer<TArrayBuffer> {
    this.#memory.pages.open();
    const { buffer, byteOffset } = this.#memory.locate(offset, length);
    return Buffer.from(buffer as ArrayBuffer, byteOffset, length) as Buffer as Buffer<TArrayBuffer>;
  }

  #locateInPart(offset: number, length: number): Place {
    if (this.#file.source.copies) {
      throw new UnsupportedError(
        'ERR_MEMMAP_BUFFER_TOO_LARGE',
        `${runtimeName()} has no buffers of parts of a copy-on-write mapping of ${this.length} bytes, more than ${BUFFER_LIMIT}. Use copyOut() and copyIn()`,
      );
    }
    const { mapping, from } = this.#parts.holding(offset, length, this.length);
    const { buffer, byteOffset } = mapping.#memory.pages;
    return { buffer, byteOffset: byteOffset + (offset - from) };
  }

  #mapPart(from: number, length: number): FileMapping<TArrayBuffer> {
    const { identity, source: whole, writable } = this.#file;
    const { descriptor, kind, within } = this.#memory.pages;
    const part = identity.open(descriptor, writable ? 'r+' : 'r', (fd) => {
      const source = { ...whole, fd, flags: whole.flags & ~binding.MAP.POPULATE, offset: whole.offset + from, length };
      return new FileMapping<TArrayBuffer>(OURS, openFile(source), writable ? 'read-write' : 'read', source, kind, within + from);
    });
    try {
      this.#memory.adopt(part.#memory);
      return part;
    } catch (error) {
      part.close();
      throw error;
    }
  }

  #closeParts(): void {
    this.#memory.dismiss(this.#parts.mappings.map(memoryOf));
    this.#parts.close();
  }

  override close(): void {
    if (this.closed) return;
    super.close();
    this.#closeParts();
    this.#file.close();
  }

  /**
   * Iterates over the lines of the file, or of a part, as Buffers, in place: without the line feed, and
   * without a carriage return before it. The last line needs no line feed. Each has two fields: `offset`,
   * in bytes from the start of the mapping, and `terminator`, what ended it: `'\n'`, `'\r\n'`, `'\r'`
   * (with `breaks: 'any'` only), or `''` at the end of the part. A line has at most 4 GiB less 2 MiB.
   *
   * ```js
   * for (const line of file.lines()) if (line.includes('ERROR')) console.log(line.offset, line.toString());
   * for (const line of file.lines({ reverse: true })) console.log(line.toString()); // the last line first
   * ```
   *
   * @throws {UnsupportedError} ERR_MEMMAP_LINE_TOO_LONG, while iterating
   */
  lines(range?: LineOptions): Lines {
    const part = resolveRange(range, this.length, ['reverse', 'stripBom', 'breaks']);
    return lines(this.#memory.pages, part, (offset, length) => this.#part(offset, length), range);
  }

  /** How often a byte occurs: `count(10)` counts line feeds. Works past 4 GiB. */
  count(byte: number, range?: Range): number {
    validateInteger(byte, 'byte', 0, 255);
    const { offset, length } = resolveRange(range, this.length);
    const handle = this.#memory.pages.open();
    if (length === 0) return 0;
    return check(binding.count(handle, this.byteOffset + offset, length, byte), 'count');
  }

  /**
   * Iterates over the file, or a part, in consecutive pieces, in place, whatever its size: for files that
   * are too large for one buffer, or to work on pieces that fit the processor's cache. Each has `offset`,
   * in bytes from the start of the mapping.
   *
   * ```js
   * for (const window of file.windows({ size: 2 ** 20 })) hash.update(window);
   * ```
   */
  windows(options?: WindowOptions): Generator<Window<TArrayBuffer>, void, undefined> {
    return this.#windows(options);
  }

  #windows(options?: WindowOptions): Generator<Window<TArrayBuffer>, void, undefined> {
    return windows(this.#memory.pages, (offset, length) => this.#part(offset, length), options);
  }

  /** Iterates over `windows()` of the default size. */
  [Symbol.iterator](): Generator<Window<TArrayBuffer>, void, undefined> {
    return this.#windows();
  }
}
