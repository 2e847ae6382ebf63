// Pages: the memory of a Mapping. It owns the native handle and the buffer, and converts
// between bytes of the mapping and pages of memory.
import { isArrayBuffer, isSharedArrayBuffer } from '../internal/realms/kinds.js';
import { StateError } from '../errors.js';
import { type CountsId, type Handle, binding } from '../internal/binding.js';
import { BUFFER_LIMIT, createBuffer, hasExternalShared, isDetached } from '../internal/buffer.js';
import type { BufferKind } from '../internal/enums.js';
import { type FileId, identify, verified } from '../internal/descriptors/file-id.js';
import { type Range, type Span, resolveRange } from '../internal/range.js';
import { collectUnderPressure } from '../internal/gc.js';
import { outOfRange } from '../internal/validate.js';
import { FaultLog, faultCount } from './faults.js';
import type { PagesLeases } from './lease/pages-leases.js';
import { soundBuffer } from './text/long-buffer.js';
import { check } from '../internal/syscall.js';

/** What a mapping holds in the addon. 0: none. */
interface Held {
  handle: Handle;
  counts: CountsId;
}

/** Releases mappings that were collected without close(), and counts that can no longer be read. */
const forgotten = new FinalizationRegistry<Held>(({ handle, counts }) => {
  if (counts !== 0) binding.dropCounts(counts);
  if (handle !== 0) binding.release(handle);
});

export interface PagesOptions {
  /** 0: nothing is mapped, the length is 0. */
  readonly handle: Handle;
  /** Bytes from the first page to the first byte of the mapping. */
  readonly byteOffset: number;
  /** Bytes. */
  readonly length: number;
  /** Bytes in a page: the machine's, or a huge one. */
  readonly pageSize?: number;
  readonly kind: BufferKind | undefined;
  /** Whether the pages may be moved to other addresses. */
  readonly movable: boolean;
  /** For a part of a mapping too long for one buffer: bytes from the start of that mapping. */
  readonly within?: number;
  /** The file, for error messages. */
  readonly path?: string;
  /** What to call where a buffer would be too long, for error messages. */
  readonly instead?: string;
}

/**
 * Response, fetch() and WebSocket convert what is shared to text, and would send that: no error, and other bytes. A view
 * that refused it, too, would have a hidden class of its own, and code that is optimised for others would be thrown away.
 */
function refuseText(): never {
  const error = new TypeError(
    'The shared memory of a mapping is not converted to text. To send it with Response, fetch() or a WebSocket, use mapping.blob(), ' +
      'response() or stream(), which copy it',
  );
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** The buffer of a WebAssembly.Memory, which Node 20 uses, cannot get a property. */
function refusingText(shared: SharedArrayBuffer): void {
  Reflect.defineProperty(shared, Symbol.toPrimitive, { value: refuseText });
}

function detached(): StateError {
  return new StateError(
    'ERR_MEMMAP_DETACHED',
    'The ArrayBuffer of the mapping was transferred, or a byte stream took it: the memory is in another buffer now. ' +
      "copyOut() and copyIn() still reach it; otherwise close() and map again. To avoid this, give streams copies, or map without buffer: 'array': a SharedArrayBuffer cannot be transferred",
  );
}

export class Pages {
  readonly pageSize: number;
  readonly kind: BufferKind | undefined;
  /** Bytes from the start of the mapping that this is a part of; 0 if it is not a part. */
  readonly within: number;
  /** Those of streams that read the pages themselves. */
  leases: PagesLeases | undefined;
  /** Changes when earlier views end. */
  version = 0;
  #movable: boolean;
  /** The file, if there is one. */
  readonly path: string | undefined;
  readonly #held: Held;
  readonly #instead: string;
  #log: FaultLog | undefined;
  #byteOffset: number;
  #length: number;
  #closed = false;
  /** The file of the kept descriptor, if there is one. */
  #file: FileId | undefined;
  #buffer: ArrayBuffer | SharedArrayBuffer | undefined;
  /** The buffer, if it is one that a transfer or a byte stream can take. */
  #array: ArrayBuffer | undefined;
  #bytes: Buffer | undefined;

  constructor(options: PagesOptions) {
    this.#held = { handle: options.handle, counts: 0 };
    this.path = options.path;
    this.within = options.within ?? 0;
    this.#byteOffset = options.byteOffset;
    this.#length = options.length;
    this.pageSize = options.pageSize ?? binding.pageSize;
    this.kind = options.kind;
    this.#movable = options.movable;
    this.#instead = options.instead ?? 'Use copyOut() and copyIn(), which need no buffer';
    forgotten.register(this, this.#held, this);
    this.#identify();
  }

  #identify(): void {
    const { handle } = this.#held;
    const fd = handle === 0 ? -1 : binding.descriptor(handle);
    this.#file = fd < 0 ? undefined : identify(fd);
  }

  get closed(): boolean {
    return this.#closed;
  }
  get length(): number {
    return this.#length;
  }
  /** Bytes from the first page to the first byte; an empty mapping has no page. */
  get byteOffset(): number {
    return this.#held.handle === 0 ? 0 : this.#byteOffset;
  }
  /** Bytes from the first page to the end of the mapping: the length of the buffer. */
  get extent(): number {
    return this.byteOffset + this.#length;
  }

  /** The open handle; 0 if the mapping is empty. */
  open(): Handle {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'The mapping is closed');
    return this.#held.handle;
  }

  /** The handle, with the pages where they will stay. */
  pinnedHandle(): Handle {
    const handle = this.open();
    if (!hasExternalShared && this.#buffer === undefined && this.#fits()) this.#createBuffer();
    return handle;
  }

  /** The handle; from now on the pages stay where they are, and a later buffer cannot move them. */
  pinForever(): Handle {
    const handle = this.open();
    this.#movable = false;
    return handle;
  }

  /** Whether the pages can be moved onto a SharedArrayBuffer of the runtime. */
  #fits(): boolean {
    return this.#movable && this.kind !== 'array' && this.extent <= BUFFER_LIMIT;
  }

  get address(): bigint {
    const handle = this.pinnedHandle();
    return handle === 0 ? 0n : binding.address(handle) + BigInt(this.byteOffset);
  }

  /** The descriptor that the mapping keeps, or -1. @throws {SystemError} EBADF if other code has closed it */
  get descriptor(): number {
    const handle = this.open();
    return this.#file === undefined ? -1 : verified(binding.descriptor(handle), this.#file);
  }

  get buffer(): ArrayBuffer | SharedArrayBuffer {
    if (this.#buffer === undefined) return this.#createBuffer();
    this.refuseDetached();
    return this.#buffer;
  }

  #createBuffer(): ArrayBuffer | SharedArrayBuffer {
    const handle = this.open();
    let buffer: ArrayBuffer | SharedArrayBuffer;
    if (handle !== 0) {
      buffer = createBuffer(handle, this.extent, this.kind, this.#movable, this.#instead);
    } else {
      buffer = this.kind === 'array' ? new ArrayBuffer(0) : new SharedArrayBuffer(0);
    }
    this.#array = isArrayBuffer(buffer) ? buffer : undefined;
    if (isSharedArrayBuffer(buffer)) refusingText(buffer);
    this.#buffer = buffer;
    return buffer;
  }

  get bytes(): Buffer {
    if (this.#bytes === undefined) {
      this.#bytes = soundBuffer(Buffer.from(this.buffer as ArrayBuffer, this.byteOffset, this.#length));
    } else if (this.#bytes.length === 0) {
      this.refuseDetached();
    }
    return this.#bytes;
  }

  /** Whether a transfer or a byte stream has moved the memory to another buffer. */
  get detached(): boolean {
    return this.#array !== undefined && isDetached(this.#array);
  }

  refuseDetached(): void {
    if (this.detached) throw detached();
  }

  /** Calls `use` with all bytes, even if the buffer was transferred. */
  lend(use: (bytes: Buffer) => void): void {
    if (!this.detached) {
      use(this.bytes);
      return;
    }
    const buffer = createBuffer(this.open(), this.extent, 'array', false) as ArrayBuffer;
    use(Buffer.from(buffer, this.byteOffset, this.#length));
    binding.detach(buffer);
  }

  /** The whole pages around a range, in bytes from the first page. */
  span(range: Range | undefined): Span {
    const { offset, length } = resolveRange(range, this.#length);
    const from = this.byteOffset + offset;
    const start = from - (from % this.pageSize);
    return { offset: start, length: length === 0 ? 0 : from + length - start };
  }

  /**
   * The pages of a range that must consist of whole pages, because the operation would affect
   * bytes around it otherwise. It may end with the mapping.
   */
  exact(range: Range | undefined): Span {
    const { offset, length } = resolveRange(range, this.#length);
    const from = this.byteOffset + offset;
    const whole = `such that the range consists of whole pages of ${this.pageSize} bytes`;
    if (from % this.pageSize !== 0) throw outOfRange('offset', whole, offset);
    if (length % this.pageSize !== 0 && offset + length !== this.#length) {
      throw outOfRange('length', whole, length);
    }
    return { offset: from, length };
  }

  /** The faults that the guard has counted. Outlives `close()`. */
  get log(): FaultLog {
    if (this.#log === undefined) {
      this.#log = new FaultLog(this.#byteOffset - this.within, this.path);
      if (this.#held.counts === 0 && this.#held.handle !== 0) this.#hold();
      this.#log.follow(this.#held.counts);
    }
    return this.#log;
  }

  #hold(): void {
    this.#held.counts = binding.holdCounts(this.#held.handle);
  }

  /** Where the lost end of the file begins, as far as the guard knows; Infinity if it replaced pages for other reasons; -1 if none. */
  get fixedUp(): number {
    const { handle } = this.#held;
    return handle === 0 || faultCount() === 0 ? -1 : binding.fixedUp(handle);
  }

  /** Replaces the pages with those of a longer or shorter mapping. Ends earlier views. */
  resize(length: number, resized: () => Handle): void {
    const held = this.#held;
    const handle = resized();
    const mappedAnew = held.handle === 0 && handle !== 0;
    const anew = held.handle !== handle;
    held.handle = handle;
    this.#length = length;
    if (anew) this.#identify();
    if (mappedAnew && this.#log !== undefined) {
      const { counts } = held;
      this.#hold();
      this.#log.follow(held.counts);
      if (counts !== 0) binding.dropCounts(counts);
    }
    this.#dropBuffer();
  }

  close(): void {
    if (this.#closed) return;
    const held = this.#held;
    const outlived = this.#buffer !== undefined && (this.#array === undefined || this.detached);
    // First, so that no view can see the pages change.
    if (this.#array !== undefined) binding.detach(this.#array);
    if (held.handle !== 0) {
      // Remaining views can still fault.
      if (outlived && held.counts === 0) this.#hold();
      this.leases?.takeOver(held.handle, this.#byteOffset);
      check(binding.close(held.handle), 'mmap');
      held.handle = 0;
      if (held.counts === 0) forgotten.unregister(this);
    }
    this.#closed = true;
    if (this.#buffer !== undefined) collectUnderPressure();
    this.#dropBuffer();
  }

  #dropBuffer(): void {
    this.version += 1;
    if (this.#array !== undefined) binding.detach(this.#array);
    this.#buffer = this.#array = undefined;
    this.#bytes = undefined;
  }
}
