// Mapping: a range of mapped memory as JavaScript sees it.
import { constants } from 'node:buffer';
import { UnsupportedError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { type Hint, PROTECTION, type Protection } from '../internal/literals.js';
import { showAs } from '../internal/inspect.js';
import { type Range, resolveRange } from '../internal/range.js';
import { flushRemedy, mapRemedy, sealRemedy } from '../internal/remedy.js';
import { check } from '../internal/syscall.js';
import {
  type OURS, invalidType, outOfRange, refuseWriteExec, validateBoolean, validateFunction, validateOptions, validateOurs, validateWord,
} from '../internal/validate.js';
import { advise, collapse, discard, evict, punchHole } from './advice.js';
import { type BackgroundOptions, inBackground } from './background.js';
import { copyIn, copyOut } from './copy.js';
import type { Fault, Faults } from './faults.js';
import { type LockOptions, lock, unlock } from './lock.js';
import type { MappedMemory } from './mapped-memory.js';
import { type Migration, bind, migrate, nodesOf, policyAt, setHomeNode } from './numa.js';
import type { BindPolicy, MemoryPolicy } from './policy.js';
import { Prefetch } from './prefetch.js';
import type { Access } from './protections.js';
import { type Residency, residency } from './residency.js';
import { type ViewConstructor, type ViewOptions, type ViewOver, resolveView } from './view.js';
import type { Resolved } from '../internal/resolved.js';

const { MS, MADV } = binding;

const EVENTS = { fault: true };

/** What a mapping is made of. */
export let memoryOf: (mapping: Mapping) => MappedMemory;

/**
 * A range of mapped memory. Made by `mapFile()`, `mapAnonymous()` and `Reservation.place()`.
 *
 * Offsets and lengths are bytes from the start of the mapping. Where the kernel works on
 * pages, hints, flushes and locks reach out to the pages around the range; what destroys
 * bytes or takes access away demands whole pages, and throws ERR_OUT_OF_RANGE otherwise.
 *
 * Every method but `close` throws ERR_MEMMAP_CLOSED on a closed mapping.
 */
export abstract class Mapping<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> implements Disposable {
  static {
    memoryOf = (mapping) => mapping.#memory;
  }
  readonly #memory: MappedMemory;
  #prefetch: Prefetch | undefined;

  /** @internal */
  constructor(key: typeof OURS, memory: MappedMemory) {
    validateOurs(key);
    this.#memory = memory;
  }

  /** Address of the first byte. 0n if the mapping is empty. */
  get address(): bigint {
    return this.#memory.pages.address;
  }
  /** Bytes. Changes with `resize()`. */
  get length(): number {
    return this.#memory.pages.length;
  }
  get closed(): boolean {
    return this.#memory.pages.closed;
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
  get buffer(): TArrayBuffer {
    this.#memory.pages.open();
    return this.#memory.pages.buffer as TArrayBuffer;
  }
  /** Where in `buffer` the mapping starts: 0 unless a file is mapped from inside a page. */
  get byteOffset(): number {
    return this.#memory.pages.byteOffset;
  }

  /**
   * All bytes, in place. Node's own Buffer methods err past 4 GiB: prefer `windows()` there.
   * Throws as {@link buffer} does.
   */
  get bytes(): Buffer<TArrayBuffer> {
    this.#memory.pages.open();
    if (this.length > constants.MAX_LENGTH) {
      throw new UnsupportedError(
        'ERR_MEMMAP_BUFFER_TOO_LARGE',
        `A Buffer has at most ${constants.MAX_LENGTH} bytes; use view() of a part, or windows()`,
      );
    }
    return this.#memory.pages.bytes as Buffer<TArrayBuffer>;
  }

  /**
   * A typed array over a part, in place: `mapping.view(Float64Array, { offset: 64, count: 8 })`.
   * Its length is fixed, which V8 makes fast.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE past the end of the mapping, or if the part is not
   * aligned to the element size
   */
  view<View>(Type: ViewConstructor<View>, options?: ViewOptions): ViewOver<View, TArrayBuffer> {
    const { byteOffset, count } = resolveView(Type, options, this.#memory.pages);
    return new Type(this.buffer as ArrayBuffer, byteOffset, count) as ViewOver<View, TArrayBuffer>;
  }

  /** A DataView over a part, in place, at any alignment. */
  dataView(range?: Range): DataView<TArrayBuffer> {
    const { offset, length } = resolveRange(range, this.length);
    return new DataView(this.buffer, this.byteOffset + offset, length);
  }

  /** What the bytes allow now; `protect()` over the whole mapping changes it. */
  get access(): Access {
    return this.#memory.protections.access;
  }

  /**
   * Changes what code may do with whole pages: mprotect(2). Memory both writable and
   * executable is refused unless `allowWriteExec` is set.
   *
   * @throws {SystemError} EACCES to make writable what was mapped with access: 'read'
   */
  protect(access: Protection, range?: Range, options: { readonly allowWriteExec?: boolean | undefined } = {}): void {
    validateWord(access, 'access', PROTECTION);
    validateOptions(options, ['allowWriteExec']);
    if (options.allowWriteExec !== undefined) validateBoolean(options.allowWriteExec, 'options.allowWriteExec');
    refuseWriteExec(access === 'read-write-execute', options.allowWriteExec);
    this.#memory.protect(access, this.#memory.pages.exact(range));
  }

  /**
   * How often an access met something the guard had to fix up, since the mapping was made.
   * Counts go on after `close()`, of views that are left.
   */
  get faults(): Faults {
    return this.#memory.faults;
  }

  /**
   * Throws if what was read through the mapping may not be what it should be. It goes on
   * throwing until `refresh()` or `protect()` has put the pages right. Costs a load from
   * memory while nothing is wrong: call it after each batch of reads.
   *
   * It knows of faults that have happened. Of a file that shrank where nobody has looked since, and
   * of system calls that got EFAULT for a view, it knows nothing: `size()` and `refresh()` ask the file.
   *
   * @throws {StateError} ERR_MEMMAP_DETACHED if another buffer has taken the memory of `buffer`
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, ERR_MEMMAP_NO_SPACE, ERR_MEMMAP_MEMORY_FAILURE,
   * ERR_MEMMAP_READ_ONLY, ERR_MEMMAP_NO_ACCESS
   */
  check(): void {
    this.#memory.check();
  }

  /**
   * Calls `listener` after faults of this mapping, on whatever thread they were: once for all
   * of a kind that came together. Does not keep the process, or the mapping, alive.
   *
   * @throws {SystemError} EAGAIN if the thread that reports them cannot be started
   */
  on(event: 'fault', listener: (fault: Fault) => void): this {
    validateWord(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.#memory.pages.open();
    this.#memory.on(listener);
    return this;
  }

  /** Undoes {@link on}. Works after `close()`. */
  off(event: 'fault', listener: (fault: Fault) => void): this {
    validateWord(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.#memory.off(listener);
    return this;
  }

  /**
   * Copies bytes out of the mapping, without a signal whatever happens to the memory: what
   * cannot be had is an error here, not a fault of a view. Needs no buffer, and goes on when one
   * was taken. process_vm_readv(2).
   *
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, with the `offset` it got to
   */
  copyOut(offset: number, length: number): Buffer {
    return copyOut(this.#memory, offset, length);
  }

  /**
   * Copies `bytes` into the mapping, as {@link copyOut} does out of it. process_vm_writev(2).
   *
   * @throws {FaultError} ERR_MEMMAP_READ_ONLY if the mapping is not to be written
   */
  copyIn(offset: number, bytes: Uint8Array): void {
    copyIn(this.#memory, offset, bytes);
  }

  /** Keeps pages in memory until `unlock()` or `close()`: mlock(2). */
  lock(options: LockOptions = {}): void {
    lock(this.#memory.pages, options);
  }

  /** Undoes `lock()`: munlock(2). */
  unlock(range?: Range): void {
    unlock(this.#memory.pages, range);
  }

  /**
   * Which pages are in memory, mapped, swapped, dirty: as much as this kernel tells, and
   * whether it can be relied on (`trust`). Reads nothing in. Looks at every page: a GiB of
   * small ones takes some milliseconds, and much longer if they are a patchwork.
   */
  residency(range?: Range): Residency {
    const { pages } = this.#memory;
    const span = resolveRange(range, pages.length);
    pages.open();
    return this.#memory.withFile((file) => residency(pages, span, file));
  }

  /** Whether the kernel calls all pages resident without having looked. */
  #claimed(): boolean {
    return this.length > 0 && this.residency({ length: 1 }).trust === 'claimed';
  }

  /**
   * Sets which NUMA nodes the pages around the range come from: mbind(2). It holds for pages
   * yet to come, `policy.move` moves those that are there. Shared memory keeps it for all who
   * map it; the kernel ignores it for pages of files in the page cache. Linux 2.6.7.
   *
   * @throws {SystemError} EINVAL if none of the nodes has memory, or the cpuset forbids them;
   * EIO with `strict`; EPERM for `move: 'all'` without CAP_SYS_NICE
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for the mode
   */
  bind(policy: BindPolicy, range?: Range): void {
    bind(this.#memory.pages, policy, range);
  }

  /** The policy that `bind()` gave the page at `offset`, or `'default'`: get_mempolicy(2). Linux 2.6.7. */
  policy(offset = 0): Resolved<MemoryPolicy> {
    return policyAt(this.#memory.pages, offset);
  }

  /**
   * For each page the range touches, of the machine or huge, the NUMA node it lies on; -1
   * where this process has no page yet, or but read zeros. move_pages(2), Linux 2.6.18.
   */
  nodes(range?: Range): Int32Array {
    return nodesOf(this.#memory.pages, range);
  }

  /**
   * Moves the pages of the range that are in memory to a NUMA node: move_pages(2), 2.6.18.
   *
   * @throws {SystemError} ENODEV if the node has no memory, EACCES if the cpuset forbids it
   */
  migrate(node: number, range?: Range): Migration {
    return migrate(this.#memory.pages, node, range);
  }

  /**
   * Which node comes first, not the nearest, in a range bound by `'bind'` or
   * `'preferred-many'`: set_mempolicy_home_node(2). Linux 5.17.
   *
   * @throws {SystemError} ENOTSUP or ENOENT without such a policy; EINVAL if there is no such node
   */
  homeNode(node: number, range?: Range): void {
    setHomeNode(this.#memory.pages, node, range);
  }

  /**
   * Writes changed pages of a shared file mapping to the file, and waits for the disk:
   * msync(2) MS_SYNC. Does nothing to memory that no file stands behind, or copy-on-write.
   *
   * @throws {SystemError} EIO if the disk fails
   */
  flush(range?: Range): void {
    const { offset, length } = this.#memory.pages.span(range);
    const handle = this.#memory.pages.settled();
    if (length > 0) check(binding.msync(handle, offset, length, MS.SYNC), 'msync', { remedy: flushRemedy });
  }

  /** As {@link flush}, off the main thread, in steps that `signal` stops between. */
  flushAsync(options?: BackgroundOptions): Promise<void> {
    return inBackground(this.#memory.pages, options, 'msync', (handle, offset, length) =>
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
      this.#prefetch ??= new Prefetch(this.#memory.pages, () => this.#claimed());
      this.#prefetch.request(this.#memory.pages.span(range));
    } else {
      advise(this.#memory.pages, hint, range);
    }
  }

  /**
   * Brings pages into memory and maps them now, so that touching them costs no fault.
   * Linux 5.14. @throws {SystemError} EFAULT if the file has shrunk
   */
  populate(range?: Range): void {
    const { offset, length } = this.#memory.pages.span(range);
    const handle = this.#memory.pages.settled();
    if (length === 0) return;
    check(binding.madvise(handle, offset, length, this.#populateAdvice()), 'madvise', { feature: 'populate' });
  }

  /** As {@link populate}, off the main thread, in steps that `signal` stops between. */
  populateAsync(options?: BackgroundOptions): Promise<void> {
    const advice = this.#populateAdvice();
    return inBackground(
      this.#memory.pages,
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
    discard(this.#memory.pages, range);
  }

  /**
   * Destroys: frees the pages and the file's blocks under them, which read zeros next, for
   * all who share them. madvise(2) MADV_REMOVE; tmpfs, ext4, xfs, btrfs and memfds.
   */
  punchHole(range: Range): void {
    punchHole(this.#memory.pages, range);
  }

  /** Pushes pages out of memory, to their file or to swap; no byte changes. Linux 5.4. */
  evict(range?: Range): void {
    evict(this.#memory.pages, range);
  }

  /** Replaces small pages by transparent huge ones now. Linux 6.1. */
  collapse(range?: Range): void {
    collapse(this.#memory.pages, range);
  }

  /**
   * Makes the mapping what it is until the process ends: no protect, resize, discard or
   * unmapping any more, by anyone. `close()` then leaves the memory in place. Linux 6.10,
   * mseal(2). Where the runtime has a SharedArrayBuffer of its own over the memory (Node 20)
   * it cannot be sealed: `buffer: 'array'` can.
   */
  seal(): void {
    const { offset, length } = this.#memory.pages.span(undefined);
    const handle = this.#memory.pages.rooted();
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
    const handle = this.#memory.pages.open();
    this.#memory.repair();
    const before = binding.mappedLength(handle);
    const fd = length > before ? this.#memory.pages.descriptor : -1;
    if (fd >= 0) check(binding.growFile(fd, before, length), 'fallocate', { remedy: mapRemedy(0) });
    this.#memory.resize(length, () => {
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
    this.#memory.pages.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

showAs(Mapping.prototype, {
  path: (mapping) => memoryOf(mapping).pages.path,
  length: ({ length }) => length,
  access: ({ access }) => access,
  closed: ({ closed }) => closed,
  faults: ({ faults }) => faults,
});
