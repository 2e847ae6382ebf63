// Key: the key of the present operation, as words, so that it can be compared and copied word by word.
import { isUint8Array } from '../../internal/realms/kinds.js';
import { invalidType, invalidValue, outOfRange } from '../../internal/validate.js';
import { xxh32 } from '../file/checksum.js';
import { KEY_HASH, KEY_LENGTH, MOST_KEY, RECORD_WORDS, TYPE_AND_LENGTH, TEXT, UNIT } from '../file/layout.js';

/** A key of at most 65,536 bytes. A string stands for its UTF-8 bytes, so `'a'` and a Buffer of it are the same key. */
export type StoreKey = string | Uint8Array;

/** A thread works with one key at a time. Padded with zeros to whole units. */
const words = new Int32Array(MOST_KEY / 4 + 2);
const bytes = Buffer.from(words.buffer);

/** Pads with zeros to a whole unit; an empty key to a whole word. */
function fillUp(length: number): void {
  for (let i = length; i < length + UNIT; i++) bytes[i] = 0;
}

function tooLong(length: number): RangeError {
  return outOfRange('key', `at most ${MOST_KEY} bytes long`, length);
}

export class Key {
  readonly words: Int32Array = words;
  /** Bytes. */
  length = 0;
  hash = 0;
  text = false;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Takes a key, or throws. */
  take(key: StoreKey): void {
    if (typeof key === 'string') this.#takeText(key);
    else this.#takeBytes(key);
    this.hash = xxh32(words, 0, this.length, this.#seed);
  }

  #takeText(key: string): void {
    const { length } = key;
    if (length > MOST_KEY) throw tooLong(length);
    this.text = true;
    this.length = length;
    let all = 0;
    let at = 0;
    let i = 0;
    for (; length - i >= 4; i += 4, at += 1) {
      const a = key.charCodeAt(i);
      const b = key.charCodeAt(i + 1);
      const c = key.charCodeAt(i + 2);
      const d = key.charCodeAt(i + 3);
      all |= a | b | c | d;
      words[at] = a | (b << 8) | (c << 16) | (d << 24);
    }
    let last = 0;
    for (let shift = 0; i < length; i += 1, shift += 8) {
      const a = key.charCodeAt(i);
      all |= a;
      last |= a << shift;
    }
    words[at] = last;
    words[at + 1] = 0;
    if (all > 0x7f) this.#encode(key);
  }

  #encode(key: string): void {
    // Lone surrogates would become the same bytes, so that two strings were one key.
    if (!key.isWellFormed()) throw invalidValue('key', 'must be a well-formed string, without lone surrogates', key);
    const length = Buffer.byteLength(key);
    if (length > MOST_KEY) throw tooLong(length);
    bytes.write(key);
    this.length = length;
    fillUp(length);
  }

  #takeBytes(key: Uint8Array): void {
    if (!isUint8Array(key)) throw invalidType('key', 'a string or a Uint8Array', key);
    const { length } = key;
    if (length > MOST_KEY) throw tooLong(length);
    this.text = false;
    this.length = length;
    for (let i = 0; i < length; i++) bytes[i] = key[i] as number;
    fillUp(length);
  }

  /** Takes the key of a record that begins at `at`. */
  takeStored(from: Int32Array, at: number): void {
    const typeAndLength = from[at + TYPE_AND_LENGTH] as number;
    const length = typeAndLength & KEY_LENGTH;
    const whole = (length + 3) >> 2;
    for (let i = 0; i < whole; i++) words[i] = from[at + RECORD_WORDS + i] as number;
    fillUp(length);
    this.length = length;
    this.hash = from[at + KEY_HASH] as number;
    this.text = (typeAndLength & TEXT) !== 0;
  }

  /** A string of the bytes: equal for equal keys, whether given as a string or as bytes. */
  get name(): string {
    return bytes.toString('latin1', 0, this.length);
  }
}
