// Address space without memory, to place mappings in.
import { constants } from 'node:os';
import { type Handle, binding } from '../internal/binding.js';
import { HUGE_PAGES } from '../internal/literals.js';
import { mapRemedy } from '../internal/remedy.js';
import { OURS, invalidType, outOfRange, validateInteger, validateMultiple, validateOurs } from '../internal/validate.js';
import { type AnonymousOptions, placeAnonymous } from '../mem/anonymous.js';
import type { Mapping } from '../mem/mapping.js';
import { Pages } from '../mem/pages.js';
import { type MapFileOptions, placeFile } from './map-file.js';
import type { FileLike } from './open-file.js';
import { check, systemError } from '../internal/syscall.js';

const { errno } = constants;

/** What `place` maps: a file, with the options of `mapFile`, or anonymous memory. */
export type PlaceOptions =
  | AnonymousOptions
  | (MapFileOptions & { readonly file: FileLike; readonly length: number });

interface Placed {
  readonly mapping: Mapping;
  readonly offset: number;
  /** Bytes, whole pages. */
  readonly length: number;
}

/**
 * A range of addresses that nothing else will be mapped to: mmap(2) with PROT_NONE. It
 * costs no memory. Made by {@link reserve}.
 */
export class Reservation implements Disposable {
  readonly #pages: Pages;
  #placed: Placed[] = [];

  private constructor(key: typeof OURS, handle: Handle, length: number) {
    validateOurs(key, 'reserve()');
    this.#pages = new Pages({ handle, byteOffset: 0, length, kind: 'array', movable: false });
  }

  /** @internal */
  static of(key: typeof OURS, handle: Handle, length: number): Reservation {
    return new Reservation(key, handle, length);
  }

  /** The first address. */
  get address(): bigint {
    return this.#pages.address;
  }
  /** Bytes. */
  get length(): number {
    return this.#pages.length;
  }
  get closed(): boolean {
    return this.#pages.closed;
  }

  /**
   * Maps a file or anonymous memory at `offset`, a multiple of the page size:
   * `space.place(0, { file: 'data.bin', length: 4096 })`. It must fit, and not overlap an
   * open mapping.
   *
   * @throws {SystemError} EEXIST if an open mapping lies there
   */
  place(offset: number, what: PlaceOptions): Mapping {
    this.#pages.open();
    const { pageSize } = binding;
    validateInteger(offset, 'offset', 0, this.length);
    validateMultiple(offset, 'offset', pageSize);
    if (typeof what !== 'object' || what === null) throw invalidType('what', 'of type object', what);
    validateInteger(what.length, 'what.length', 1);
    const unit = ('hugePages' in what && HUGE_PAGES[what.hugePages]?.size) || pageSize;
    // A part of a file that starts inside a page takes all of that page.
    const { offset: skipped = 0 } = 'file' in what ? what : {};
    validateInteger(skipped, 'what.offset');
    const lead = skipped % pageSize;
    const length = Math.ceil((lead + what.length) / unit) * unit;
    if (length > this.length - offset) {
      const left = this.length - offset - lead;
      throw outOfRange('what.length', `<= ${left}, what is left after offset ${offset}`, what.length);
    }
    this.#placed = this.#placed.filter(({ mapping }) => !mapping.closed);
    for (const other of this.#placed) {
      if (other.offset >= offset + length || offset >= other.offset + other.length) continue;
      throw systemError(-errno.EEXIST, 'mmap', {
        remedy: () => `An open mapping lies at offset ${other.offset} of the reservation`,
      });
    }
    const mapping = this.#map(this.address + BigInt(offset), what);
    this.#placed.push({ mapping, offset, length });
    return mapping;
  }

  #map(address: bigint, what: PlaceOptions): Mapping {
    if (!('file' in what)) return placeAnonymous(what, address);
    const { file, ...options } = what;
    return placeFile(file, options, address);
  }

  /** Closes every mapping placed here, then gives the addresses back. Idempotent. */
  close(): void {
    for (const { mapping } of this.#placed) mapping.close();
    this.#placed = [];
    this.#pages.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Reserves addresses, without memory: the one place where fixed placement cannot hit
 * somebody else's memory.
 *
 * ```js
 * using space = reserve(2 ** 40);
 * const first = space.place(0, { length: 2 ** 21 });
 * ```
 *
 * @param length bytes, rounded up to whole pages
 */
export function reserve(length: number): Reservation {
  validateInteger(length, 'length', 1);
  const { pageSize } = binding;
  const whole = Math.ceil(length / pageSize) * pageSize;
  const handle = check(binding.reserve(whole), 'mmap', { remedy: mapRemedy(0) });
  return Reservation.of(OURS, handle, whole);
}
