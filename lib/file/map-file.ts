// From a file to a FileMapping.
import { binding } from '../internal/binding.js';
import { refuseExternal } from '../internal/buffer.js';
import { demandAccess } from '../internal/path.js';
import { invalidValue, validateBoolean, validateInteger, validateOptions, validateEnum } from '../internal/validate.js';
import { type MapOptions, finish, mapFlags, validateMapOptions } from '../mem/anonymous.js';
import { type FileAccess, type FileMapping, newFileMapping } from './file-mapping.js';
import { type FileLike, locateFile, openAny } from './open-file.js';

const { MAP, PROT, O } = binding;

const ACCESS: Readonly<Record<FileAccess, { open: number; prot: number; flags: number }>> = {
  read: { open: O.RDONLY, prot: PROT.READ, flags: MAP.SHARED },
  'read-write': { open: O.RDWR, prot: PROT.READ | PROT.WRITE, flags: MAP.SHARED },
  'copy-on-write': { open: O.RDONLY, prot: PROT.READ | PROT.WRITE, flags: MAP.PRIVATE },
};

/** Options of {@link mapFile}. */
export interface MapFileOptions extends MapOptions {
  /**
   * `'read-write'`: writes reach the file and all processes that map it. `'copy-on-write'`: writes
   * stay in this mapping. @default 'read'
   */
  readonly access?: FileAccess | undefined;
  /** Where the mapping starts: bytes into the file, any alignment. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes, within the file. @default to the end of the file, or of a block device */
  readonly length?: number | undefined;
  /** Create the file if it is missing; needs `access: 'read-write'`. @default false */
  readonly create?: boolean | undefined;
  /**
   * Grow the file to at least this many bytes and allocate its blocks: a full disk throws
   * ENOSPC here. Never shrinks it. Needs `access: 'read-write'`.
   */
  readonly size?: number | undefined;
  /** `'transparent'`: let the kernel use huge pages where it can. Files on hugetlbfs always have them. */
  readonly hugePages?: 'transparent' | undefined;
  /** Require that `persist()` can make stores durable without a system call: MAP_SYNC, on DAX file systems. @default false */
  readonly sync?: boolean | undefined;
}

const KNOWN = [
  'access', 'offset', 'length', 'create', 'size', 'buffer', 'populate', 'lock', 'advice', 'hugePages',
  'sync', 'noReserve', 'allowWriteExec',
] as const;

const TRANSPARENT = { transparent: true };

/**
 * Maps a file or a part of it into memory, without reading or copying: mmap(2). Takes microseconds
 * whatever the size. Synchronous. The mapping lives until `close()`. Of a descriptor or FileHandle it keeps a
 * duplicate (F_DUPFD_CLOEXEC) until then, and follows that file; of a path it keeps no descriptor, and follows
 * the path. On overlayfs a descriptor opened for reading is opened again, through /proc/self/fd: it may be of
 * the time before the file was copied to the upper layer.
 *
 * ```js
 * using file = mapFile('data.bin');
 * const first = file.view(Float64Array)[0];
 * ```
 *
 * @throws {SystemError} as open(2) and mmap(2): ENOENT, EACCES, EISDIR, ENODEV for files that cannot be
 * mapped (/proc, pipes), ENOSPC while growing, ENOMEM at vm.max_map_count, ENOTSUP for `sync`, EMFILE
 * @throws {RangeError} ERR_OUT_OF_RANGE if the part lies past the end of the file
 * @throws {UnsupportedError} ERR_MEMMAP_NO_EXTERNAL_BUFFER for `buffer: 'array'` in an engine like Electron's
 */
export function mapFile(file: FileLike, options: MapFileOptions & { readonly buffer: 'array' }): FileMapping<ArrayBuffer>;
/** Maps a file or a part of it into memory; `buffer` is a SharedArrayBuffer. */
export function mapFile(file: FileLike, options?: MapFileOptions & { readonly buffer?: 'shared' | undefined }): FileMapping<SharedArrayBuffer>;
/** Maps a file or a part of it into memory; the kind of `buffer` depends on `options.buffer`. */
export function mapFile(file: FileLike, options?: MapFileOptions): FileMapping;
export function mapFile(file: FileLike, options: MapFileOptions = {}): FileMapping {
  return placeFile(file, options, undefined);
}

/** `at`: an address inside a reservation, which the caller has checked. */
export function placeFile(file: FileLike, options: MapFileOptions, at: bigint | undefined): FileMapping {
  validateOptions<MapFileOptions>(options, KNOWN);
  const { access = 'read', offset = 0, length, create = false, size, hugePages, sync = false } = options;
  validateEnum(access, 'options.access', ACCESS);
  validateInteger(offset, 'options.offset');
  if (length !== undefined) validateInteger(length, 'options.length');
  validateBoolean(create, 'options.create');
  if (size !== undefined) validateInteger(size, 'options.size');
  if (hugePages !== undefined) validateEnum(hugePages, 'options.hugePages', TRANSPARENT);
  validateBoolean(sync, 'options.sync');
  validateMapOptions(options);
  if (access !== 'read-write' && (create || size !== undefined)) {
    throw invalidValue('options.access', "must be 'read-write' to create or grow the file", access);
  }
  if (sync && access === 'copy-on-write') {
    throw invalidValue('options.sync', "cannot be combined with access: 'copy-on-write'", sync);
  }

  // A file with huge pages, or a device, is refused only when its buffer is made.
  refuseExternal(options.buffer, at === undefined);

  const how = ACCESS[access];
  let flags = how.flags | mapFlags(options);
  // Private pages are those of the file until something writes to them. Nothing should; but a write then
  // makes a copy instead of ending the process.
  if (access === 'read' && !sync && binding.guardEnabled()) flags = (flags & ~MAP.SHARED) | MAP.PRIVATE | MAP.NORESERVE;
  if (sync) flags |= MAP.SHARED_VALIDATE | MAP.SYNC;
  if (at !== undefined) flags |= MAP.FIXED;
  const located = locateFile(file);
  if (located.fd === undefined) demandAccess(located.path, 'fs.read', ...(access === 'read-write' ? ['fs.write' as const] : []));
  const wanted = {
    ...located,
    openFlags: how.open | (create ? O.CREAT : 0),
    prot: how.prot,
    flags,
    copies: access === 'copy-on-write',
    offset,
    length,
  };
  const { source, pages } = openAny(wanted, size, at);
  return finish(newFileMapping(pages, access, source, options.buffer), options);
}
