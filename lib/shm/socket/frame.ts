// The format of messages on a Unix socket: docs/abi.md. A message that fits is sent without a frame,
// so that any program can take part; the others are sent in a frame.
import { PeerError } from '../../errors.js';

/** SCM_MAX_FD: the kernel's limit for one sendmsg(2). */
export const MAX_FDS_AT_ONCE = 253;
/** The most bytes of payload. Larger data belongs into the memory that is sent. */
export const MAX_PAYLOAD: number = 2 ** 24;
/** The most descriptors in a message. */
export const MAX_FDS: number = 2 ** 16;
/** Bytes few enough that sendmsg(2) sends all or none. */
const MAX_BARE = 4096;

const MAGIC = Buffer.from('memmap\0\x01', 'latin1');
export const HEADER_LENGTH = 16;
/** The byte that carries descriptors which have no payload. */
const CARRIER = Buffer.alloc(1);
const NO_FDS = new Int32Array(0);
/** The two numbers of a header, and their bytes. */
const numbers = new Uint32Array(2);
const numberBytes = Buffer.from(numbers.buffer);

/** A part that one or more calls of sendmsg(2) send; the descriptors go with the first byte. */
export interface FramePart {
  readonly bytes: Uint8Array;
  readonly fds: Int32Array;
}

function isCarrier(bytes: Uint8Array): boolean {
  return bytes.length === 1 && bytes[0] === 0;
}

/** Whether a reader could mistake the bytes for the start of a frame. */
function looksFramed(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, MAGIC.length);
  return length > 0 && MAGIC.subarray(0, length).equals(bytes.subarray(0, length));
}

export function* partsOf(fds: Int32Array, payload: Uint8Array): Generator<FramePart> {
  const bare = fds.length > 0 && fds.length <= MAX_FDS_AT_ONCE && payload.length <= MAX_BARE;
  if (bare && !isCarrier(payload) && !looksFramed(payload)) {
    yield { bytes: payload.length === 0 ? CARRIER : payload, fds };
    return;
  }
  const header = Buffer.alloc(HEADER_LENGTH);
  MAGIC.copy(header);
  numbers.set([fds.length, payload.length]);
  numberBytes.copy(header, MAGIC.length);
  yield { bytes: header, fds: fds.subarray(0, MAX_FDS_AT_ONCE) };
  for (let at = MAX_FDS_AT_ONCE; at < fds.length; at += MAX_FDS_AT_ONCE) {
    yield { bytes: CARRIER, fds: fds.subarray(at, at + MAX_FDS_AT_ONCE) };
  }
  if (payload.length > 0) yield { bytes: payload, fds: NO_FDS };
}

/** The payload of a message that came without a frame. */
export function bareOf(bytes: Uint8Array, fds: readonly number[]): Buffer {
  return fds.length > 0 && isCarrier(bytes) ? Buffer.alloc(0) : Buffer.from(bytes);
}

export function badMessage(reason: string): PeerError {
  return new PeerError('ERR_MEMMAP_BAD_MESSAGE', `The peer sent an invalid message: ${reason}`);
}

/** What a receiver accepts. */
export interface Limits {
  /** The most descriptors in a message. */
  readonly fds: number;
  /** The most bytes of payload. */
  readonly payload: number;
}

export const ANY: Limits = { fds: MAX_FDS, payload: MAX_PAYLOAD };

/** A frame that is being received. */
export class MessageFrame {
  readonly #limits: Limits;
  #bytes: Buffer = Buffer.alloc(HEADER_LENGTH);
  #filled = 0;
  #carriers = 0;
  #expected: number | undefined;
  readonly fds: number[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether these bytes, still unread, start a frame. */
  static starts(bytes: Uint8Array): boolean {
    return bytes.length === HEADER_LENGTH && looksFramed(bytes);
  }

  /** Where the next bytes go. Never longer than the frame. */
  get room(): Buffer {
    return this.#bytes.subarray(this.#filled);
  }

  /** Called after `count` bytes were received into `room`. @throws {PeerError} ERR_MEMMAP_BAD_MESSAGE */
  filled(count: number): void {
    this.#filled += count;
    if (this.#expected === undefined && this.#filled === HEADER_LENGTH) this.#readHeader();
    if (this.fds.length > (this.#expected ?? MAX_FDS_AT_ONCE)) throw badMessage(`it came with ${this.fds.length} descriptors, more than the ${this.#expected ?? MAX_FDS_AT_ONCE} permitted`);
    if (this.complete && this.fds.length !== this.#expected) throw badMessage(`it came with ${this.fds.length} descriptors, fewer than the ${this.#expected} that it announced`);
  }

  #readHeader(): void {
    this.#bytes.copy(numberBytes, 0, MAGIC.length);
    const [fds = 0, length = 0] = numbers;
    const { fds: most, payload } = this.#limits;
    if (fds > most) throw badMessage(`it announced ${fds} descriptors, more than the ${most} permitted`);
    if (length > payload) throw badMessage(`it announced ${length} bytes, more than the ${payload} permitted`);
    this.#expected = fds;
    this.#carriers = Math.max(0, Math.ceil(fds / MAX_FDS_AT_ONCE) - 1);
    this.#bytes = Buffer.alloc(this.#carriers + length);
    this.#filled = 0;
  }

  get complete(): boolean {
    return this.#expected !== undefined && this.#filled === this.#bytes.length;
  }

  get payload(): Buffer {
    return this.#bytes.subarray(this.#carriers);
  }
}
