// From bytes to a string, piece by piece: of bytes of any length, if the string is not too long.
import { constants } from 'node:buffer';
import type { Range } from '../../internal/range.js';
import { invalidValue, stringTooLong } from '../../internal/validate.js';

/** Options of {@link Mapping.toString}: which part to decode, and how. */
export interface TextOptions extends Range {
  /** Any encoding of Buffer. @default 'utf8' */
  readonly encoding?: BufferEncoding | undefined;
}

/** Bytes that are decoded at once: whole units of all encodings. */
const PIECE = 3 * 2 ** 21;

/** Characters that `length` bytes become, at least. */
const LEAST: Readonly<Record<string, (length: number) => number>> = {
  hex: (length) => 2 * length,
  base64: (length) => 4 * Math.ceil(length / 3),
  base64url: (length) => Math.ceil((4 * length) / 3),
  utf16le: (length) => Math.floor(length / 2),
  utf8: (length) => Math.ceil(length / 3),
};

const ALIASES: Readonly<Record<string, string>> = {
  'utf-8': 'utf8', ucs2: 'utf16le', 'ucs-2': 'utf16le', 'utf-16le': 'utf16le',
};

export function validateEncoding(value: unknown, name: string): asserts value is BufferEncoding {
  if (typeof value === 'string' && Buffer.isEncoding(value)) return;
  throw invalidValue(name, "must be an encoding of Buffer, such as 'utf8', 'latin1' or 'hex'", value);
}

/**
 * Decodes as Buffer does.
 *
 * @param read - gives the bytes of a part
 * @throws {RangeError} ERR_STRING_TOO_LONG, before anything is read if that suffices to know
 */
export function decode(read: (offset: number, length: number) => Buffer, offset: number, length: number, encoding: BufferEncoding): string {
  const lower = encoding.toLowerCase();
  const known = ALIASES[lower] ?? lower;
  const least = LEAST[known]?.(length) ?? length;
  if (least > constants.MAX_STRING_LENGTH) throw stringTooLong(length, encoding);
  let text = '';
  for (let done = 0; done < length; ) {
    let bytes = read(offset + done, Math.min(PIECE, length - done));
    if (known === 'utf8' && done + bytes.length < length) bytes = bytes.subarray(0, wholeCharacters(bytes));
    const piece = bytes.toString(encoding);
    if (piece.length > constants.MAX_STRING_LENGTH - text.length) throw stringTooLong(length, encoding);
    text += piece;
    done += bytes.length;
  }
  return text;
}

/** How many bytes to decode now, so that no UTF-8 sequence is split: up to a lead byte among the last three. */
function wholeCharacters(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= bytes.length - 3; at--) {
    const byte = bytes[at] as number;
    if (byte >= 0xc0) return at;
    if (byte < 0x80) break;
  }
  return bytes.length;
}
