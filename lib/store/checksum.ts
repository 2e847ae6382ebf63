// XXH32, the hash of keys and the sum of records: over words that are there already.
import { binding } from '../internal/binding.js';

const P1 = 0x9e37_79b1 | 0;
const P2 = 0x85eb_ca77 | 0;
const P3 = 0xc2b2_ae3d | 0;
const P4 = 0x27d4_eb2f | 0;
const P5 = 0x1656_67b1 | 0;

/** Bytes from where on a native call is worth its price. */
const LONG = 512;

function round(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, P2)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), P1);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 15), P2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), P3);
  return mixed ^ (mixed >>> 16);
}

/** The XXH32, as a signed word, of `length` bytes from the word at `at` on. */
export function xxh32(words: Int32Array, at: number, length: number, seed: number): number {
  let next = at;
  let hash = (seed + P5) | 0;
  let left = length;
  if (length >= 16) {
    let a = (seed + P1 + P2) | 0;
    let b = (seed + P2) | 0;
    let c = seed | 0;
    let d = (seed - P1) | 0;
    for (; left >= 16; left -= 16, next += 4) {
      a = round(a, words[next] as number);
      b = round(b, words[next + 1] as number);
      c = round(c, words[next + 2] as number);
      d = round(d, words[next + 3] as number);
    }
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  }
  hash = (hash + length) | 0;
  for (; left >= 4; left -= 4, next += 1) {
    hash = (hash + Math.imul(words[next] as number, P3)) | 0;
    hash = Math.imul((hash << 17) | (hash >>> 15), P4);
  }
  if (left > 0) {
    let rest = words[next] as number;
    for (; left > 0; left -= 1, rest >>>= 8) {
      hash = (hash + Math.imul(rest & 0xff, P5)) | 0;
      hash = Math.imul((hash << 11) | (hash >>> 21), P1);
    }
  }
  return finish(hash);
}

/** As {@link xxh32}, of the words of a mapping, whose bytes are `bytes`. */
export function xxh32Mapped(words: Int32Array, bytes: Uint8Array, at: number, length: number, seed: number): number {
  return length < LONG ? xxh32(words, at, length, seed) : binding.xxh32(bytes, at * 4, length, seed);
}

/** The sum of a record: of its other three words and the hash of its value. */
export function recordSum(shape: number, valueLength: number, keyHash: number, valueHash: number, seed: number): number {
  const a = round((seed + P1 + P2) | 0, shape);
  const b = round((seed + P2) | 0, valueLength);
  const c = round(seed | 0, keyHash);
  const d = round((seed - P1) | 0, valueHash);
  const hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  return finish((hash + 16) | 0);
}
