// Ways out of the process that keep nothing of the mapping: streams, blobs and responses.
import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web';
import { binding } from '../internal/binding.js';
import { type Range, type Span, resolveRange } from '../internal/range.js';
import { invalidType, validateInteger, validateOptions } from '../internal/validate.js';
import { check } from '../internal/syscall.js';
import { copyInto, copyOut, refuseUnreadable } from './copy.js';
import { type Lease, releaseWith, truncatedInStream } from './lease/file-lease.js';
import { PagesLeases } from './lease/pages-leases.js';
import type { MappedMemory } from './mapped-memory.js';

/** Which part of a mapping to stream. */
export interface ByteStreamOptions extends Range {
  /** Bytes of a chunk, at most, and how many bytes are read ahead. @default 65536 */
  readonly highWaterMark?: number | undefined;
}

/** What kind of content a Blob has. */
export interface BlobOptions {
  /** A MIME type. @default '' */
  readonly type?: string | undefined;
}

/** Which part of a mapping to send, and what else `new Response()` takes. */
export interface ResponseOptions extends Range, ResponseInit {}

const CHUNK = 2 ** 16;
/** A Blob is made of copies no longer than this. */
const PART = 2 ** 28;
/** Responses with these have no body. */
const WITHOUT_BODY = new Set([101, 103, 204, 205, 304]);

/**
 * The pages themselves, by checked copies: of memory without a file, and of copies on write. When the mapping closes,
 * those of a file move to addresses that only leases reach; the others are gone.
 */
class PagesLease implements Lease {
  readonly #memory: MappedMemory;
  readonly #leases: PagesLeases;

  constructor(memory: MappedMemory) {
    this.#memory = memory;
    this.#leases = memory.pages.leases ??= new PagesLeases(memory.backing.left !== undefined);
    this.#leases.held.add(this);
  }

  async read(bytes: Uint8Array, offset: number): Promise<void> {
    const { moved, byteOffset } = this.#leases;
    if (moved === 0) {
      copyInto(this.#memory, offset, bytes);
      return;
    }
    const copied = check(binding.copyOut(moved, byteOffset + offset, bytes.length, bytes), 'process_vm_readv', { feature: 'checkedCopy' });
    // Read after the copy, so that a file that shrank before or during it is noticed.
    const left = Math.min(copied, (this.#memory.backing.left?.(binding.address(moved)) ?? Infinity) - offset);
    if (left < bytes.length) throw truncatedInStream(this.#memory.pages.path, offset + Math.max(0, left));
  }

  release(): void {
    this.#leases.delete(this);
  }
}

class ByteSource implements UnderlyingByteSource {
  readonly type = 'bytes';
  readonly #lease: Lease;
  readonly #chunk: number;
  #at: number;
  readonly #end: number;

  constructor(lease: Lease, { offset, length }: Span, chunk: number) {
    this.#lease = lease;
    this.#chunk = chunk;
    this.#at = offset;
    this.#end = offset + length;
  }

  start(controller: ReadableByteStreamController): void {
    if (this.#at === this.#end) this.#finish(controller);
  }

  async pull(controller: ReadableByteStreamController): Promise<void> {
    const { byobRequest } = controller;
    const room = byobRequest?.view;
    const left = this.#end - this.#at;
    try {
      // Memory of its own, which whoever gets it may transfer.
      const bytes = room ? new Uint8Array(room.buffer, room.byteOffset, Math.min(room.byteLength, left)) : new Uint8Array(Math.min(this.#chunk, left));
      await this.#lease.read(bytes, this.#at);
      this.#at += bytes.length;
      if (room) byobRequest?.respond(bytes.length);
      else controller.enqueue(bytes);
    } catch (error) {
      this.#lease.release();
      throw error;
    }
    if (this.#at === this.#end) this.#finish(controller);
  }

  #finish(controller: ReadableByteStreamController): void {
    this.#lease.release();
    controller.close();
    controller.byobRequest?.respond(0);
  }

  cancel(): void {
    this.#lease.release();
  }
}

export function stream(memory: MappedMemory, options: ByteStreamOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
  memory.pages.open();
  validateOptions<ByteStreamOptions>(options, ['offset', 'length', 'highWaterMark']);
  const { offset, length, highWaterMark = CHUNK } = options;
  const span = resolveRange({ offset, length }, memory.pages.length);
  validateInteger(highWaterMark, 'options.highWaterMark', 1);
  return streamOf(memory, span, highWaterMark);
}

/** The caller releases it. @throws {FaultError} if a byte of the span must not be read */
export function leaseOf(memory: MappedMemory, span: Span): Lease {
  refuseUnreadable(memory, span);
  memory.renew();
  return memory.backing.lease?.(memory.pages) ?? new PagesLease(memory);
}

function streamOf(memory: MappedMemory, span: Span, chunk: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const lease = leaseOf(memory, span);
  const made = new ReadableStream(new ByteSource(lease, span, chunk), { highWaterMark: chunk });
  releaseWith(made, lease);
  return made as ReadableStream<Uint8Array<ArrayBuffer>>;
}

export function blob(memory: MappedMemory, range?: Range, options: BlobOptions = {}): Blob {
  memory.pages.open();
  const { offset, length } = resolveRange(range, memory.pages.length);
  validateOptions<BlobOptions>(options, ['type']);
  const { type = '' } = options;
  if (typeof type !== 'string') throw invalidType('options.type', 'of type string', type);
  const parts = [];
  for (let done = 0; done < length; done += PART) parts.push(copyOut(memory, offset + done, Math.min(PART, length - done)));
  return new Blob(parts, { type });
}

export function response(memory: MappedMemory, options: ResponseOptions = {}): Response {
  memory.pages.open();
  validateOptions<ResponseOptions>(options, ['offset', 'length', 'status', 'statusText', 'headers']);
  const { offset, length, ...init } = options;
  const span = resolveRange({ offset, length }, memory.pages.length);
  const headers = new Headers(init.headers);
  if (init.status !== undefined && WITHOUT_BODY.has(init.status)) return new Response(null, { ...init, headers });
  if (!headers.has('content-length')) headers.set('content-length', String(span.length));
  const body = streamOf(memory, span, CHUNK);
  try {
    return new Response(body, { ...init, headers });
  } catch (error) {
    body.cancel().catch(() => {});
    throw error;
  }
}
