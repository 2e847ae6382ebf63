// XXH32, the hash of keys and the checksum of records, over existing words. Its rounds are written
// out, because V8 stops inlining functions that are called a million times a second.
import { binding } from '../../internal/binding.js';

const P1 = 0x9e37_79b1 | 0;
const P2 = 0x85eb_ca77 | 0;
const P3 = 0xc2b2_ae3d | 0;
const P4 = 0x27d4_eb2f | 0;
const P5 = 0x1656_67b1 | 0;

/** The length in bytes from which a native call is faster. */
const LONG = 512;

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 15), P2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), P3);
  return mixed ^ (mixed >>> 16);
}

/** The XXH32, as a signed word, of `length` bytes from the word at `at`. */
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
      a = (a + Math.imul(words[next] as number, P2)) | 0;
      a = Math.imul((a << 13) | (a >>> 19), P1);
      b = (b + Math.imul(words[next + 1] as number, P2)) | 0;
      b = Math.imul((b << 13) | (b >>> 19), P1);
      c = (c + Math.imul(words[next + 2] as number, P2)) | 0;
      c = Math.imul((c << 13) | (c >>> 19), P1);
      d = (d + Math.imul(words[next + 3] as number, P2)) | 0;
      d = Math.imul((d << 13) | (d >>> 19), P1);
    }
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  }
  return xxh32End(words, next, left, (hash + length) | 0);
}

/** The last bytes, less than 16. */
function xxh32End(words: Int32Array, at: number, length: number, begun: number): number {
  let next = at;
  let left = length;
  let hash = begun;
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

/** As {@link xxh32}, and copies the words, the last one whole. */
export function xxh32Copying(words: Int32Array, at: number, length: number, seed: number, to: Int32Array, start: number): number {
  let next = at;
  let put = start;
  let hash = (seed + P5) | 0;
  let left = length;
  if (length >= 16) {
    let a = (seed + P1 + P2) | 0;
    let b = (seed + P2) | 0;
    let c = seed | 0;
    let d = (seed - P1) | 0;
    for (; left >= 16; left -= 16, next += 4, put += 4) {
      const first = words[next] as number;
      const second = words[next + 1] as number;
      const third = words[next + 2] as number;
      const fourth = words[next + 3] as number;
      to[put] = first;
      to[put + 1] = second;
      to[put + 2] = third;
      to[put + 3] = fourth;
      a = (a + Math.imul(first, P2)) | 0;
      a = Math.imul((a << 13) | (a >>> 19), P1);
      b = (b + Math.imul(second, P2)) | 0;
      b = Math.imul((b << 13) | (b >>> 19), P1);
      c = (c + Math.imul(third, P2)) | 0;
      c = Math.imul((c << 13) | (c >>> 19), P1);
      d = (d + Math.imul(fourth, P2)) | 0;
      d = Math.imul((d << 13) | (d >>> 19), P1);
    }
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  }
  for (let i = 0; i * 4 < left; i++) to[put + i] = words[next + i] as number;
  return xxh32End(words, next, left, (hash + length) | 0);
}

/** As {@link xxh32}, for the words of a mapping, whose bytes are `bytes`. */
export function xxh32Mapped(words: Int32Array, bytes: Uint8Array, at: number, length: number, seed: number): number {
  return length < LONG ? xxh32(words, at, length, seed) : binding.xxh32(bytes, at * 4, length, seed);
}

/** The checksum of a record: over its other three words and the hash of its value. */
export function recordSum(typeAndLength: number, valueLength: number, keyHash: number, valueHash: number, seed: number): number {
  let a = (seed + P1 + P2 + Math.imul(typeAndLength, P2)) | 0;
  let b = (seed + P2 + Math.imul(valueLength, P2)) | 0;
  let c = (seed + Math.imul(keyHash, P2)) | 0;
  let d = (seed - P1 + Math.imul(valueHash, P2)) | 0;
  a = Math.imul((a << 13) | (a >>> 19), P1);
  b = Math.imul((b << 13) | (b >>> 19), P1);
  c = Math.imul((c << 13) | (c >>> 19), P1);
  d = Math.imul((d << 13) | (d >>> 19), P1);
  const hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  return finish((hash + 16) | 0);
}
