// Mapping: a range of mapped memory as JavaScript sees it.
import { constants } from 'node:buffer';
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { Hint } from '../internal/literals.js';
import { type Range, resolveRange } from '../internal/range.js';
import { flushRemedy, mapRemedy, sealRemedy } from '../internal/remedy.js';
import { invalidType, outOfRange } from '../internal/validate.js';
import { advise, collapse, discard, evict, punchHole } from './advice.js';
import { type BackgroundOptions, inBackground } from './background.js';
import { Placed } from './placed.js';
import { Prefetch } from './prefetch.js';
import { check } from '../internal/syscall.js';

const { MS, MADV } = binding;

/** A typed array class, as `view` takes it. */
export interface ViewConstructor<View> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): View;
}

/**
 * A range of mapped memory. Made by `mapFile()`, `mapAnonymous()` and `Reservation.place()`.
 *
 * Offsets and lengths are bytes from the start of the mapping. Where the kernel works on
 * pages, hints, flushes and locks reach out to the pages around the range; what destroys
 * bytes or takes access away demands whole pages, and throws ERR_OUT_OF_RANGE otherwise.
 *
 * Every method but `close` throws ERR_MEMMAP_CLOSED on a closed mapping.
 */
export abstract class Mapping extends Placed implements Disposable {
  #prefetch: Prefetch | undefined;

  /** Address of the first byte. 0n if the mapping is empty. */
  get address(): bigint {
    return this.pages.address;
  }
  /** Bytes. Changes with `resize()`. */
  get length(): number {
    return this.pages.length;
  }
  get closed(): boolean {
    return this.pages.closed;
  }

  /**
   * The memory itself, from the start of the first page: byte 0 of the mapping is at
   * `byteOffset`. Made when first asked for. A SharedArrayBuffer, which worker threads may
   * have; with `buffer: 'array'` an ArrayBuffer, which `close()` detaches.
   *
   * @throws {UnsupportedError} ERR_MEMMAP_BUFFER_TOO_LARGE, ERR_MEMMAP_NO_SHARED_BUFFER,
   * ERR_MEMMAP_NO_EXTERNAL_BUFFER
   * @throws {StateError} ERR_MEMMAP_DETACHED: a transfer or a byte stream has taken its memory
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    this.pages.open();
    return this.pages.buffer;
  }
  /** Where in `buffer` the mapping starts: 0 unless a file is mapped from inside a page. */
  get byteOffset(): number {
    return this.pages.byteOffset;
  }

  /**
   * All bytes, in place. Node's own Buffer methods err past 4 GiB: prefer `windows()` there.
   * Throws as {@link buffer} does.
   */
  get bytes(): Buffer {
    this.pages.open();
    if (this.length > constants.MAX_LENGTH) {
      throw new UnsupportedError(
        'ERR_MEMMAP_BUFFER_TOO_LARGE',
        `A Buffer has at most ${constants.MAX_LENGTH} bytes; use view() of a part, or windows()`,
      );
    }
    return this.pages.bytes;
  }

  /**
   * A typed array over a part, in place: `mapping.view(Float64Array, { offset: 64 })`. Its
   * length is fixed, which V8 makes fast.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE if the part is not aligned to the element size
   */
  view<View>(Type: ViewConstructor<View>, range?: Range): View {
    if (typeof Type !== 'function' || typeof Type.BYTES_PER_ELEMENT !== 'number') {
      throw invalidType('Type', 'a typed array class', Type);
    }
    const { offset, length } = resolveRange(range, this.length);
    const size = Type.BYTES_PER_ELEMENT;
    const from = this.byteOffset + offset;
    if (from % size !== 0) {
      throw outOfRange('offset', `at a multiple of ${size} bytes in memory (use dataView() otherwise)`, offset);
    }
    // The rest of a mapping need not be whole elements; a length that was asked for must.
    if (range?.length !== undefined && length % size !== 0) {
      throw outOfRange('length', `a multiple of ${size}`, length);
    }
    return new Type(this.buffer as ArrayBuffer, from, Math.floor(length / size));
  }

  /** A DataView over a part, in place, at any alignment. */
  dataView(range?: Range): DataView {
    const { offset, length } = resolveRange(range, this.length);
    return new DataView(this.buffer as ArrayBuffer, this.byteOffset + offset, length);
  }

  /**
   * Writes changed pages of a shared file mapping to the file, and waits for the disk:
   * msync(2) MS_SYNC. Does nothing to memory that no file stands behind, or copy-on-write.
   *
   * @throws {SystemError} EIO if the disk fails
   */
  flush(range?: Range): void {
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length > 0) check(binding.msync(handle, offset, length, MS.SYNC), 'msync', { remedy: flushRemedy });
  }

  /** As {@link flush}, off the main thread, in steps that `signal` stops between. */
  flushAsync(options?: BackgroundOptions): Promise<void> {
    return inBackground(this.pages, options, 'msync', (handle, offset, length) =>
      binding.msyncAsync(handle, offset, length, MS.SYNC),
    );
  }

  /**
   * Makes what was stored durable: writes cache lines back where the mapping is of persistent
   * memory with `sync: true` (MAP_SYNC), which takes no system call; {@link flush} elsewhere.
   *
   * @throws {SystemError} EIO if the disk fails
   */
  persist(range?: Range): void {
    this.flush(range);
  }

  /**
   * Tells the kernel how the bytes will be used: madvise(2). Never changes them. `'willneed'`
   * starts reading what is missing of the range, and does not wait; asked again and again for
   * what is in memory, it soon looks only now and then.
   */
  advise(hint: Hint, range?: Range): void {
    if (hint === 'willneed') {
      this.#prefetch ??= new Prefetch(this.pages, () => this.claimed());
      this.#prefetch.request(this.pages.span(range));
    } else {
      advise(this.pages, hint, range);
    }
  }

  /**
   * Brings pages into memory and maps them now, so that touching them costs no fault.
   * Linux 5.14. @throws {SystemError} EFAULT if the file has shrunk
   */
  populate(range?: Range): void {
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length === 0) return;
    check(binding.madvise(handle, offset, length, this.#populateAdvice()), 'madvise', { feature: 'populate' });
  }

  /** As {@link populate}, off the main thread, in steps that `signal` stops between. */
  populateAsync(options?: BackgroundOptions): Promise<void> {
    const advice = this.#populateAdvice();
    return inBackground(
      this.pages,
      options,
      'madvise',
      (handle, offset, length) => binding.madviseAsync(handle, offset, length, advice),
      'populate',
    );
  }

  /** Reading leaves pages shared with the file or the zero page; writing makes them ready to write. */
  #populateAdvice(): number {
    return this.access === 'read-write' ? MADV.POPULATE_WRITE : MADV.POPULATE_READ;
  }

  /**
   * Destroys: drops the pages. Private memory reads zeros next, a copy-on-write mapping the
   * file's bytes; of a shared mapping the file keeps its bytes. madvise(2) MADV_DONTNEED.
   */
  discard(range: Range): void {
    discard(this.pages, range);
  }

  /**
   * Destroys: frees the pages and the file's blocks under them, which read zeros next, for
   * all who share them. madvise(2) MADV_REMOVE; tmpfs, ext4, xfs, btrfs and memfds.
   */
  punchHole(range: Range): void {
    punchHole(this.pages, range);
  }

  /** Pushes pages out of memory, to their file or to swap; no byte changes. Linux 5.4. */
  evict(range?: Range): void {
    evict(this.pages, range);
  }

  /** Replaces small pages by transparent huge ones now. Linux 6.1. */
  collapse(range?: Range): void {
    collapse(this.pages, range);
  }

  /**
   * Makes the mapping what it is until the process ends: no protect, resize, discard or
   * unmapping any more, by anyone. `close()` then leaves the memory in place. Linux 6.10,
   * mseal(2). Where the runtime has a SharedArrayBuffer of its own over the memory (Node 20)
   * it cannot be sealed: `buffer: 'array'` can.
   */
  seal(): void {
    const { offset, length } = this.pages.span(undefined);
    const handle = this.pages.rooted();
    if (length === 0) return;
    check(binding.mseal(handle, offset, length, 0), 'mseal', { feature: 'seal', remedy: sealRemedy });
  }

  /**
   * Gives the mapping another length. Bytes up to the shorter length stay; new bytes of
   * anonymous memory are zero. Ends earlier views: they read zeros; take `buffer`, `bytes`
   * or a view anew. Linux 5.13, or 5.7 for anonymous memory, once a buffer exists.
   */
  resize(length: number): void {
    const minimum = 1;
    if (typeof length !== 'number') throw invalidType('length', 'of type number', length);
    if (!Number.isSafeInteger(length) || length < minimum) {
      throw outOfRange('length', `an integer >= ${minimum}`, length);
    }
    const handle = this.pages.open();
    this.repair();
    const fd = this.pages.descriptor;
    const before = binding.mappedLength(handle);
    if (fd >= 0 && length > before) {
      check(binding.growFile(fd, before, length), 'fallocate', { remedy: mapRemedy(0) });
    }
    this.pages.resize(length, () => {
      check(binding.resize(handle, this.byteOffset + length), 'mremap', { feature: 'remapKeeping', remedy: mapRemedy(0) });
      return handle;
    });
  }

  /**
   * Ends the mapping. Its pages are released at once; views that are still about read zeros
   * (SharedArrayBuffer) or are empty (ArrayBuffer), on every thread. Calling it again does
   * nothing. Does not flush: what was written reaches the file when the kernel chooses.
   */
  close(): void {
    this.pages.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
