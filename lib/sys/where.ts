// The address argument of a system call: a buffer or a view of mapped memory, or a number.
import { isAnyBuffer } from '../internal/realms/kinds.js';
import { type Target, binding } from '../internal/binding.js';
import { outOfRange, validateAddress, validateInteger } from '../internal/validate.js';
import { foreignAddress } from '../internal/syscall.js';

/** Either kind of buffer over mapped memory. */
export type AnyBuffer = ArrayBuffer | SharedArrayBuffer;

/**
 * Where a call acts. A buffer or view keeps its memory alive; a bare address must lie in
 * memory that memmap mapped, or the call throws ERR_MEMMAP_FOREIGN_ADDRESS.
 */
export type Where = AnyBuffer | NodeJS.ArrayBufferView | bigint | number;

/** The bytes of a buffer or view. Undefined for anything else. */
export function bufferBytes(where: unknown): Uint8Array | undefined {
  if (!isAnyBuffer(where) && !ArrayBuffer.isView(where)) return undefined;
  try {
    // An explicit length: see overlay() in internal/buffer.ts.
    if (!ArrayBuffer.isView(where)) return new Uint8Array(where as ArrayBuffer, 0, where.byteLength);
    return new Uint8Array(where.buffer as ArrayBuffer, where.byteOffset, where.byteLength);
  } catch {
    // Node 20 has no other way to ask.
    throw foreignAddress('The buffer is detached: it was unmapped, or its memory was transferred to another buffer');
  }
}

/** The memory that the native call acts on, and its length: `length`, or all of the buffer or view. */
export function locate(where: Where, length: number | undefined): { target: Target; length: number } {
  const bytes = bufferBytes(where);
  if (bytes === undefined) {
    const target = validateAddress(where, 'addr');
    validateInteger(length, 'length');
    return { target, length };
  }
  if (length === undefined) return { target: bytes, length: bytes.length };
  validateInteger(length, 'length');
  if (length > bytes.length) throw outOfRange('length', `<= ${bytes.length}, the length of the buffer`, length);
  return { target: bytes, length };
}

/** The number of an address, for calls where the memory need not be memmap's. */
export function addressOf(where: Where | null): bigint {
  if (where === null) return 0n;
  const bytes = bufferBytes(where);
  return bytes === undefined ? validateAddress(where, 'addr') : binding.addressOf(bytes);
}
