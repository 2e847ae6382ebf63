// The store's checksum is XXH32 of xxhash.com, in both languages: lib/store/file/checksum.ts,
// src-native/core/bytes/checksum.cc.
import assert from 'node:assert/strict';
import { binding, recordSum, xxh32, xxh32Copying } from '../support/store/store-checksums.mjs';

/** Published values: [bytes, seed, XXH32]. */
const KNOWN = [['', 0, 0x02cc5d05], ['abc', 0, 0x32d153ff], ['Nobody inspects the spammish repetition', 0, 0xe2293b2f]];

describe("the store's checksum", () => {
  it('is XXH32, in C++ and in JavaScript, of any length', () => {
    for (const [text, seed, hash] of KNOWN) {
      assert.equal(binding.xxh32(Buffer.from(text), 0, text.length, seed) >>> 0, hash);
      const words = new Int32Array(10);
      Buffer.from(words.buffer).write(text);
      assert.equal(xxh32(words, 0, text.length, seed) >>> 0, hash);
    }
    for (let length = 0; length < 600; length++) {
      const words = new Int32Array(160);
      const bytes = Buffer.from(words.buffer);
      for (let i = 0; i < length; i++) bytes[i] = i * 7 + length;
      const seed = (length * 0x9e3779b1) | 0;
      const expected = binding.xxh32(bytes, 0, length, seed);
      const copy = new Int32Array(170);
      assert.equal(xxh32(words, 0, length, seed), expected, `${length} bytes`);
      assert.equal(xxh32Copying(words, 0, length, seed, copy, 3), expected);
      assert.equal(Buffer.from(copy.buffer, 12, length).compare(bytes, 0, length), 0);
    }
  });

  it('of a record is that of its four words', () => {
    for (const words of [[1, 2, 3, 4], [-1, 0, 2 ** 31 - 1, -(2 ** 31)]]) {
      assert.equal(recordSum(...words, 1234), xxh32(Int32Array.from(words), 0, 16, 1234));
    }
  });
});
