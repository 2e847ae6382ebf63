// mmap(2), munmap(2), mremap(2): the calls that create and end buffers.
import { isAnyBuffer, isArrayBuffer, isSharedArrayBuffer } from '../internal/realms/kinds.js';
import { type Handle, binding } from '../internal/binding.js';
import { createBuffer, hasExternalShared, refuseBuffer } from '../internal/buffer.js';
import { retryAfterGc } from '../internal/gc.js';
import { mapRemedy } from '../internal/remedy.js';
import { invalidType, refuseWriteExec, validateBoolean, validateFd, validateInteger, validateOptions } from '../internal/validate.js';
import { type AnyBuffer, type Where, addressOf, locate } from './where.js';
import { check } from '../internal/syscall.js';

const { PROT, MAP, MREMAP } = binding;

/** Flags are 32 bits; the kernel refuses those it does not know. */
const MAX_FLAGS = 2 ** 32 - 1;

/** Options of {@link mmap} that are not arguments of the kernel's call. */
export interface MmapOptions {
  /** Return a SharedArrayBuffer, the only kind that works in Electron. @default false */
  readonly shared?: boolean | undefined;
  /** Permit PROT.WRITE together with PROT.EXEC. @default false */
  readonly allowWriteExec?: boolean | undefined;
}

/** Releases a handle when its buffer is collected, where the engine does not notify the addon. */
const overlays = new FinalizationRegistry<Handle>((handle) => binding.release(handle));

function bufferOf(handle: Handle, length: number, shared: boolean, movable: boolean): AnyBuffer {
  let buffer: AnyBuffer;
  try {
    buffer = createBuffer(handle, length, shared ? 'shared' : 'array', movable);
  } catch (error) {
    binding.close(handle);
    throw error;
  }
  // The buffer's backing store holds the memory from here.
  if (shared && !hasExternalShared) overlays.register(buffer, handle);
  else binding.release(handle);
  return buffer;
}

export function validateProt(prot: number, allowed: boolean | undefined): void {
  const both = PROT.WRITE | PROT.EXEC;
  refuseWriteExec((prot & both) === both, allowed, 'PROT.WRITE together with PROT.EXEC');
}

function validateMmapOptions(options: MmapOptions): void {
  validateOptions<MmapOptions>(options, ['shared', 'allowWriteExec']);
  if (options.shared !== undefined) validateBoolean(options.shared, 'options.shared');
  if (options.allowWriteExec !== undefined) validateBoolean(options.allowWriteExec, 'options.allowWriteExec');
}

/**
 * Maps `length` bytes of the file `fd` at `offset`, or anonymous memory (fd -1), and returns
 * a buffer over them. The memory lives as long as the buffer, or until {@link munmap}.
 *
 * Two things differ from C, for safety: MAP.FIXED replaces only memory of memmap and is
 * EEXIST over anything else, and PROT.WRITE | PROT.EXEC must be permitted.
 *
 * @param addr where to map: 0 or null for anywhere, a hint, or with MAP.FIXED the place
 * @param length bytes, at least 1
 * @param prot flags of PROT: PROT.READ | PROT.WRITE ...
 * @param flags flags of MAP: MAP.SHARED or MAP.PRIVATE, and others
 * @param offset bytes into the file, a multiple of PAGE_SIZE
 * @returns a SharedArrayBuffer with `shared: true`, otherwise an ArrayBuffer
 * @throws {SystemError} EACCES, EBADF, EEXIST, EINVAL, ENODEV, ENOMEM
 * @throws {TypeError} ERR_MEMMAP_WRITE_EXEC
 * @throws {UnsupportedError} ERR_MEMMAP_NO_EXTERNAL_BUFFER without `shared`, if the engine forbids it;
 * ERR_MEMMAP_NO_SHARED_BUFFER, ERR_MEMMAP_BUFFER_TOO_LARGE
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html
 */
export function mmap(
  addr: Where | null,
  length: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
  options: MmapOptions & { readonly shared: true },
): SharedArrayBuffer;
/** Maps `length` bytes of the file `fd` at `offset`, or anonymous memory (fd -1), and returns an ArrayBuffer over them. */
export function mmap(
  addr: Where | null,
  length: number,
  prot: number,
  flags: number,
  fd?: number,
  offset?: number,
  options?: MmapOptions & { readonly shared?: false },
): ArrayBuffer;
export function mmap(
  addr: Where | null,
  length: number,
  prot: number,
  flags: number,
  fd = -1,
  offset = 0,
  options: MmapOptions = {},
): AnyBuffer {
  const address = addressOf(addr);
  validateInteger(length, 'length');
  validateInteger(prot, 'prot', 0, MAX_FLAGS);
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  validateFd(fd, 'fd', -1);
  validateInteger(offset, 'offset');
  validateMmapOptions(options);
  validateProt(prot, options.allowWriteExec);
  const shared = options.shared === true;
  const rooted = MAP.FIXED | MAP.FIXED_NOREPLACE | MAP.HUGETLB | MAP.GROWSDOWN;
  const movable = address === 0n && (flags & rooted) === 0;
  refuseBuffer(length, shared ? 'shared' : 'array', movable);
  const remedy = mapRemedy(flags, hugePageSize(flags), prot, 'MAP.NORESERVE');
  const handle = check(retryAfterGc(() => binding.map(address, length, prot, flags, fd, offset)), 'mmap', { remedy });
  return bufferOf(handle, length, shared, movable);
}

/** Bytes in a page of the pool that MAP.HUGETLB names. */
function hugePageSize(flags: number): number | undefined {
  if ((flags & MAP.HUGETLB) === 0) return undefined;
  const shift = (flags >>> MAP.HUGE_SHIFT) & MAP.HUGE_MASK;
  return shift === 0 ? 2 ** 21 : 2 ** shift;
}

/**
 * Unmaps memory. An ArrayBuffer given whole is detached: every view of it is empty. Views of a
 * SharedArrayBuffer, also on other threads, read zeros; the addresses are released when the last
 * view is collected.
 *
 * @throws {RangeError} ERR_MEMMAP_FOREIGN_ADDRESS for memory that memmap did not map
 * @throws {SystemError} EINVAL, EPERM: sealed memory
 * @see https://man7.org/linux/man-pages/man2/munmap.2.html
 */
export function munmap(addr: Where, length?: number): void {
  const { target, length: bytes } = locate(addr, length);
  check(binding.munmap(target, 0, bytes), 'munmap');
  if (isArrayBuffer(addr) && bytes === addr.byteLength) binding.detach(addr);
}

/**
 * Gives a mapping another length or address, and returns a buffer of the same kind over it.
 * The old ArrayBuffer is detached, except with MREMAP.DONTUNMAP (Linux 5.7). To move memory
 * under a buffer, the kernel must have MREMAP_DONTUNMAP: Linux 5.7, for files 5.13.
 *
 * @param newLength bytes
 * @param newAddr the address, with MREMAP.FIXED
 * @throws {RangeError} ERR_MEMMAP_FOREIGN_ADDRESS for memory that memmap did not map
 * @throws {SystemError} ENOMEM, EINVAL, EPERM: sealed memory
 * @see https://man7.org/linux/man-pages/man2/mremap.2.html
 */
export function mremap<B extends AnyBuffer>(
  old: B,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddr: Where | null = null,
): B {
  if (!isAnyBuffer(old)) throw invalidType('old', 'an ArrayBuffer or a SharedArrayBuffer', old);
  const { target, length } = locate(old, oldLength);
  validateInteger(newLength, 'newLength');
  validateInteger(flags, 'flags', 0, MAX_FLAGS);
  const address = addressOf(newAddr);
  const shared = isSharedArrayBuffer(old);
  const movable = (flags & MREMAP.FIXED) === 0;
  refuseBuffer(newLength, shared ? 'shared' : 'array', movable);
  const handle = check(binding.mremap(target, 0, length, newLength, flags, address), 'mremap', {
    remedy: mapRemedy(0),
  });
  const buffer = bufferOf(handle, newLength, shared, movable);
  if (isArrayBuffer(old) && (flags & MREMAP.DONTUNMAP) === 0) binding.detach(old);
  return buffer as B;
}
