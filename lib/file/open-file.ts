// Opening a file and mapping its pages, in one native call.
import { isErrorNamed, isUint8Array, isUrl } from '../internal/realms/kinds.js';
import { readlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { SystemError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { CallFacts } from '../internal/call-facts.js';
import { BUFFER_LIMIT } from '../internal/buffer.js';
import { retryAfterGc } from '../internal/gc.js';
import { type PathName, absolutePath, pathName, shownPath, validateFileName } from '../internal/path.js';
import { invalidType, invalidValue, outOfRange, validateFd } from '../internal/validate.js';
import { blockDeviceSize } from './block-device.js';
import { type DaxDevice, daxDevice } from './dax-device.js';
import { fileRemedy } from './file-remedy.js';
import { systemError } from '../internal/syscall.js';

const { errno } = constants;
const { MAP } = binding;

/**
 * A file: its path, also as the bytes of a name that is not UTF-8; its `file:` URL, descriptor or FileHandle. The
 * caller still owns the descriptor, and closes it, at any time: a mapping keeps a duplicate.
 */
export type FileLike = string | Uint8Array | URL | number | FileHandle;

/** All that is needed to map the same part of the same file again. */
export interface FileSource {
  readonly path: PathName;
  /** A descriptor to map: the caller's, or a duplicate that a mapping keeps. */
  readonly fd: number | undefined;
  readonly openFlags: number;
  readonly prot: number;
  readonly flags: number;
  /** Whether writes make private copies: access 'copy-on-write'. */
  readonly copies: boolean;
  /** Bytes into the file. */
  readonly offset: number;
  /** Bytes asked for; undefined: to the end of the file. */
  readonly length: number | undefined;
}

/** The parts of a new mapping of a file. */
export interface FilePages {
  /** For messages. */
  readonly path: string;
  readonly handle: number;
  readonly byteOffset: number;
  readonly length: number;
  readonly movable: boolean;
  /** A regular file, or a block device: unlike others, it can be opened again without an effect on a driver. */
  readonly regular: boolean;
  readonly filesystem: string;
  readonly device: number;
  readonly inode: number;
  /** When the inode last changed, st_ctime, as of before the file was opened for mapping. */
  readonly changed: { readonly seconds: number; readonly nanoseconds: number };
}

/** Errors of drivers that refuse a private mapping; perf events and BPF maps give EINVAL. */
const REFUSALS = new Set(['EINVAL', 'ENODEV']);

const FILESYSTEM_NAME = new Map(Object.entries(binding.FILESYSTEM).map(([name, magic]) => [magic, name]));

/** For EMFILE. */
export const descriptorRemedy =
  'A mapping made of a descriptor keeps a duplicate of it until close(): close mappings or descriptors, or raise ulimit -n. Nothing was mapped';

const facts = new CallFacts(binding.FACTS.file);

/** The path to open, or the descriptor and the path by which it was opened. */
export function locateFile(file: FileLike): Pick<FileSource, 'path' | 'fd'> {
  if (isUrl(file) || typeof file === 'string' || isUint8Array(file)) {
    const name = isUrl(file) ? nameOf(file) : file;
    validateFileName(name, 'file');
    return { path: absolutePath(typeof name === 'string' ? name : pathName(name)), fd: undefined };
  }
  let fd: unknown = file;
  if (typeof file === 'object' && file !== null && 'fd' in file) {
    ({ fd } = file);
    // A closed FileHandle has no descriptor left.
    if (fd === -1) throw systemError(-errno.EBADF, 'fstat');
  }
  if (typeof fd !== 'number') throw invalidType('file', 'a path, a file: URL, a descriptor or a FileHandle', file);
  validateFd(fd, 'file');
  try {
    return { path: pathName(readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })), fd };
  } catch (error) {
    // The permission model hides the path, but a descriptor needs none.
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') return { path: `fd:${fd}`, fd };
    throw systemError(-errno.EBADF, 'fstat');
  }
}

/** The path of a `file:` URL, whose escapes may be any bytes. */
function nameOf(url: URL): PathName {
  try {
    return fileURLToPath(url);
  } catch (error) {
    if (!isErrorNamed(error, 'URIError')) throw error;
    // Checks everything else about the URL.
    const valid = new URL(url.href);
    valid.pathname = url.pathname.replace(/%[89a-f][0-9a-f]/gi, '');
    fileURLToPath(valid);
    const bytes = url.pathname.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return pathName(Buffer.from(bytes, 'latin1'));
  }
}

/** Opens, measures, grows and maps a file. */
export function openFile(source: FileSource, growTo = -1, at = 0n): FilePages {
  const { path, fd, openFlags, prot, flags, offset, length = -1 } = source;
  // A file that was given by a descriptor, or that must be mapped in pieces.
  const keepAbove = fd === undefined ? Math.min(BUFFER_LIMIT, Number.MAX_SAFE_INTEGER) : 0;
  const file = fd ?? path;
  const handle = retryAfterGc(() =>
    binding.mapFile(file, openFlags, offset, length, growTo, prot, flags, at, keepAbove, facts.numbers),
  );
  const [mapped, filesystem, mode] = [facts.get('length'), facts.get('filesystem'), facts.get('mode')];
  const found = {
    path: shownPath(path),
    device: facts.get('device'),
    inode: facts.get('inode'),
    changed: { seconds: facts.get('changedSeconds'), nanoseconds: facts.get('changedNanoseconds') },
    filesystem: FILESYSTEM_NAME.get(filesystem) ?? `0x${filesystem.toString(16)}`,
    byteOffset: offset % binding.pageSize,
    // Huge pages cannot be moved, and drivers such as devdax have requirements on addresses.
    movable: (flags & MAP.FIXED) === 0 && isStored(mode) && filesystem !== binding.FILESYSTEM['hugetlbfs'],
    regular: isStored(mode),
  };
  const device = isBlockDevice(mode) ? blockDeviceSize(file) : undefined;
  if (handle < 0 && device !== undefined && (growTo > 0 || facts.get('step') === binding.STEP_RANGE)) {
    if (growTo > device) throw outOfRange('options.size', `<= ${device}, the size of the device '${shownPath(path)}', which cannot grow`, growTo);
    if (offset > device) throw pastTheEnd(source, device, mode);
    if (offset === device && length === -1) return { ...found, handle: 0, length: 0 };
    return openFile({ ...source, length: length === -1 ? device - offset : length }, -1, at);
  }
  const dax = isCharacterDevice(mode) ? daxDevice(file) : undefined;
  const step = (handle < 0 && binding.STEPS.mapFile[facts.get('step')]) || 'mmap';
  const ofFile = fileRemedy(step, source, found.filesystem);
  const remedy = (code: string) =>
    (dax === undefined ? undefined : wholePages(code, dax)) ??
    (fd === undefined ? undefined : withoutDescriptor(code, step)) ??
    ofFile(code);
  if (handle >= 0) {
    // Linux checks only the addresses, and those that it chose itself may be aligned.
    if (dax !== undefined && (offset % dax.align !== 0 || mapped % dax.align !== 0)) {
      binding.close(handle);
      throw systemError(-errno.EINVAL, 'mmap', { path, remedy });
    }
    // The kernel lets a mapping reach past the end of the device, and accesses there then fault.
    const end = dax?.size ?? device;
    if (end !== undefined && length > end - offset) {
      binding.close(handle);
      throw pastTheEnd(source, end, mode);
    }
    return { ...found, handle, length: mapped };
  }
  if (handle === -errno.ENODATA && mapped === 0) return { ...found, handle: 0, length: 0 };
  if (facts.get('step') === binding.STEP_RANGE) throw pastTheEnd(source, Math.max(facts.get('size'), growTo), mode);
  throw systemError(handle, step, { path, remedy });
}

/**
 * As {@link openFile}; if a device refuses a private mapping, makes a shared one, and returns a
 * source that says so. Never for copy-on-write.
 */
export function openAny(source: FileSource, growTo?: number, at?: bigint): { source: FileSource; pages: FilePages } {
  try {
    return { source, pages: openFile(source, growTo, at) };
  } catch (error) {
    const refused = error instanceof SystemError && error.syscall === 'mmap' && REFUSALS.has(error.code);
    if (!refused || source.copies || (source.flags & MAP.PRIVATE) === 0 || isRegular(facts.get('mode'))) throw error;
    const shared = { ...source, flags: (source.flags & ~(MAP.PRIVATE | MAP.NORESERVE)) | MAP.SHARED };
    return { source: shared, pages: openFile(shared, growTo, at) };
  }
}

function isRegular(mode: number): boolean {
  return (mode & 0o170000) === 0o100000;
}

function isBlockDevice(mode: number): boolean {
  return (mode & 0o170000) === 0o060000;
}

/** Whether its bytes are stored somewhere, and are not made by a driver. */
function isStored(mode: number): boolean {
  return isRegular(mode) || isBlockDevice(mode);
}

function isCharacterDevice(mode: number): boolean {
  return (mode & 0o170000) === 0o020000;
}

function wholePages(code: string, { align }: DaxDevice): string | undefined {
  return code === 'EINVAL' ? `options.offset and options.length must be multiples of ${align}, the page size of the device` : undefined;
}

/** Why a file that is given by a descriptor could not be duplicated, or opened again on overlayfs. */
function withoutDescriptor(code: string, call: string): string | undefined {
  if (code === 'EMFILE' || code === 'ENFILE') return descriptorRemedy;
  if (call !== 'open') return undefined;
  return 'On overlayfs a descriptor is opened again, through /proc/self/fd, since it may show an older layer. Map a descriptor that was opened for reading and writing, which is always of the upper one';
}

function pastTheEnd({ path, offset, length = -1 }: FileSource, size: number, mode: number): Error {
  if (!isStored(mode) && length === -1) return invalidValue('options.length', `must be given to map the device '${shownPath(path)}', which has no length`, undefined);
  const where = `${size} bytes in '${shownPath(path)}'`;
  const wayOut = isRegular(mode) ? `(${where}; grow it with options.size)` : `(${where})`;
  if (offset > size) return outOfRange('options.offset', `<= ${size}, the size of the file ${wayOut}`, offset);
  return outOfRange('options.length', `<= ${size - offset}, the bytes of the file after offset ${offset} ${wayOut}`, length);
}
