// Buffers over a mapping's pages, by whatever way this runtime has (docs/memory-model.md).
import { isErrorNamed } from './realms/kinds.js';
import { constants } from 'node:buffer';
import { constants as system } from 'node:os';
import { UnsupportedError } from '../errors.js';
import { type Handle, binding } from './binding.js';
import type { BufferKind } from './enums.js';
import { retryAfterGc } from './gc.js';
import { mapRemedy } from './remedy.js';
import { check, systemError } from './syscall.js';
import { sharedWasmMemory, wasmPages } from './wasm-memory.js';

/** Whether the engine allows a buffer over memory that is not its own: Electron's does not. */
const hasExternalBuffers: boolean = binding.hasExternalBuffers();

/** Whether the runtime can put a SharedArrayBuffer over any address: Node 22.23, 24.16, 26.1. */
export const hasExternalShared: boolean = hasExternalBuffers && binding.hasExternalShared();

/** Bytes of the longest buffer the runtime can make over addresses of its own. */
const OVERLAY_LIMIT = 2 ** 32;

/**
 * How many buffers to make without WebAssembly from now on. Each of its memories takes some 10 GiB of
 * addresses; once 13,000 of them have used these up, every further attempt costs three collections.
 */
let withoutWasm = 0;
const ATTEMPT_AFTER = 2 ** 12;

/** Bytes of the longest buffer over a mapping. */
export const BUFFER_LIMIT: number = hasExternalShared ? constants.MAX_LENGTH : OVERLAY_LIMIT;

/**
 * A SharedArrayBuffer over pages that the runtime has reserved and does not use itself: the
 * mapping is moved onto them. Both kinds keep their address for life.
 */
function reserveShared(length: number): SharedArrayBuffer {
  const pages = wasmPages(length);
  if (pages !== undefined && withoutWasm-- <= 0) {
    try {
      return sharedWasmMemory(pages).buffer;
    } catch (error) {
      if (!isErrorNamed(error, 'RangeError')) throw error;
      withoutWasm = ATTEMPT_AFTER;
    }
  }
  // Growing makes the pages accessible; it must come before they are replaced.
  const buffer = new SharedArrayBuffer(0, { maxByteLength: length });
  buffer.grow(length);
  return buffer;
}

const NO_MEMORY = -system.errno.ENOMEM;

function tryReserveShared(length: number): SharedArrayBuffer | number {
  try {
    return reserveShared(length);
  } catch (error) {
    if (isErrorNamed(error, 'RangeError')) return NO_MEMORY;
    throw error;
  }
}

function overlay(handle: Handle, length: number): SharedArrayBuffer | number {
  const buffer = tryReserveShared(length);
  if (typeof buffer === 'number') return buffer;
  // An explicit length: views that track a growable buffer are some fifty times slower.
  const result = binding.overlay(handle, new Uint8Array(buffer, 0, length));
  return result < 0 ? result : buffer;
}

function arrayBuffer(handle: Handle, length: number): ArrayBuffer {
  return check(binding.arrayBuffer(handle, length), 'mmap');
}

/** Whether the memory of an ArrayBuffer was transferred to another. */
export function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    // Node 20 has no other way to ask.
    return new Uint8Array(buffer).buffer !== buffer;
  } catch {
    return true;
  }
}

/** 'Node 20.19.0', 'Bun 1.3.0': Bun and Deno also claim to be a version of Node. */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`;
}

/** Advice to use another version, for programs that Node runs. */
function newerNode(verb = ''): string {
  return runtimeName().startsWith('Node') ? `, or ${verb}Node 22.23, 24.16, 26.1 or later` : '';
}

const OF_THE_ENGINE = 'Use the default buffer, a SharedArrayBuffer (memmap/sys: { shared: true }), or copyOut() and copyIn()';
const IMMOVABLE =
  'memmap moves memory onto a buffer of the engine instead, but cannot move memory at a given address, in a reservation, of huge pages, ' +
  'with growsDown, of a device, or sealed. Avoid these, or use copyOut() and copyIn(), which need no buffer';

/**
 * Throws if the engine forbids the only kind of buffer that such pages could have: call it
 * before they are mapped. `movable`: as for {@link createBuffer}.
 */
export function refuseExternal(
  kind: BufferKind | undefined,
  movable: boolean,
  remedy: string = movable ? OF_THE_ENGINE : IMMOVABLE,
): void {
  if (!hasExternalBuffers && (kind === 'array' || !movable)) throw noExternalBuffer(remedy);
}

function noExternalBuffer(remedy: string): UnsupportedError {
  return new UnsupportedError(
    'ERR_MEMMAP_NO_EXTERNAL_BUFFER',
    `This runtime, like Electron, allows no buffer over memory outside its engine. ${remedy}`,
  );
}

/** Throws if this runtime has no such buffer: call it before pages are replaced or moved. `instead`: what to call if it is too long. */
export function refuseBuffer(length: number, kind: BufferKind | undefined, movable: boolean, instead = 'Map fewer bytes'): void {
  refuseExternal(kind, movable);
  if (length > BUFFER_LIMIT || (kind === 'array' && length > constants.MAX_LENGTH)) {
    throw new UnsupportedError(
      'ERR_MEMMAP_BUFFER_TOO_LARGE',
      `A buffer of ${length} bytes is longer than ${runtimeName()} can make (${BUFFER_LIMIT}). ` +
        `${instead}${hasExternalBuffers ? newerNode('use ') : ''}`,
    );
  }
  if (kind === 'shared' && !hasExternalShared && !movable) throw noSharedBuffer('');
}

function noSharedBuffer(reason: string): UnsupportedError {
  return new UnsupportedError(
    'ERR_MEMMAP_NO_SHARED_BUFFER',
    `${runtimeName()} cannot put a SharedArrayBuffer over memory at an address of its own or over huge pages` +
      `${reason}. Use buffer: 'array'${newerNode()}`,
  );
}

/**
 * A buffer over the first `length` bytes of a mapping. `kind` undefined: a SharedArrayBuffer
 * where possible, else an ArrayBuffer. `movable`: the pages may go to another address. `instead`: what
 * to call if it is too long.
 */
export function createBuffer(
  handle: Handle,
  length: number,
  kind: BufferKind | undefined,
  movable: boolean,
  instead?: string,
): ArrayBuffer | SharedArrayBuffer {
  refuseBuffer(length, kind, movable, instead);
  if (kind === 'array') return arrayBuffer(handle, length);
  if (hasExternalShared) return check(binding.sharedBuffer(handle, length), 'mmap');

  const moved = movable ? retryAfterGc(() => overlay(handle, length)) : undefined;
  if (typeof moved === 'object') return moved;
  if (moved === NO_MEMORY) throw systemError(moved, 'mmap', { remedy: mapRemedy(0) });
  const reason = moved === undefined ? '' : ` (${systemError(moved, 'mremap').message})`;
  if (!hasExternalBuffers) throw noExternalBuffer(`The pages cannot be moved onto a buffer of the engine${reason}. Ask for the buffer first, before any other call`);
  if (kind === undefined) return arrayBuffer(handle, length);
  throw noSharedBuffer(reason);
}
