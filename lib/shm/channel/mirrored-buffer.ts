// MirroredBuffer: the data of a ring, mapped twice in a row, in a buffer whose views can all be
// ended at once.
import { type Handle, binding } from '../../internal/binding.js';
import { refuseExternal } from '../../internal/buffer.js';
import { mapRemedy } from '../../internal/remedy.js';
import { check } from '../../internal/syscall.js';
import { wasmMemory, wasmPages } from '../../internal/wasm-memory.js';

/** Releases rings that were collected without being closed. */
const dropped = new FinalizationRegistry<Handle>((handle) => binding.release(handle));

/**
 * A buffer over the pages, and a way to end it and all its views while the pages stay. A
 * memory of WebAssembly does both without a native call: growing it by nothing detaches its
 * buffer. Under --jitless there is none, and the addon makes the buffers.
 */
interface Source {
  readonly handle: Handle;
  buffer(): ArrayBuffer;
  end(buffer: ArrayBuffer): void;
}

function wasmSource(pages: number, fd: number, offset: number, capacity: number): Source {
  const memory = wasmMemory(pages);
  const handle = map(fd, offset, capacity, new Uint8Array(memory.buffer));
  dropped.register(memory, handle);
  return { handle, buffer: () => memory.buffer, end: () => void memory.grow(0) };
}

function ownSource(fd: number, offset: number, capacity: number): Source {
  refuseExternal('array', false, 'Channels need WebAssembly here: start Node without --jitless');
  const handle = map(fd, offset, capacity);
  const source = {
    handle,
    buffer: () => check(binding.arrayBuffer(handle, 2 * capacity), 'mmap'),
    end: (buffer: ArrayBuffer) => binding.detach(buffer),
  };
  dropped.register(source, handle);
  return source;
}

function map(fd: number, offset: number, capacity: number, over?: Uint8Array): Handle {
  return check(binding.mapMirrored(fd, offset, capacity, over), 'mmap', { remedy: mapRemedy(0) });
}

export class MirroredBuffer {
  readonly #source: Source;
  /** Twice the capacity: the second half is the same memory as the first. Changes with {@link renew}. */
  buffer: ArrayBuffer;
  /** The same memory in bytes. */
  bytes: Buffer;
  /** The same memory in words of 4 bytes. */
  words: Int32Array;

  /** @param offset - bytes into the file, whole pages. @param capacity - bytes: a multiple of 32 KiB */
  constructor(fd: number, offset: number, capacity: number) {
    const pages = wasmPages(2 * capacity);
    this.#source = pages === undefined ? ownSource(fd, offset, capacity) : wasmSource(pages, fd, offset, capacity);
    this.buffer = this.#source.buffer();
    this.bytes = Buffer.from(this.buffer);
    this.words = new Int32Array(this.buffer);
  }

  /** Whether user code has transferred the buffer of a view. */
  get detached(): boolean {
    return this.bytes.length === 0;
  }

  /** Ends every view of the memory that has been handed out: their length is 0 from now on. */
  renew(): void {
    this.#source.end(this.buffer);
    this.buffer = this.#source.buffer();
    this.bytes = Buffer.from(this.buffer);
    this.words = new Int32Array(this.buffer);
  }

  /** Ends every view, and gives the pages back. */
  close(): void {
    this.#source.end(this.buffer);
    check(binding.close(this.#source.handle), 'mmap');
    this.buffer = new ArrayBuffer(0);
    this.bytes = Buffer.from(this.buffer);
    this.words = new Int32Array(this.buffer);
  }
}
