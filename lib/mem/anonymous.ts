// Memory without a file.
import { type Handle, binding } from '../internal/binding.js';
import {
  BUFFER_KIND,
  type BufferKind,
  HINT,
  HUGE_PAGES,
  type Hint,
  type HugePages,
  PROTECTION,
  type Protection,
} from '../internal/literals.js';
import { refuseExternal } from '../internal/buffer.js';
import { withRoom } from '../internal/reclaim.js';
import { mapRemedy } from '../internal/remedy.js';
import {
  OURS,
  invalidValue,
  refuseWriteExec,
  validateAddress,
  validateBoolean,
  validateInteger,
  validateOptions,
  validateWord,
} from '../internal/validate.js';
import { ANONYMOUS, MappedMemory } from './mapped-memory.js';
import { Mapping } from './mapping.js';
import type { PagesOptions } from './pages.js';
import { check } from '../internal/syscall.js';

const { MAP, MFD } = binding;

export type Placement = 'hint' | 'fixed-noreplace' | 'fixed';
const PLACEMENT: Readonly<Record<Placement, number>> = {
  hint: 0,
  'fixed-noreplace': MAP.FIXED_NOREPLACE,
  fixed: MAP.FIXED,
};
export type Sharing = 'private' | 'shared';
const SHARING: Readonly<Record<Sharing, true>> = { private: true, shared: true };
const LOCK = { 'on-fault': true };

/** What files and anonymous memory have in common. */
export interface MapOptions {
  /**
   * The type of `buffer`. `'shared'`: a SharedArrayBuffer. `'array'`: an ArrayBuffer, which
   * `close()` detaches, for the few APIs that refuse shared memory. Byte streams and `transfer()`
   * can take its memory: ERR_MEMMAP_DETACHED.
   * @default 'shared'; 'array' for memory that this runtime cannot put a SharedArrayBuffer over
   */
  readonly buffer?: BufferKind | undefined;
  /** Bring all pages in now: MAP_POPULATE. @default false */
  readonly populate?: boolean | undefined;
  /** Keep all pages in memory: now (`true`), or once touched. mlock2(2). @default false */
  readonly lock?: boolean | 'on-fault' | undefined;
  /** A hint for the whole mapping. @default 'normal' */
  readonly advice?: Hint | undefined;
  /** Do not reserve swap for the pages: MAP_NORESERVE. @default false */
  readonly noReserve?: boolean | undefined;
  /** Permit `'read-write-execute'`. @default false */
  readonly allowWriteExec?: boolean | undefined;
}

/** Options of {@link mapAnonymous}. */
export interface AnonymousOptions extends MapOptions {
  /** Bytes, at least 1. Need not be a multiple of the page size. */
  readonly length: number;
  /**
   * `'shared'`: one memory for all processes that get it, behind a memfd that
   * `mapping.fd` gives. @default 'private'
   */
  readonly sharing?: Sharing | undefined;
  /** @default 'read-write' */
  readonly access?: Protection | undefined;
  /** Huge pages of a pool (`'2MB'`, `'1GB'`), or as the kernel finds them. @default none */
  readonly hugePages?: HugePages | undefined;
  /** Where to map, with `placement`. */
  readonly address?: bigint | undefined;
  /**
   * `'hint'`: near `address`. `'fixed-noreplace'`: there, or EEXIST. `'fixed'`: there,
   * replacing what memmap has mapped there; EEXIST over anything else. @default 'hint'
   */
  readonly placement?: Placement | undefined;
  /** The kernel may drop pages under memory pressure: they read zeros then. Linux 6.11. */
  readonly droppable?: boolean | undefined;
  /** Grows downwards on access below its start, as a stack does: MAP_GROWSDOWN. */
  readonly growsDown?: boolean | undefined;
}

const KNOWN = [
  'length', 'sharing', 'access', 'buffer', 'populate', 'lock', 'advice', 'noReserve', 'allowWriteExec',
  'hugePages', 'address', 'placement', 'droppable', 'growsDown',
] as const;


/** Checks what `mapFile` and `mapAnonymous` have in common. */
export function validateMapOptions(options: MapOptions): void {
  const { buffer, populate, lock, advice, noReserve, allowWriteExec } = options;
  if (buffer !== undefined) validateWord(buffer, 'options.buffer', BUFFER_KIND);
  if (populate !== undefined) validateBoolean(populate, 'options.populate');
  if (lock !== undefined && typeof lock !== 'boolean') validateWord(lock, 'options.lock', LOCK);
  if (advice !== undefined) validateWord(advice, 'options.advice', HINT);
  if (noReserve !== undefined) validateBoolean(noReserve, 'options.noReserve');
  if (allowWriteExec !== undefined) validateBoolean(allowWriteExec, 'options.allowWriteExec');
}

/** The flags of mmap(2) for them. */
export function mapFlags(options: MapOptions): number {
  return (options.populate === true ? MAP.POPULATE : 0) | (options.noReserve === true ? MAP.NORESERVE : 0);
}

/** Does to a fresh mapping what mmap(2) has no flag for; closes it if that fails. */
export function finish<M extends Mapping>(mapping: M, options: MapOptions & { readonly hugePages?: string | undefined }): M {
  try {
    if (options.hugePages === 'transparent') mapping.advise('hugepage');
    if (options.advice !== undefined) mapping.advise(options.advice);
    if (options.lock === true) mapping.lock();
    if (options.lock === 'on-fault') mapping.lock({ onFault: true });
    return mapping;
  } catch (error) {
    mapping.close();
    throw error;
  }
}

let newAnonymousMapping: (pages: PagesOptions, access: Protection) => AnonymousMapping;

/** The memory behind a mapping with `sharing: 'shared'`. */
export class AnonymousMapping<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> extends Mapping<TArrayBuffer> {
  static {
    newAnonymousMapping = (pages, access) => new AnonymousMapping(OURS, new MappedMemory(pages, access, ANONYMOUS));
  }
  readonly #memory: MappedMemory;

  private constructor(key: typeof OURS, memory: MappedMemory) {
    super(key, memory);
    this.#memory = memory;
  }

  /**
   * The descriptor behind shared memory, for a child process to inherit: `stdio: [..., mapping.fd]`.
   * Undefined for private memory. The mapping closes it.
   */
  get fd(): number | undefined {
    const { descriptor } = this.#memory.pages;
    return descriptor >= 0 ? descriptor : undefined;
  }
}

interface Shared {
  readonly buffer: 'shared';
}

/** Memory that every runtime can move to where a SharedArrayBuffer is. */
interface Movable {
  readonly buffer?: undefined;
  readonly address?: undefined;
  readonly hugePages?: 'transparent' | undefined;
  readonly growsDown?: false | undefined;
}

/**
 * Maps zeroed memory that no file stands behind: mmap(2).
 *
 * ```js
 * using memory = mapAnonymous({ length: 1 << 20, sharing: 'shared' });
 * memory.view(Int32Array)[0] = 42;
 * ```
 *
 * @throws {SystemError} ENOMEM, with what to do: the huge page pool, vm.max_map_count
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for `droppable`;
 * ERR_MEMMAP_NO_EXTERNAL_BUFFER: the engine, as Electron's, has no buffers for this
 * @throws {SystemError} EEXIST if fixed placement would hit memory that is not memmap's
 */
export function mapAnonymous(options: AnonymousOptions & { readonly buffer: 'array' }): AnonymousMapping<ArrayBuffer>;
export function mapAnonymous(options: AnonymousOptions & (Shared | Movable)): AnonymousMapping<SharedArrayBuffer>;
export function mapAnonymous(options: AnonymousOptions): AnonymousMapping;
export function mapAnonymous(options: AnonymousOptions): AnonymousMapping {
  return placeAnonymous(options, undefined);
}

/** `at`: an address inside a reservation, which the caller has checked. */
export function placeAnonymous(options: AnonymousOptions, at: bigint | undefined): AnonymousMapping {
  validateOptions<AnonymousOptions>(options, KNOWN);
  const { length, sharing = 'private', access = 'read-write', hugePages, placement, droppable, growsDown } = options;
  validateInteger(length, 'options.length', 1);
  validateWord(sharing, 'options.sharing', SHARING);
  validateWord(access, 'options.access', PROTECTION);
  if (hugePages !== undefined) validateWord(hugePages, 'options.hugePages', HUGE_PAGES);
  if (droppable !== undefined) validateBoolean(droppable, 'options.droppable');
  if (growsDown !== undefined) validateBoolean(growsDown, 'options.growsDown');
  if (placement !== undefined) validateWord(placement, 'options.placement', PLACEMENT);
  validateMapOptions(options);
  refuseWriteExec(access === 'read-write-execute', options.allowWriteExec);
  if (sharing === 'shared' && (droppable === true || growsDown === true)) {
    throw invalidValue('options.sharing', "cannot be 'shared' for droppable or downward-growing memory", sharing);
  }
  if (at !== undefined && (options.address !== undefined || placement !== undefined)) {
    throw invalidValue('options.address', 'is given by the reservation', options.address);
  }
  let address = at ?? 0n;
  if (options.address !== undefined) address = validateAddress(options.address, 'options.address');
  else if (placement !== undefined) {
    throw invalidValue('options.placement', 'needs an options.address', placement);
  }

  const huge = hugePages === undefined ? undefined : HUGE_PAGES[hugePages];
  const prot = PROTECTION[access];
  let flags = mapFlags(options);
  flags |= at === undefined ? PLACEMENT[placement ?? 'hint'] : MAP.FIXED;
  if (growsDown === true) flags |= MAP.GROWSDOWN;
  const remedy = mapRemedy(flags, huge?.size);

  const movable = address === 0n && huge?.size === undefined && growsDown !== true;
  refuseExternal(options.buffer, movable);
  let handle: Handle;
  if (sharing === 'shared') {
    const step = new Float64Array(1);
    const memfdFlags = MFD.CLOEXEC | (huge?.memfd ?? 0);
    handle = withRoom(() => binding.mapMemfd('memmap', memfdFlags, length, prot, flags | MAP.SHARED, address, step));
    check(handle, binding.STEPS.mapMemfd[step[0] ?? 0] ?? 'mmap', { remedy });
  } else {
    flags |= MAP.ANONYMOUS | (huge?.map ?? 0) | (droppable === true ? MAP.DROPPABLE : MAP.PRIVATE);
    handle = check(withRoom(() => binding.map(address, length, prot, flags, -1, 0)), 'mmap', {
      remedy,
      ...(droppable === true && { feature: 'droppable' }),
    });
  }
  const mapping = newAnonymousMapping(
    { handle, byteOffset: 0, length, kind: options.buffer, movable, ...(huge?.size && { pageSize: huge.size }) },
    access,
  );
  return finish(mapping, options);
}
