// Reserved address space, without memory, to place mappings in.
import { disposable } from '../internal/realms/dispose.js';
import { statSync } from 'node:fs';
import { fstat } from '../internal/descriptors/calls.js';
import { constants } from 'node:os';
import { type Handle, binding } from '../internal/binding.js';
import { HUGE_PAGES } from '../internal/enums.js';
import { showAs } from '../internal/inspect.js';
import { type PathName, shownPath } from '../internal/path.js';
import { mapRemedy } from '../internal/remedy.js';
import { OURS, invalidType, invalidValue, outOfRange, validateInteger, validateMultiple, validateOurs } from '../internal/validate.js';
import { type AnonymousOptions, placeAnonymous } from '../mem/anonymous.js';
import type { Mapping } from '../mem/mapping.js';
import { Pages } from '../mem/pages.js';
import { blockDeviceSize } from './block-device.js';
import { type MapFileOptions, placeFile } from './map-file.js';
import { type FileLike, locateFile } from './open-file.js';
import { check, systemError } from '../internal/syscall.js';

const { errno } = constants;

/** What {@link Reservation.place} maps: a file with the options of `mapFile`, or anonymous memory with those of `mapAnonymous`. */
export type PlaceOptions = (AnonymousOptions & { readonly file?: undefined }) | (MapFileOptions & { readonly file: FileLike });

interface Placed {
  readonly mapping: Mapping;
  readonly offset: number;
  /** Bytes, whole pages. */
  readonly length: number;
}

let newReservation: (handle: Handle, length: number) => Reservation;

/**
 * A range of addresses where nothing else will be mapped: mmap(2) with PROT_NONE. It uses no
 * memory. {@link reserve} makes it.
 */
export class Reservation implements Disposable {
  static {
    newReservation = (handle, length) => new Reservation(OURS, handle, length);
  }
  readonly #pages: Pages;
  #placed: Placed[] = [];

  private constructor(key: typeof OURS, handle: Handle, length: number) {
    validateOurs(key, 'reserve()');
    this.#pages = new Pages({ handle, byteOffset: 0, length, kind: 'array', movable: false });
  }

  /** The first address. */
  get address(): bigint {
    return this.#pages.address;
  }
  /** The length in bytes, whole pages. */
  get length(): number {
    return this.#pages.length;
  }
  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#pages.closed;
  }

  /**
   * Maps a file or anonymous memory at `offset`, bytes from the start of the reservation and a multiple of
   * the page size: `space.place(0, { file: 'data.bin' })`. A file is mapped to its end unless `length` is
   * given. The mapping must fit, and not overlap an open one.
   *
   * @throws {SystemError} EEXIST if an open mapping lies there; as `mapFile()` and `mapAnonymous()`
   * @throws {RangeError} ERR_OUT_OF_RANGE
   * @throws {StateError} ERR_MEMMAP_CLOSED
   * @throws {UnsupportedError} ERR_MEMMAP_NO_EXTERNAL_BUFFER in an engine like Electron's
   */
  place(offset: number, what: PlaceOptions): Mapping {
    this.#pages.open();
    const { pageSize } = binding;
    validateInteger(offset, 'offset', 0, this.length);
    validateMultiple(offset, 'offset', pageSize);
    if (typeof what !== 'object' || what === null || Array.isArray(what)) throw invalidType('what', 'of type object', what);
    const { file, ...options } = what;
    if (file === undefined && options.length === undefined) {
      throw invalidValue('what', "must name a file, or the length of memory: { file: 'data.bin' } or { length: 4096 }", what);
    }
    const unit = (options.hugePages !== undefined && HUGE_PAGES[options.hugePages]?.size) || pageSize;
    // A part of a file that starts inside a page takes all of that page.
    const skipped = file === undefined ? 0 : ((options as MapFileOptions).offset ?? 0);
    validateInteger(skipped, 'what.offset');
    const asked = options.length ?? lengthOf(file as FileLike, skipped, (options as MapFileOptions).size);
    validateInteger(asked, 'what.length', 1);
    const lead = skipped % pageSize;
    const length = Math.ceil((lead + asked) / unit) * unit;
    if (length > this.length - offset) {
      const left = this.length - offset - lead;
      throw outOfRange('what.length', `<= ${left}, what is left after offset ${offset}`, asked);
    }
    this.#placed = this.#placed.filter(({ mapping }) => !mapping.closed);
    for (const other of this.#placed) {
      if (other.offset >= offset + length || offset >= other.offset + other.length) continue;
      throw systemError(-errno.EEXIST, 'mmap', {
        remedy: () => `An open mapping of ${other.length} bytes lies at offset ${other.offset} of the reservation: close it first`,
      });
    }
    const address = this.address + BigInt(offset);
    const mapping =
      file === undefined
        ? placeAnonymous(options as AnonymousOptions, address)
        : placeFile(file, { ...options, length: asked } as MapFileOptions, address);
    this.#placed.push({ mapping, offset, length });
    return mapping;
  }

  /** Closes every mapping placed here, then releases the addresses. Idempotent. */
  close(): void {
    for (const { mapping } of this.#placed) mapping.close();
    this.#placed = [];
    this.#pages.close();
  }

  /** Closes the reservation at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(Reservation);

/** Undefined if there is no file. */
function sizeAt(path: PathName): number | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isBlockDevice() === true ? blockDeviceSize(path) : stats?.size;
}

/** Bytes from `offset` to the end of the file, once it has grown to `size`. */
function lengthOf(file: FileLike, offset: number, size = 0): number {
  const { path, fd } = locateFile(file);
  const now = fd === undefined ? sizeAt(path) : (blockDeviceSize(fd) ?? fstat(fd).size);
  // If there is no file, open(2) will report it.
  if (now === undefined && size === 0) return 1;
  const has = Math.max(size, now ?? 0);
  if (offset >= has) throw outOfRange('what.offset', `< ${has}, the size of the file '${shownPath(path)}'`, offset);
  return has - offset;
}

/**
 * Reserves addresses without memory, to place mappings at addresses of your choice that no other code
 * uses.
 *
 * ```js
 * using space = reserve(2 ** 40);
 * const first = space.place(0, { length: 2 ** 21 });
 * ```
 *
 * @param length bytes, at least 1, rounded up to whole pages
 * @throws {SystemError} ENOMEM if no range of addresses is long enough
 */
export function reserve(length: number): Reservation {
  validateInteger(length, 'length', 1);
  const { pageSize } = binding;
  const whole = Math.ceil(length / pageSize) * pageSize;
  const handle = check(binding.reserve(whole), 'mmap', { remedy: mapRemedy(0) });
  return newReservation(handle, whole);
}

showAs(Reservation.prototype, { length: ({ length }) => length, closed: ({ closed }) => closed });
