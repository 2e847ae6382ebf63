// Buffers of more than 2 GiB, with methods that are right there: those of Node 20 to 26 return wrong
// offsets and wrong text.
import { isUint8Array } from '../../internal/realms/kinds.js';
import { UnsupportedError } from '../../errors.js';
import { decode } from './decode.js';
import { findLast, lastStart } from './search.js';

/** Bytes of the longest Buffer whose inherited methods are right. */
const SOUND = 2 ** 31;
/** Starts that Node's indexOf searches at once. */
const PIECE = 2 ** 30;

/** Node's own, used on shorter parts. */
const { indexOf, subarray } = Buffer.prototype as {
  readonly indexOf: (this: Buffer, needle: Uint8Array) => number;
  readonly subarray: (this: Buffer, start?: number, end?: number) => Buffer;
};

/** The buffer; with methods of its own if those it inherits would be wrong. */
export function soundBuffer<B extends Buffer>(buffer: B): B {
  return buffer.length > SOUND ? Object.defineProperties(buffer, METHODS) : buffer;
}

/** The bytes to search for, from what Buffer's methods accept. */
function needleOf(value: unknown, encoding: unknown): Uint8Array {
  const isText = typeof value === 'string';
  if (isText || isUint8Array(value)) {
    // Throws for an unknown encoding.
    const bytes = isText ? Buffer.from(value, encoding as BufferEncoding) : value;
    if (typeof encoding === 'string' && /^(?:ucs|utf-?16)/i.test(encoding)) {
      throw unsupported("UTF-16 is not searched. Use mapping.indexOf() or mapping.lastIndexOf() of Buffer.from(text, 'utf16le')");
    }
    return bytes;
  }
  // A byte, as Node converts it; or Node's error.
  if (typeof value !== 'number') Buffer.alloc(1).indexOf(value as string);
  return Uint8Array.of(value as number);
}

function unsupported(reason: string): UnsupportedError {
  return new UnsupportedError('ERR_MEMMAP_BUFFER_TOO_LARGE', `In a Buffer of more than 2 GiB ${reason}`);
}

/** Newer versions of Node take the end of the search before the encoding. */
function refuseEnd(end: unknown): void {
  if (end !== undefined && typeof end !== 'string') {
    throw unsupported('a search takes no end. Use mapping.indexOf() or mapping.lastIndexOf(), or subarray() of the part to search');
  }
}

function find(all: Buffer, needle: Uint8Array, offset: number, length: number): number {
  const starts = length - needle.length + 1;
  for (let done = 0; done < starts; done += PIECE) {
    const reach = Math.min(PIECE, starts - done) + needle.length - 1;
    const found = indexOf.call(subarray.call(all, offset + done, offset + done + reach), needle);
    if (found !== -1) return offset + done + found;
  }
  return -1;
}

function soundIndexOf(this: Buffer, value: unknown, offset?: unknown, end?: unknown, encoding?: unknown): number {
  if (typeof offset === 'string') return soundIndexOf.call(this, value, undefined, undefined, offset);
  if (typeof end === 'string') return soundIndexOf.call(this, value, offset, undefined, end);
  refuseEnd(end);
  const needle = needleOf(value, encoding);
  const from = Math.trunc(Number(offset)) || 0; // not NaN, not -0
  const start = from < 0 ? Math.max(0, this.length + from) : Math.min(from, this.length);
  return needle.length === 0 ? start : find(this, needle, start, this.length - start);
}

function soundLastIndexOf(this: Buffer, value: unknown, offset?: unknown, end?: unknown, encoding?: unknown): number {
  if (typeof offset === 'string') return soundLastIndexOf.call(this, value, undefined, undefined, offset);
  if (typeof end === 'string') return soundLastIndexOf.call(this, value, offset, undefined, end);
  refuseEnd(end);
  const needle = needleOf(value, encoding);
  const last = lastStart(offset === undefined ? NaN : Number(offset), this.length, needle.length);
  return needle.length === 0 ? last : findLast((from, length) => find(this, needle, from, length), needle.length, last);
}

function soundIncludes(this: Buffer, value: unknown, offset?: unknown, end?: unknown, encoding?: unknown): boolean {
  return soundIndexOf.call(this, value, offset, end, encoding) !== -1;
}

function soundToString(this: Buffer, encoding: BufferEncoding = 'utf8', start = 0, end: number = this.length): string {
  // Node's error for an unknown encoding.
  if (!Buffer.isEncoding(encoding)) return Buffer.alloc(1).toString(encoding);
  const from = Math.max(0, Math.trunc(start) || 0);
  const to = Math.min(this.length, Math.trunc(end) || 0);
  const read = (offset: number, length: number) => subarray.call(this, offset, offset + length);
  return decode(read, from, Math.max(0, to - from), encoding);
}

function soundSubarray(this: Buffer, start?: number, end?: number): Buffer {
  return soundBuffer(subarray.call(this, start, end));
}

const own = (value: unknown): PropertyDescriptor => ({ value, writable: true, configurable: true });

const METHODS: PropertyDescriptorMap = {
  indexOf: own(soundIndexOf),
  lastIndexOf: own(soundLastIndexOf),
  includes: own(soundIncludes),
  toString: own(soundToString),
  toLocaleString: own(soundToString),
  subarray: own(soundSubarray),
  slice: own(soundSubarray),
};
