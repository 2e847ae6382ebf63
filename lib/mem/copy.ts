// Checked copies: what a view would answer with a fault is an error here.
import { type FaultErrorKind, check } from '../errors.js';
import { binding } from '../internal/binding.js';
import { resolveRange } from '../internal/range.js';
import { invalidType, validateInteger } from '../internal/validate.js';
import type { Guarded } from './guarded.js';

const { PROT } = binding;

type Copy = typeof binding.copyOut;

export function copyOut(mapping: Guarded, offset: number, length: number): Buffer {
  mapping.pages.open();
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  resolveRange({ offset, length }, mapping.pages.length);
  const bytes = Buffer.allocUnsafe(length);
  copy(mapping, offset, bytes, 'process_vm_readv', binding.copyOut);
  return bytes;
}

export function copyIn(mapping: Guarded, offset: number, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw invalidType('bytes', 'a Uint8Array', bytes);
  mapping.pages.open();
  validateInteger(offset, 'offset');
  resolveRange({ offset, length: bytes.length }, mapping.pages.length);
  if ((mapping.prot & PROT.WRITE) === 0) throw mapping.pages.log.error('read-only', offset);
  copy(mapping, offset, bytes, 'process_vm_writev', binding.copyIn);
}

function copy(mapping: Guarded, offset: number, bytes: Uint8Array, syscall: string, call: Copy): void {
  const { pages } = mapping;
  const handle = pages.settled();
  const { length } = bytes;
  if (length === 0) return;
  const copied = check(call(handle, pages.byteOffset + offset, length, bytes), syscall, { remedy: sandbox });
  // The end of the file is looked at after the copy: one that shrank before it has been seen
  // by now. Zeros that the guard has put in its place were copied as if they were the file.
  const backed = Math.min(mapping.backed(), pages.mended === -1 ? Infinity : pages.mended - pages.byteOffset);
  const end = Math.min(offset + copied, Math.max(offset, backed));
  if (end === offset + length) return;
  const kind: FaultErrorKind = backed < offset + length ? 'truncated' : 'no-access';
  throw pages.log.error(kind, end);
}

function sandbox(code: string): string | undefined {
  return code === 'EPERM' || code === 'ENOSYS' ? 'A sandbox forbids the process to copy its own memory (seccomp)' : undefined;
}
