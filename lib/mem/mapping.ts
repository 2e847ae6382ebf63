// Mapping: a range of mapped memory as JavaScript sees it.
import { constants } from 'node:buffer';
import { UnsupportedError, check } from '../errors.js';
import { binding } from '../internal/binding.js';
import type { Hint } from '../internal/literals.js';
import { type Range, resolveRange } from '../internal/range.js';
import { lockRemedy, mapRemedy, sealRemedy, since } from '../internal/remedy.js';
import { invalidType, outOfRange, validateBoolean, validateOptions } from '../internal/validate.js';
import { advise, collapse, discard, evict, punchHole } from './advice.js';
import { type BackgroundOptions, inBackground } from './background.js';
import { Guarded } from './guarded.js';
import { type Migration, bind, migrate, nodesOf, policyAt, setHomeNode } from './numa.js';
import type { BindPolicy, MemoryPolicy } from './policy.js';
import { type Residency, residency } from './residency.js';

const { MS, MADV, MLOCK } = binding;

/** A typed array class, as `view` takes it. */
export interface ViewConstructor<View> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): View;
}

/** Options of {@link Mapping.lock}. */
export interface LockOptions extends Range {
  /** Lock each page when it is first touched instead of reading all in now. Linux 4.4. */
  readonly onFault?: boolean;
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
export abstract class Mapping extends Guarded implements Disposable {
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
   * @throws {UnsupportedError} ERR_MEMMAP_BUFFER_TOO_LARGE, ERR_MEMMAP_NO_SHARED_BUFFER
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    this.pages.open();
    return this.pages.buffer;
  }
  /** Where in `buffer` the mapping starts: 0 unless a file is mapped from inside a page. */
  get byteOffset(): number {
    return this.pages.byteOffset;
  }

  /** All bytes, in place. Node's own Buffer methods err past 4 GiB: prefer `windows()` there. */
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
    if (length > 0) check(binding.msync(handle, offset, length, MS.SYNC), 'msync');
  }

  /** As {@link flush}, off the main thread, in steps that `signal` stops between. */
  flushAsync(options?: BackgroundOptions): Promise<void> {
    return inBackground(this.pages, options, 'msync', (handle, offset, length) =>
      binding.msyncAsync(handle, offset, length, MS.SYNC),
    );
  }

  /** Tells the kernel how the bytes will be used: madvise(2). Never changes them. */
  advise(hint: Hint, range?: Range): void {
    advise(this.pages, hint, range);
  }

  /**
   * Brings pages into memory and maps them now, so that touching them costs no fault.
   * Linux 5.14. @throws {SystemError} EFAULT if the file has shrunk
   */
  populate(range?: Range): void {
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length === 0) return;
    check(binding.madvise(handle, offset, length, this.#populateAdvice()), 'madvise', {
      remedy: since('5.14', 'populate()'),
    });
  }

  /** As {@link populate}, off the main thread, in steps that `signal` stops between. */
  populateAsync(options?: BackgroundOptions): Promise<void> {
    const advice = this.#populateAdvice();
    return inBackground(
      this.pages,
      options,
      'madvise',
      (handle, offset, length) => binding.madviseAsync(handle, offset, length, advice),
      since('5.14', 'populateAsync()'),
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
    check(binding.mseal(handle, offset, length, 0), 'mseal', { remedy: sealRemedy });
  }

  /** Keeps pages in memory until `unlock()` or `close()`: mlock(2). */
  lock(options: LockOptions = {}): void {
    validateOptions<LockOptions>(options, ['offset', 'length', 'onFault']);
    const { onFault = false, ...range } = options;
    validateBoolean(onFault, 'options.onFault');
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length === 0) return;
    if (onFault) check(binding.mlock2(handle, offset, length, MLOCK.ONFAULT), 'mlock2', { remedy: lockRemedy });
    else check(binding.mlock(handle, offset, length), 'mlock', { remedy: lockRemedy });
  }

  /** Undoes `lock()`: munlock(2). */
  unlock(range?: Range): void {
    const { offset, length } = this.pages.span(range);
    const handle = this.pages.settled();
    if (length > 0) check(binding.munlock(handle, offset, length), 'munlock');
  }

  /** Which pages are in memory: mincore(2). For files of others the kernel claims all are. */
  residency(range?: Range): Residency {
    return residency(this.pages, resolveRange(range, this.length));
  }

  /**
   * Sets which NUMA nodes the pages around the range come from: mbind(2). It holds for pages
   * yet to come, `policy.move` moves those that are there. Shared memory keeps it for all who
   * map it; the kernel ignores it for pages of files in the page cache. Linux 2.6.7.
   * @throws {SystemError} EINVAL if none of the nodes has memory, or the cpuset forbids them;
   * EIO with `strict`; EPERM for `move: 'all'` without CAP_SYS_NICE
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for the mode
   */
  bind(policy: BindPolicy, range?: Range): void {
    bind(this.pages, policy, range);
  }

  /** The policy that `bind()` gave the page at `offset`, or `'default'`: get_mempolicy(2). Linux 2.6.7. */
  policy(offset = 0): Required<MemoryPolicy> {
    return policyAt(this.pages, offset);
  }

  /**
   * For each page the range touches, of the machine or huge, the NUMA node it lies on; -1
   * where this process has no page yet, or but read zeros. move_pages(2), Linux 2.6.18.
   */
  nodes(range?: Range): Int32Array {
    return nodesOf(this.pages, range);
  }

  /**
   * Moves the pages of the range that are in memory to a NUMA node: move_pages(2), 2.6.18.
   * @throws {SystemError} ENODEV if the node has no memory, EACCES if the cpuset forbids it
   */
  migrate(node: number, range?: Range): Migration {
    return migrate(this.pages, node, range);
  }

  /**
   * Which node comes first, not the nearest, in a range bound by `'bind'` or
   * `'preferred-many'`: set_mempolicy_home_node(2). Linux 5.17.
   * @throws {SystemError} ENOTSUP or ENOENT without such a policy; EINVAL if there is no such node
   */
  homeNode(node: number, range?: Range): void {
    setHomeNode(this.pages, node, range);
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
    this.mend();
    const fd = this.pages.descriptor;
    const before = binding.mappedLength(handle);
    if (fd >= 0 && length > before) {
      check(binding.growFile(fd, before, length), 'fallocate', { remedy: mapRemedy(0) });
    }
    this.pages.resize(length, () => {
      check(binding.resize(handle, this.byteOffset + length), 'mremap', { remedy: mapRemedy(0) });
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
