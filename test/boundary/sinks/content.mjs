// What goes out, and what can be said of it where it arrives.
import crypto from 'node:crypto';

/** Every byte once, so that no text has the same bytes. */
export const CONTENT = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));

/** What a way out returns that this runtime does not have. */
export const MISSING = Symbol('missing');

export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();

/** Stands for the bytes where only something made of them comes back: CONTENT if `got` is what CONTENT gives. */
export function proof(got, expected) {
  return Buffer.from(got).equals(Buffer.from(expected)) ? CONTENT : Buffer.from('other bytes');
}
