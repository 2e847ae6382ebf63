// MappedFile: the file as words and bytes, with a mapping (a window) for each GiB. The windows extend past
// the end of the file, so that they need no change when it grows.
import { FaultError, PeerError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { retryAfterGc } from '../../internal/gc.js';
import { mapRemedy } from '../../internal/remedy.js';
import { faultCount } from '../../mem/faults.js';
import { Pages } from '../../mem/pages.js';
import type { StoreFile } from './store-file.js';
import { BLOCK, BLOCK_SHIFT, IN_WINDOW, RECORD_WORDS, WINDOW, WINDOW_SHIFT } from './layout.js';
import { check } from '../../internal/syscall.js';

const { MAP, PROT } = binding;

export type WindowsAccess = 'read' | 'read-write';

export class MappedFile {
  /** By window. Windows that were not needed yet are missing. */
  readonly words: Int32Array[] = [];
  readonly bytes: Uint8Array[] = [];
  readonly buffers: ArrayBufferLike[] = [];
  readonly #pages: Pages[] = [];
  /** Mappings of values that cross windows, kept until the store is closed. */
  readonly #spans: Pages[] = [];
  readonly #disk: StoreFile;
  readonly #access: WindowsAccess;
  /** How many blocks the file had when last checked. */
  #blocks = 0;
  /** The fault count of the process when {@link check} last found nothing. */
  #faults = faultCount();

  constructor(disk: StoreFile, access: WindowsAccess) {
    this.#disk = disk;
    this.#access = access;
  }

  /**
   * Maps windows up to this one, if the file has it. A reader may ask for any place: what it has read
   * counts only if the generation has not changed.
   */
  reach(window: number): void {
    if (window < this.words.length || window * WINDOW >= this.#disk.size()) return;
    for (let next = this.words.length; next <= window; next++) {
      const pages = this.#map(next * WINDOW);
      this.#pages.push(pages);
      this.buffers.push(pages.buffer);
      this.words.push(new Int32Array(pages.buffer as ArrayBuffer, 0, WINDOW / 4));
      this.bytes.push(new Uint8Array(pages.buffer as ArrayBuffer, 0, WINDOW));
    }
  }

  get #prot(): number {
    return this.#access === 'read-write' ? PROT.READ | PROT.WRITE : PROT.READ;
  }
  /**
   * Private pages are those of the file until something writes to them: with the guard, a write to a view
   * makes a private copy.
   */
  get #flags(): number {
    return this.#access === 'read' && binding.guardEnabled() ? MAP.PRIVATE | MAP.NORESERVE : MAP.SHARED;
  }

  #map(offset: number): Pages {
    const { fd, path } = this.#disk;
    const handle = retryAfterGc(() => binding.map(0n, WINDOW, this.#prot, this.#flags, fd, offset));
    check(handle, 'mmap', { path, remedy: mapRemedy(this.#flags) });
    const pages = new Pages({ handle, byteOffset: 0, length: WINDOW, kind: undefined, movable: true, path });
    void pages.buffer;
    void pages.log;
    return pages;
  }

  /** The pages of a window. */
  pages(window: number): Pages {
    this.reach(window);
    return this.#pages[window] as Pages;
  }

  /** Whether the file has the first words of a record there. It may have grown, or been truncated inside a block. */
  holds(window: number, at: number): boolean {
    const end = at + RECORD_WORDS;
    return this.hasBlock((window << WINDOW_SHIFT) | ((end - 1) >> BLOCK_SHIFT)) || window * WINDOW + end * 4 <= this.#disk.size();
  }
  hasBlock(block: number): boolean {
    if (block >= this.#blocks) this.#blocks = Math.floor(this.#disk.size() / BLOCK);
    return block < this.#blocks;
  }

  /** A separate mapping of a part that may cross windows. The caller closes it. */
  span(offset: number, length: number): Pages {
    const { fd, path } = this.#disk;
    const byteOffset = offset % binding.pageSize;
    const flags = binding.guardEnabled() ? MAP.PRIVATE | MAP.NORESERVE : MAP.SHARED;
    const handle = retryAfterGc(() => binding.map(0n, byteOffset + length, PROT.READ, flags, fd, offset - byteOffset));
    check(handle, 'mmap', { path, remedy: mapRemedy(flags) });
    return new Pages({ handle, byteOffset, length, kind: undefined, movable: true, path });
  }

  /** As {@link span}, but it lasts until {@link close}. */
  lasting(offset: number, length: number): Buffer {
    const pages = this.span(offset, length);
    this.#spans.push(pages);
    return pages.bytes;
  }

  /**
   * The first word of a block.
   *
   * @throws {PeerError} ERR_MEMMAP_CORRUPT if the file ends before it: it was truncated, or the reference to the block is damaged
   */
  block(block: number): { readonly words: Int32Array; readonly at: number } {
    const window = block >>> WINDOW_SHIFT;
    this.reach(window);
    const words = this.words[window];
    if (words !== undefined) return { words, at: (block & IN_WINDOW) << BLOCK_SHIFT };
    const offset = (block >>> 0) * BLOCK;
    throw new PeerError('ERR_MEMMAP_CORRUPT', `'${this.#disk.path}' ends before byte ${offset}, where a part of the store should be`, offset);
  }

  /** Has another thread allocate pages that will be written: bytes of a window. Failures are ignored. */
  populate(window: number, offset: number, length: number): void {
    void binding.madviseAsync(this.pages(window).open(), offset, length, binding.MADV.POPULATE_WRITE);
  }

  /** Waits until the writes through these windows to a part of the file are durable. */
  sync(offset: number, length: number): void {
    for (const part of this.parts(offset, length)) this.#disk.sync(part.pages, part.offset, part.length);
  }

  /** The part of each window that a range of the file lies in, from the start of a page. */
  *parts(offset: number, length: number): Generator<{ pages: Pages; offset: number; length: number }> {
    const page = binding.pageSize;
    for (let from = offset - (offset % page); from < offset + length; ) {
      const window = Math.floor(from / WINDOW);
      const end = Math.min((window + 1) * WINDOW, offset + length);
      yield { pages: this.pages(window), offset: from - window * WINDOW, length: end - from };
      from = end;
    }
  }

  /**
   * Whether an access in the process has faulted, so that bytes read since may be wrong. Costs a load
   * from memory.
   */
  get faulted(): boolean {
    return faultCount() !== this.#faults;
  }

  /**
   * Throws if a fault was in one of these windows. A write to a view is reported once, and undone; what a
   * truncated file lost stays lost.
   */
  check(): void {
    const now = faultCount();
    for (const [window, pages] of this.#pages.entries()) {
      try {
        pages.log.check();
      } catch (error) {
        if (error instanceof FaultError && error.kind === 'read-only') this.#restore(window, pages);
        throw error;
      }
    }
    this.#faults = now;
  }

  #restore(window: number, pages: Pages): void {
    const counts = pages.log.counted();
    check(binding.restore(pages.open(), this.#disk.fd, window * WINDOW, this.#prot, this.#flags, false), 'mmap');
    pages.log.forgive(counts);
  }

  close(): void {
    this.words.length = 0;
    this.bytes.length = 0;
    this.buffers.length = 0;
    for (const pages of [...this.#pages.splice(0), ...this.#spans.splice(0)]) pages.close();
  }
}
