// Checked copies: an access that would fault through a view is an error here.
import { isUint8Array } from '../internal/realms/kinds.js';
import { binding } from '../internal/binding.js';
import { type Span, resolveRange } from '../internal/range.js';
import { invalidType, validateInteger } from '../internal/validate.js';
import type { MappedMemory } from './mapped-memory.js';
import { check } from '../internal/syscall.js';

const { PROT } = binding;

/** How often to try again when the file shrinks and grows during the copy. */
const ATTEMPTS = 8;

export function copyOut(memory: MappedMemory, offset: number, length: number): Buffer {
  memory.pages.open();
  validateInteger(offset, 'offset');
  validateInteger(length, 'length');
  resolveRange({ offset, length }, memory.pages.length);
  // Not of Node's pool: a byte stream takes the whole buffer of a view, and every small Buffer with it.
  const bytes = Buffer.allocUnsafeSlow(length);
  copy(memory, offset, bytes, false);
  return bytes;
}

export function copyIn(memory: MappedMemory, offset: number, bytes: Uint8Array): void {
  if (!isUint8Array(bytes)) throw invalidType('bytes', 'a Uint8Array', bytes);
  memory.pages.open();
  validateInteger(offset, 'offset');
  resolveRange({ offset, length: bytes.length }, memory.pages.length);
  copy(memory, offset, bytes, true);
}

/** As {@link copyOut}, into `bytes`. */
export function copyInto(memory: MappedMemory, offset: number, bytes: Uint8Array): void {
  memory.pages.open();
  resolveRange({ offset, length: bytes.length }, memory.pages.length);
  copy(memory, offset, bytes, false);
}

/** Throws if a byte must not be read. */
export function refuseUnreadable(memory: MappedMemory, { offset, length }: Span): void {
  refuse(memory, offset, length, false);
}

/** Throws if a byte must not be accessed. The pages themselves may allow it where the guard has replaced them. */
function refuse(memory: MappedMemory, offset: number, length: number, writes: boolean): void {
  const { byteOffset, log } = memory.pages;
  for (let at = byteOffset + offset; at < byteOffset + offset + length; ) {
    const { prot, end } = memory.protections.at(at);
    if ((prot & PROT.READ) === 0) throw log.error('no-access', at - byteOffset);
    if (writes && (prot & PROT.WRITE) === 0) throw log.error('read-only', at - byteOffset);
    at = end;
  }
}

function copy(memory: MappedMemory, offset: number, bytes: Uint8Array, writes: boolean): void {
  const { pages } = memory;
  const handle = pages.pinnedHandle();
  const { length } = bytes;
  refuse(memory, offset, length, writes);
  if (memory.backing.secret === true) {
    copySecret(memory, offset, bytes, writes);
    return;
  }
  // Read the length of the file after the copy, so that a file that shrank before or during it is noticed.
  // Zeros that the guard put there would be copied as if they were the file.
  const refuseLost = (copied: number): void => {
    const backed = Math.min(memory.backed(), pages.fixedUp === -1 ? Infinity : pages.fixedUp - pages.byteOffset);
    if (backed < offset + length) throw pages.log.error('truncated', Math.min(offset + copied, Math.max(offset, backed)));
  };
  if (pages.fixedUp !== -1) refuseLost(length);
  memory.renew();
  let copied = 0;
  for (let attempt = 0; copied < length && attempt < ATTEMPTS; attempt++) {
    const at = pages.byteOffset + offset + copied;
    const rest = bytes.subarray(copied);
    copied += writes
      ? check(binding.copyIn(handle, at, rest.length, rest), 'process_vm_writev', { feature: 'checkedCopy' })
      : check(binding.copyOut(handle, at, rest.length, rest), 'process_vm_readv', { feature: 'checkedCopy' });
    refuseLost(copied);
  }
  // Zeros that replaced broken memory would be copied like other bytes.
  const broken = pages.log.broken();
  if (broken !== undefined && broken.offset < offset + copied && offset < broken.end) {
    throw pages.log.error('memory-failure', Math.max(offset, broken.offset));
  }
  if (copied < length) throw pages.log.error(memory.unreachable(writes, offset + copied), offset + copied);
}

/** Copies through a view. Secret memory cannot shrink; if a page cannot be had, the guard counts the fault. */
function copySecret(memory: MappedMemory, offset: number, bytes: Uint8Array, writes: boolean): void {
  const { pages } = memory;
  pages.lend((all) => {
    const part = all.subarray(offset, offset + bytes.length);
    if (writes) part.set(bytes);
    else bytes.set(part);
  });
  pages.log.check();
}
