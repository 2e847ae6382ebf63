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
} from '../internal/enums.js';
import { refuseExternal } from '../internal/buffer.js';
import { retryAfterGc } from '../internal/gc.js';
import { mapRemedy } from '../internal/remedy.js';
import {
  OURS,
  invalidValue,
  refuseWriteExec,
  validateAddress,
  validateBoolean,
  validateInteger,
  validateOptions,
  validateEnum,
} from '../internal/validate.js';
import { ANONYMOUS, MappedMemory } from './mapped-memory.js';
import { Mapping } from './mapping.js';
import type { PagesOptions } from './pages.js';
import { check } from '../internal/syscall.js';

const { MAP, MFD } = binding;

/** How {@link AnonymousOptions.address} is meant: {@link AnonymousOptions.placement}. */
export type Placement = 'hint' | 'fixed-noreplace' | 'fixed';
const PLACEMENT: Readonly<Record<Placement, number>> = {
  hint: 0,
  'fixed-noreplace': MAP.FIXED_NOREPLACE,
  fixed: MAP.FIXED,
};
/** Whether other processes can map the memory: {@link AnonymousOptions.sharing}. */
export type Sharing = 'private' | 'shared';
const SHARING: Readonly<Record<Sharing, true>> = { private: true, shared: true };
const LOCK = { 'on-fault': true };

/** Options that {@link mapFile} and {@link mapAnonymous} share. */
export interface MapOptions {
  /**
   * The type of `buffer`. `'shared'`: a SharedArrayBuffer. `'array'`: an ArrayBuffer, which
   * `close()` detaches, for the few APIs that refuse shared memory. Byte streams and `transfer()`
   * can take its memory; then `buffer` and views throw ERR_MEMMAP_DETACHED.
   * @default 'shared'; 'array' for memory that this runtime cannot put a SharedArrayBuffer over
   */
  readonly buffer?: BufferKind | undefined;
  /** Read all pages into memory now: MAP_POPULATE. @default false */
  readonly populate?: boolean | undefined;
  /** Lock all pages in memory: now (`true`), or each when it is first touched (`'on-fault'`). mlock2(2). @default false */
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
   * `'shared'`: other processes can map the same memory, a memfd whose descriptor is
   * `mapping.fd`. @default 'private'
   */
  readonly sharing?: Sharing | undefined;
  /** What code may do with the memory. @default 'read-write' */
  readonly access?: Protection | undefined;
  /** Huge pages of a pool (`'2MB'`, `'1GB'`), or where the kernel can use them (`'transparent'`). @default none */
  readonly hugePages?: HugePages | undefined;
  /** Where to map; see `placement`. @default anywhere */
  readonly address?: bigint | undefined;
  /**
   * `'hint'`: near `address`. `'fixed-noreplace'`: there, or EEXIST. `'fixed'`: there,
   * replacing what memmap has mapped there; EEXIST over anything else. @default 'hint'
   */
  readonly placement?: Placement | undefined;
  /** The kernel may drop pages under memory pressure; they then read as zeros. Linux 6.11. @default false */
  readonly droppable?: boolean | undefined;
  /** The mapping grows downwards on access below its start, like a stack: MAP_GROWSDOWN. @default false */
  readonly growsDown?: boolean | undefined;
}

const KNOWN = [
  'length', 'sharing', 'access', 'buffer', 'populate', 'lock', 'advice', 'noReserve', 'allowWriteExec',
  'hugePages', 'address', 'placement', 'droppable', 'growsDown',
] as const;


/** Checks the options that `mapFile` and `mapAnonymous` share. */
export function validateMapOptions(options: MapOptions): void {
  const { buffer, populate, lock, advice, noReserve, allowWriteExec } = options;
  if (buffer !== undefined) validateEnum(buffer, 'options.buffer', BUFFER_KIND);
  if (populate !== undefined) validateBoolean(populate, 'options.populate');
  if (lock !== undefined && typeof lock !== 'boolean') validateEnum(lock, 'options.lock', LOCK);
  if (advice !== undefined) validateEnum(advice, 'options.advice', HINT);
  if (noReserve !== undefined) validateBoolean(noReserve, 'options.noReserve');
  if (allowWriteExec !== undefined) validateBoolean(allowWriteExec, 'options.allowWriteExec');
}

/** Their flags of mmap(2). */
export function mapFlags(options: MapOptions): number {
  return (options.populate === true ? MAP.POPULATE : 0) | (options.noReserve === true ? MAP.NORESERVE : 0);
}

/** Applies options that mmap(2) has no flag for to a new mapping; closes it if that fails. */
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

/** A mapping of memory without a file. {@link mapAnonymous} and `Reservation.place()` make it. */
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

/** Memory that every runtime can move onto a SharedArrayBuffer. */
interface Movable {
  readonly buffer?: undefined;
  readonly address?: undefined;
  readonly hugePages?: 'transparent' | undefined;
  readonly growsDown?: false | undefined;
}

/**
 * Maps zeroed memory without a file: mmap(2). It lives until `close()`.
 *
 * ```js
 * using memory = mapAnonymous({ length: 1 << 20, sharing: 'shared' });
 * memory.view(Int32Array)[0] = 42;
 * ```
 *
 * @throws {SystemError} ENOMEM, with the reason: the huge page pool, vm.max_map_count; EEXIST if fixed
 * placement would hit memory that is not memmap's; EPERM, EAGAIN with `lock`
 * @throws {TypeError} ERR_MEMMAP_WRITE_EXEC
 * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED: the kernel is too old for `droppable`;
 * ERR_MEMMAP_NO_EXTERNAL_BUFFER: the engine, like Electron's, has no buffers for this memory
 */
export function mapAnonymous(options: AnonymousOptions & { readonly buffer: 'array' }): AnonymousMapping<ArrayBuffer>;
/** Maps zeroed memory without a file; `buffer` is a SharedArrayBuffer. */
export function mapAnonymous(options: AnonymousOptions & (Shared | Movable)): AnonymousMapping<SharedArrayBuffer>;
/** Maps zeroed memory without a file; the kind of `buffer` depends on the options and the runtime. */
export function mapAnonymous(options: AnonymousOptions): AnonymousMapping;
export function mapAnonymous(options: AnonymousOptions): AnonymousMapping {
  return placeAnonymous(options, undefined);
}

/** `at`: an address inside a reservation, which the caller has checked. */
export function placeAnonymous(options: AnonymousOptions, at: bigint | undefined): AnonymousMapping {
  validateOptions<AnonymousOptions>(options, KNOWN);
  const { length, sharing = 'private', access = 'read-write', hugePages, placement, droppable, growsDown } = options;
  validateInteger(length, 'options.length', 1);
  validateEnum(sharing, 'options.sharing', SHARING);
  validateEnum(access, 'options.access', PROTECTION);
  if (hugePages !== undefined) validateEnum(hugePages, 'options.hugePages', HUGE_PAGES);
  if (droppable !== undefined) validateBoolean(droppable, 'options.droppable');
  if (growsDown !== undefined) validateBoolean(growsDown, 'options.growsDown');
  if (placement !== undefined) validateEnum(placement, 'options.placement', PLACEMENT);
  validateMapOptions(options);
  refuseWriteExec(access === 'read-write-execute', options.allowWriteExec);
  if (sharing === 'shared' && (droppable === true || growsDown === true)) {
    throw invalidValue('options.sharing', "cannot be 'shared' for droppable or downward-growing memory", sharing);
  }
  if (at !== undefined && (options.address !== undefined || placement !== undefined)) {
    throw invalidValue('options.address', 'must be left out: the reservation determines the address', options.address);
  }
  let address = at ?? 0n;
  if (options.address !== undefined) address = validateAddress(options.address, 'options.address');
  else if (placement !== undefined) {
    throw invalidValue('options.placement', 'requires options.address', placement);
  }

  const huge = hugePages === undefined ? undefined : HUGE_PAGES[hugePages];
  const prot = PROTECTION[access];
  let flags = mapFlags(options);
  flags |= at === undefined ? PLACEMENT[placement ?? 'hint'] : MAP.FIXED;
  if (growsDown === true) flags |= MAP.GROWSDOWN;

  const movable = address === 0n && huge?.size === undefined && growsDown !== true;
  refuseExternal(options.buffer, movable);
  let handle: Handle;
  if (sharing === 'shared') {
    const step = new Float64Array(1);
    const memfdFlags = MFD.CLOEXEC | (huge?.memfd ?? 0);
    handle = retryAfterGc(() => binding.mapMemfd('memmap', memfdFlags, length, prot, flags | MAP.SHARED, address, step));
    check(handle, binding.STEPS.mapMemfd[step[0] ?? 0] ?? 'mmap', { remedy: mapRemedy(flags, huge?.size) });
  } else {
    flags |= MAP.ANONYMOUS | (huge?.map ?? 0) | (droppable === true ? MAP.DROPPABLE : MAP.PRIVATE);
    handle = check(retryAfterGc(() => binding.map(address, length, prot, flags, -1, 0)), 'mmap', {
      remedy: mapRemedy(flags, huge?.size),
      ...(droppable === true && { feature: 'droppable' }),
    });
  }
  const mapping = newAnonymousMapping(
    { handle, byteOffset: 0, length, kind: options.buffer, movable, ...(huge?.size && { pageSize: huge.size }) },
    access,
  );
  return finish(mapping, options);
}
