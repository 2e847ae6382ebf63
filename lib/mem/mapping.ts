// Mapping: a range of mapped memory as JavaScript sees it.
import { disposable } from '../internal/realms/dispose.js';
import { binding } from '../internal/binding.js';
import { type Hint, PROTECTION, type Protection } from '../internal/enums.js';
import { showAs } from '../internal/inspect.js';
import { type Range, resolveRange } from '../internal/range.js';
import { flushRemedy, growRemedy, mapRemedy, sealRemedy } from '../internal/remedy.js';
import { check } from '../internal/syscall.js';
import {
  type OURS, invalidType, outOfRange, refuseWriteExec, validateBoolean, validateEnum, validateFunction, validateInteger, validateNeedle,
  validateOptions, validateOurs,
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
import { type BlobOptions, type ResponseOptions, type ByteStreamOptions, blob, response, stream } from './stream.js';
import { type TextOptions, decode, validateEncoding } from './text/decode.js';
import { findLast, lastStart } from './text/search.js';
import { type ViewConstructor, type ViewOptions, type ViewOver, resolveView } from './view.js';
import type { Resolved } from '../internal/resolved.js';

const { MS, MADV } = binding;

const EVENTS = { fault: true };

/** The internal part of a mapping. */
export let memoryOf: (mapping: Mapping) => MappedMemory;

/**
 * A range of mapped memory. `mapFile()`, `mapAnonymous()` and `Reservation.place()` make it.
 *
 * Offsets and lengths are bytes from the start of the mapping. The kernel works on whole pages:
 * hints, flushes and locks extend to the pages around the range; methods that destroy bytes or
 * change access require whole pages, and throw ERR_OUT_OF_RANGE otherwise.
 *
 * On a closed mapping every method except `close()` and `off()` throws ERR_MEMMAP_CLOSED.
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

  /** The address of the first byte. 0n if the mapping is empty. */
  get address(): bigint {
    return this.#memory.pages.address;
  }
  /** The length in bytes. `resize()` changes it. */
  get length(): number {
    return this.#memory.pages.length;
  }
  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#memory.pages.closed;
  }

  /**
   * The memory itself, from the start of the first page: byte 0 of the mapping is at
   * `byteOffset`. Made at the first access. A SharedArrayBuffer, which can be posted to worker
   * threads; with `buffer: 'array'` an ArrayBuffer, which `close()` detaches.
   *
   * @throws {UnsupportedError} ERR_MEMMAP_BUFFER_TOO_LARGE, ERR_MEMMAP_NO_SHARED_BUFFER,
   * ERR_MEMMAP_NO_EXTERNAL_BUFFER
   * @throws {StateError} ERR_MEMMAP_DETACHED: a transfer or a byte stream has taken its memory
   */
  get buffer(): TArrayBuffer {
    this.#memory.pages.open();
    return this.#memory.pages.buffer as TArrayBuffer;
  }
  /** Where in `buffer` the mapping starts, in bytes: 0 unless a file is mapped from inside a page. */
  get byteOffset(): number {
    return this.#memory.pages.byteOffset;
  }

  /**
   * All bytes, in place. Throws as {@link buffer} does. Of a Buffer of more than 2 GiB, Node's `indexOf`,
   * `lastIndexOf`, `includes` and `toString` are wrong: this one then has its own, which are right. Others,
   * such as `copy`, remain Node's: prefer parts there.
   */
  get bytes(): Buffer<TArrayBuffer> {
    this.#memory.pages.open();
    return this.#memory.pages.bytes as Buffer<TArrayBuffer>;
  }

  /**
   * A typed array over a part, in place: `mapping.view(Float64Array, { offset: 64, count: 8 })`.
   * Its length is fixed, which V8 makes fast. Where a file is too long for one buffer (Node 20: 4 GiB), the
   * part is in a buffer of its own, unless it is that long, too.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE past the end of the mapping, or if the part is not
   * aligned to the element size
   */
  view<View>(Type: ViewConstructor<View>, options?: ViewOptions): ViewOver<View, TArrayBuffer> {
    const { offset, count } = resolveView(Type, options, this.#memory.pages);
    this.#memory.pages.open();
    const { buffer, byteOffset } = this.#memory.locate(offset, count * Type.BYTES_PER_ELEMENT);
    return new Type(buffer as ArrayBuffer, byteOffset, count) as ViewOver<View, TArrayBuffer>;
  }

  /** A DataView over a part, in place, at any alignment; otherwise as {@link view}. */
  dataView(range?: Range): DataView<TArrayBuffer> {
    const { offset, length } = resolveRange(range, this.length);
    this.#memory.pages.open();
    const { buffer, byteOffset } = this.#memory.locate(offset, length);
    return new DataView(buffer as TArrayBuffer, byteOffset, length);
  }

  /** The access that the mapping permits now. `protect()` of the whole mapping changes it; of a part, it does not. */
  get access(): Access {
    return this.#memory.protections.access;
  }

  /**
   * Changes what code may do with whole pages: mprotect(2). Memory both writable and
   * executable is refused unless `allowWriteExec` is set.
   *
   * @throws {SystemError} EACCES to make a file writable that was mapped with access: 'read'
   * @throws {RangeError} ERR_OUT_OF_RANGE unless the range consists of whole pages
   * @throws {TypeError} ERR_MEMMAP_WRITE_EXEC
   */
  protect(access: Protection, range?: Range, options: { readonly allowWriteExec?: boolean | undefined } = {}): void {
    validateEnum(access, 'access', PROTECTION);
    validateOptions(options, ['allowWriteExec']);
    if (options.allowWriteExec !== undefined) validateBoolean(options.allowWriteExec, 'options.allowWriteExec');
    refuseWriteExec(access === 'read-write-execute', options.allowWriteExec);
    this.#memory.protect(access, this.#memory.pages.exact(range));
  }

  /**
   * How many accesses faulted and were fixed up by the guard since the mapping was made. After
   * `close()`, accesses through views that still exist are counted too.
   */
  get faults(): Faults {
    return this.#memory.faults;
  }

  /**
   * Throws if accesses to the mapping have faulted, so that bytes read may be wrong. It continues to
   * throw until `refresh()` or `protect()` has repaired the pages. Costs one load from memory if
   * nothing is wrong: call it after each batch of reads.
   *
   * It knows only faults that have happened: not a file that shrank where nothing was read since, nor
   * system calls that failed with EFAULT for a view. `size()` and `refresh()` ask the file.
   *
   * @throws {StateError} ERR_MEMMAP_DETACHED if another buffer has taken the memory of `buffer`
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, ERR_MEMMAP_NO_SPACE, ERR_MEMMAP_MEMORY_FAILURE,
   * ERR_MEMMAP_READ_ONLY, ERR_MEMMAP_NO_ACCESS
   */
  check(): void {
    this.#memory.check();
  }

  /**
   * Calls `listener` after faults of this mapping on any thread: once for all faults of a kind that
   * came together. Keeps neither the process nor the mapping alive.
   *
   * @throws {SystemError} EAGAIN if the thread that reports them cannot be started
   */
  on(event: 'fault', listener: (fault: Fault) => void): this {
    validateEnum(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.#memory.pages.open();
    this.#memory.on(listener);
    return this;
  }

  /** Removes a listener that {@link on} added. Works after `close()`. */
  off(event: 'fault', listener: (fault: Fault) => void): this {
    validateEnum(event, 'event', EVENTS);
    validateFunction(listener, 'listener');
    this.#memory.off(listener);
    return this;
  }

  /**
   * Copies `length` bytes at `offset` out of the mapping, by process_vm_readv(2): bytes that cannot be
   * read are an error, never zeros. Needs no buffer, and works after a transfer has taken it. The copy
   * has an ArrayBuffer of its own, which may be transferred.
   *
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED, ERR_MEMMAP_NO_SPACE, ERR_MEMMAP_MEMORY_FAILURE or
   * ERR_MEMMAP_NO_ACCESS, with the `offset` of the first byte that could not be read
   * @throws {RangeError} ERR_OUT_OF_RANGE
   */
  copyOut(offset: number, length: number): Buffer {
    return copyOut(this.#memory, offset, length);
  }

  /**
   * Copies `bytes` into the mapping at `offset`, by process_vm_writev(2): the counterpart of {@link copyOut}.
   *
   * @throws {FaultError} as {@link copyOut}; ERR_MEMMAP_READ_ONLY, and nothing is written, if the memory is read-only
   * @throws {RangeError} ERR_OUT_OF_RANGE
   */
  copyIn(offset: number, bytes: Uint8Array): void {
    copyIn(this.#memory, offset, bytes);
  }

  /** The offset of the first `needle` at or after byte `from`, or -1. Right at any length, also past 4 GiB. */
  indexOf(needle: string | Uint8Array | number, from = 0): number {
    const bytes = validateNeedle(needle);
    this.#memory.pages.open();
    validateInteger(from, 'from', 0, this.length);
    return bytes.length === 0 ? from : this.#find(bytes, from, this.length - from);
  }

  /**
   * The offset of the last `needle` that starts at or before byte `from`, or -1: as Buffer's lastIndexOf, but
   * right at any length. Searches backwards, and reads no more than it must.
   *
   * @param needle - a string (UTF-8), bytes, or one byte from 0 to 255
   * @param from - a negative number counts from the end; NaN is the end. By default the end.
   */
  lastIndexOf(needle: string | Uint8Array | number, from: number = NaN): number {
    const bytes = validateNeedle(needle);
    this.#memory.pages.open();
    const last = lastStart(from, this.length, bytes.length);
    return bytes.length === 0 ? last : findLast((offset, length) => this.#find(bytes, offset, length), bytes.length, last);
  }

  /** The first place of `needle`, which is not empty, in a part. */
  #find(needle: Uint8Array, offset: number, length: number): number {
    if (needle.length > length) return -1;
    const found = binding.indexOf(this.#memory.pages.open(), this.byteOffset + offset, length, needle);
    return found === -1 ? -1 : offset + check(found, 'indexOf');
  }

  /**
   * The text of the mapping, or of a part: decoded as Buffer's `toString` does, from a checked copy, as
   * {@link copyOut}. `String(mapping)` is the whole text as UTF-8.
   *
   * @throws {RangeError} ERR_STRING_TOO_LONG if it has more characters than a string can have
   * (`buffer.constants.MAX_STRING_LENGTH`); ERR_OUT_OF_RANGE
   * @throws {FaultError} as {@link copyOut}, for example ERR_MEMMAP_TRUNCATED; never zeros
   */
  toString(options: TextOptions = {}): string {
    validateOptions<TextOptions>(options, ['offset', 'length', 'encoding']);
    const { encoding = 'utf8' } = options;
    validateEncoding(encoding, 'options.encoding');
    const { offset, length } = resolveRange(options, this.length, ['encoding']);
    this.#memory.pages.open();
    return decode((at, bytes) => copyOut(this.#memory, at, bytes), offset, length, encoding);
  }

  /**
   * Streams a part: a byte stream of chunks that are copies, which may be transferred. `Readable.fromWeb()`
   * makes a Node stream of it. After `close()`, and after another file has taken the path, it goes on to its end
   * with the bytes that are mapped; only streams of private memory without a file, and of private copies of shared memory,
   * end with the mapping, by ERR_MEMMAP_CLOSED. What is written to the mapping meanwhile may be in it.
   *
   * ```js
   * await pipeline(Readable.fromWeb(file.stream()), createGzip(), socket);
   * ```
   *
   * The stream fails with ERR_MEMMAP_TRUNCATED if the file has shrunk, and never contains zeros instead.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE
   * @throws {FaultError} ERR_MEMMAP_NO_ACCESS
   */
  stream(options?: ByteStreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    return stream(this.#memory, options);
  }

  /**
   * A Blob of a part: a copy, made now. For `fetch()`, `FormData`, WebSockets and all that refuses or misreads
   * memory that is shared.
   *
   * @throws {FaultError} as {@link copyOut}
   * @throws {RangeError} ERR_OUT_OF_RANGE
   */
  blob(range?: Range, options?: BlobOptions): Blob {
    return blob(this.#memory, range, options);
  }

  /**
   * A Response with a part as its body, streamed as by {@link stream}. Sets `content-length`, unless `headers` has it.
   * Takes `status`, `statusText` and `headers` as `new Response()` does.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE, or if `status` is not one that a Response can have
   */
  response(options?: ResponseOptions): Response {
    return response(this.#memory, options);
  }

  /**
   * Reads pages into memory and keeps them there until `unlock()` or `close()`: mlock(2).
   *
   * @throws {SystemError} ENOMEM, EPERM or EAGAIN at RLIMIT_MEMLOCK, which the message gives
   */
  lock(options: LockOptions = {}): void {
    lock(this.#memory.pages, options);
  }

  /** Undoes `lock()`: munlock(2). */
  unlock(range?: Range): void {
    unlock(this.#memory.pages, range);
  }

  /**
   * Reports which pages are in memory, mapped, swapped and dirty, as far as this kernel reports it, and
   * whether that is reliable (`trust`). Reads nothing from the disk. Looks at every page: a GiB of
   * small pages takes some milliseconds, and much longer if their states alternate.
   */
  residency(range?: Range): Residency {
    const { pages } = this.#memory;
    const span = resolveRange(range, pages.length);
    pages.open();
    return this.#memory.withFile((file) => residency(pages, span, file));
  }

  /** Whether the kernel reports all pages as resident without having looked. */
  #claimed(): boolean {
    return this.length > 0 && this.residency({ length: 1 }).trust === 'claimed';
  }

  /**
   * Sets which NUMA nodes the pages around the range come from: mbind(2), Linux 2.6.7. It applies to
   * future pages; `policy.move` moves existing ones. For shared memory it applies to all processes
   * that map it; the kernel ignores it for pages of files in the page cache.
   *
   * @throws {SystemError} EINVAL if none of the nodes has memory, or the cpuset forbids them;
   * EIO with `strict`; EPERM for `move: 'all'` without CAP_SYS_NICE
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for the mode
   */
  bind(policy: BindPolicy, range?: Range): void {
    bind(this.#memory.pages, policy, range);
  }

  /** The policy that `bind()` gave the page at byte `offset`, or `'default'`: get_mempolicy(2), Linux 2.6.7. */
  policy(offset = 0): Resolved<MemoryPolicy> {
    return policyAt(this.#memory.pages, offset);
  }

  /**
   * The NUMA node of each page that the range touches, ordinary or huge; -1 where this process has
   * no page yet, or has only read zeros. move_pages(2), Linux 2.6.18.
   */
  nodes(range?: Range): Int32Array {
    return nodesOf(this.#memory.pages, range);
  }

  /**
   * Moves the pages of the range that are in memory to a NUMA node: move_pages(2), Linux 2.6.18.
   *
   * @throws {SystemError} ENODEV if the node has no memory, EACCES if the cpuset forbids it
   */
  migrate(node: number, range?: Range): Migration {
    return migrate(this.#memory.pages, node, range);
  }

  /**
   * Sets which node comes first, instead of the nearest, in a range bound by `'bind'` or
   * `'preferred-many'`: set_mempolicy_home_node(2), Linux 5.17.
   *
   * @throws {SystemError} ENOTSUP or ENOENT without such a policy; EINVAL if there is no such node
   */
  homeNode(node: number, range?: Range): void {
    setHomeNode(this.#memory.pages, node, range);
  }

  /**
   * Writes changed pages of a `'read-write'` file mapping to the file, and waits for the disk:
   * msync(2) MS_SYNC. Does nothing for memory without a file, or copy-on-write.
   *
   * @throws {SystemError} EIO if the disk fails
   */
  flush(range?: Range): void {
    const { offset, length } = this.#memory.pages.span(range);
    const handle = this.#memory.pages.pinnedHandle();
    if (length > 0) check(binding.msync(handle, offset, length, MS.SYNC), 'msync', { remedy: flushRemedy });
  }

  /** As {@link flush}, off the main thread, in pieces; `signal` stops it between two of them. */
  flushAsync(options?: BackgroundOptions): Promise<void> {
    return inBackground(this.#memory.pages, options, 'msync', (handle, offset, length) =>
      binding.msyncAsync(handle, offset, length, MS.SYNC),
    );
  }

  /**
   * Makes stores durable. For persistent memory mapped with `sync: true` (MAP_SYNC) it writes cache
   * lines back, without a system call; for other mappings it is {@link flush}.
   *
   * @throws {SystemError} EIO if the disk fails
   */
  persist(range?: Range): void {
    this.flush(range);
  }

  /**
   * Tells the kernel how the bytes will be used: madvise(2). Never changes them. `'willneed'`
   * starts reading the missing pages of the range, and does not wait. If repeated calls find
   * everything in memory, only some of the further calls look.
   *
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: `'cold'` needs Linux 5.4, `'wipeonfork'` and `'keeponfork'` 4.14
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
   * Reads pages into memory and maps them now, so that accesses to them cost no page fault:
   * madvise(2) MADV_POPULATE_READ or MADV_POPULATE_WRITE, Linux 5.14.
   *
   * @throws {SystemError} EFAULT if the file has shrunk
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED on an older kernel
   */
  populate(range?: Range): void {
    const { offset, length } = this.#memory.pages.span(range);
    const handle = this.#memory.pages.pinnedHandle();
    if (length === 0) return;
    check(binding.madvise(handle, offset, length, this.#populateAdvice()), 'madvise', { feature: 'populate' });
  }

  /** As {@link populate}, off the main thread, in pieces; `signal` stops it between two of them. */
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

  /** After a read fault pages are still shared with the file or the zero page; a write fault makes them writable. */
  #populateAdvice(): number {
    return this.access === 'read-write' ? MADV.POPULATE_WRITE : MADV.POPULATE_READ;
  }

  /**
   * Destroys bytes: drops the pages, by madvise(2) MADV_DONTNEED. Private memory then reads as zeros, a
   * copy-on-write mapping as the file; a shared mapping loses nothing. Whole pages; `range` must be given.
   *
   * @throws {SystemError} EINVAL if pages are locked
   */
  discard(range: Range): void {
    discard(this.#memory.pages, range);
  }

  /**
   * Destroys bytes: frees the pages and the blocks of the file under them, which then read as zeros in
   * every process. madvise(2) MADV_REMOVE; works on tmpfs, ext4, xfs, btrfs and memfds. Whole pages;
   * `range` must be given.
   *
   * @throws {SystemError} EINVAL, EACCES or ENOTSUP unless the mapping is shared, writable and unlocked
   */
  punchHole(range: Range): void {
    punchHole(this.#memory.pages, range);
  }

  /** Pushes pages out of memory, to their file or to swap: madvise(2) MADV_PAGEOUT, Linux 5.4. No byte changes. */
  evict(range?: Range): void {
    evict(this.#memory.pages, range);
  }

  /**
   * Replaces small pages with transparent huge pages now: madvise(2) MADV_COLLAPSE, Linux 6.1.
   *
   * @throws {SystemError} EINVAL if the range holds no aligned huge page; ENOMEM, EAGAIN
   */
  collapse(range?: Range): void {
    collapse(this.#memory.pages, range);
  }

  /**
   * Forbids to protect, resize, discard or unmap the mapping until the process ends: mseal(2), Linux 6.10.
   * `close()` then leaves the memory in place. Memory under a SharedArrayBuffer of the runtime (Node 20)
   * cannot be sealed; use `buffer: 'array'`.
   *
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED on an older kernel
   * @throws {SystemError} ENOTSUP under a SharedArrayBuffer of the runtime
   */
  seal(): void {
    const { offset, length } = this.#memory.pages.span(undefined);
    const handle = this.#memory.pages.pinForever();
    if (length === 0) return;
    check(binding.mseal(handle, offset, length, 0), 'mseal', { feature: 'seal', remedy: sealRemedy });
  }

  /**
   * Gives the mapping another length, at least 1 byte: mremap(2). Bytes up to the shorter length stay; new bytes
   * of anonymous memory are zero. Earlier views end and read as zeros: get `buffer`, `bytes` or a view again.
   * If a buffer exists it needs Linux 5.13, for anonymous memory 5.7.
   *
   * @throws {SystemError} ENOMEM, ENOSPC, EPERM: sealed
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
    if (fd >= 0) check(binding.growFile(fd, before, length), 'fallocate', { remedy: (code) => growRemedy(code, hugePageSize(this.#memory.pages)) });
    this.#memory.resize(length, () => {
      check(binding.resize(handle, this.byteOffset + length), 'mremap', { feature: 'remapKeeping', remedy: mapRemedy(0) });
      return handle;
    });
  }

  /**
   * Ends the mapping and releases its pages at once. Views that still exist, on any thread, read as zeros
   * (SharedArrayBuffer) or are empty (ArrayBuffer). Does not flush: the kernel writes changes to the
   * file later. Idempotent.
   */
  close(): void {
    this.#memory.pages.close();
  }

  /** Closes the mapping at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Mapping);

/** Bytes in a page, if it is a huge one of a pool. */
function hugePageSize({ pageSize }: MappedMemory['pages']): number | undefined {
  return pageSize === binding.pageSize ? undefined : pageSize;
}

showAs(Mapping.prototype, {
  path: (mapping) => memoryOf(mapping).pages.path,
  length: ({ length }) => length,
  access: ({ access }) => access,
  closed: ({ closed }) => closed,
  faults: ({ faults }) => faults,
});
