// Opens a store: the file, the lock of the only writer, and recovery if it is needed.
import { codeOf, isUrl } from '../internal/realms/kinds.js';
import { closeSync, constants as fsConstants, existsSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { PeerError, StateError } from '../errors.js';
import { binding } from '../internal/binding.js';
import { demandAccess } from '../internal/path.js';
import { invalidType, invalidValue, validateBoolean, validateOptions, validatePath, validateTimeout, validateEnum } from '../internal/validate.js';
import { StoreFile } from './file/store-file.js';
import { Header } from './file/header.js';
import { rehearse } from './file/rehearsal.js';
import { fstat } from '../internal/descriptors/calls.js';
import { AT_COPY, AT_HEADER_SUM, AT_MAGIC, BLOCK, CLEAN, MAGIC } from './file/layout.js';
import { Records } from './log/record.js';
import { rebuild, resume } from './recovery.js';
import { MappedFile } from './file/mapped-file.js';
import { check } from '../internal/syscall.js';
import type { WriterState, StoreParts } from './parts.js';

const { errno } = constants;

/** When changes are safe from a loss of power: {@link StoreOptions.durability}. They are safe from the death of the process at once. */
export type Durability = 'commit' | 'put';
const DURABILITY: Readonly<Record<Durability, true>> = { commit: true, put: true };

/** Options of {@link Store.open}. */
export interface StoreOptions {
  /** Open for reading only: any number of processes and threads can, while one writes. @default false */
  readonly readOnly?: boolean | undefined;
  /**
   * `'commit'`: changes before a `commit()` survive a loss of power. `'put'`: each `put()`,
   * `delete()`, `putMany()` and `transaction()` commits before it returns. @default 'commit'
   */
  readonly durability?: Durability | undefined;
  /** Milliseconds to wait until another writer has closed, created or recovered the store, or Infinity. @default 5000 */
  readonly timeout?: number | undefined;
  /** Leave out damaged records, and rebuild the index from the others. Not with `readOnly`. @default false */
  readonly salvage?: boolean | undefined;
}

const KNOWN = ['readOnly', 'durability', 'timeout', 'salvage'] as const;
const TIMEOUT = 5000;

/** Milliseconds between two checks whether the writer has closed the store. */
const PAUSE = 5;
/** Milliseconds in which a file without content may still be locked by its maker. */
const GRACE = 50;
/** The byte that the writer locks (core/wait/liveness.h). */
const WRITER = 1;

export interface OpenStore extends StoreParts {
  readonly path: string;
  readonly durability: Durability;
  /** Undefined if it is open for reading. */
  readonly opened: WriterState | undefined;
}

function pathOf(path: unknown): string {
  if (isUrl(path)) return fileURLToPath(path);
  if (typeof path !== 'string') throw invalidType('path', 'a string or a file: URL', path);
  validatePath(path, 'path');
  return resolve(path);
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Calls `act` until it returns something. After the deadline throws an error with the message `why()`. */
function until<T>(deadline: number, act: () => T | undefined, why: () => string): T {
  for (;;) {
    const result = act();
    if (result !== undefined) return result;
    if (performance.now() >= deadline) throw new StateError('ERR_MEMMAP_TIMEOUT', why());
    Atomics.wait(pause, 0, 0, PAUSE);
  }
}

/** Opens the file with a descriptor that this thread holds: closing it releases the lock. */
function openFile(path: string, flags: number): StoreFile {
  const fd = openSync(path, flags | fsConstants.O_NOCTTY | fsConstants.O_NONBLOCK, 0o666);
  try {
    return new StoreFile(check(binding.dupFd(fd), 'fcntl', { path }), path);
  } finally {
    closeSync(fd);
  }
}

function notAStore(path: string, why: string): PeerError {
  return new PeerError('ERR_MEMMAP_NOT_A_STORE', `'${path}' is not a store: ${why}`, 0);
}

/** Refuses what can never be a store: it must not be waited for, nor mapped. */
function refuseOtherKinds(disk: StoreFile): void {
  const stats = fstat(disk.fd);
  if (stats.isFile()) return;
  throw notAStore(disk.path, `it is a ${stats.isDirectory() ? 'directory' : stats.isFIFO() ? 'FIFO' : 'device or socket'}`);
}

/** Whether a word of the header is written, when a store is made, before what makes it one. */
function isMadeBeforeMagic(word: number): boolean {
  return (word > AT_MAGIC && word <= AT_HEADER_SUM) || (word >= AT_COPY && word <= AT_COPY + AT_HEADER_SUM);
}

/**
 * Refuses a file of others before anything in it changes. A file is new that is empty, or a header and no more
 * without the first word: its maker died.
 *
 * @throws {PeerError} ERR_MEMMAP_NOT_A_STORE; ERR_MEMMAP_CORRUPT
 */
function refuseOtherFiles(disk: StoreFile, windows: MappedFile, salvage: boolean): void {
  const size = disk.size();
  if (size === 0) return;
  windows.reach(0);
  const [words, bytes] = [windows.words[0] as Int32Array, windows.bytes[0] as Uint8Array];
  const head = bytes.subarray(0, Math.min(size, BLOCK));
  // Both places are in the first page, in which zeros follow the end of the file.
  const isMagic = (at: number): boolean => MAGIC.every((word, i) => words[at + i] === word);
  if (isMagic(AT_MAGIC)) {
    if (size >= BLOCK) return;
    throw new PeerError('ERR_MEMMAP_CORRUPT', `'${disk.path}' was truncated to ${size} bytes, less than the header of a store`, size);
  }
  if (salvage && isMagic(AT_COPY)) return;
  if (size <= BLOCK && head.every((byte, at) => byte === 0 || isMadeBeforeMagic(at >> 2))) return;
  throw notAStore(disk.path, 'it has other content, or its first bytes were overwritten. It was not changed');
}

export function openStore(path: string | URL, options: StoreOptions = {}): OpenStore {
  const file = pathOf(path);
  validateOptions<StoreOptions>(options, KNOWN);
  const { readOnly = false, durability = 'commit', timeout = TIMEOUT, salvage = false } = options;
  validateBoolean(readOnly, 'options.readOnly');
  validateEnum(durability, 'options.durability', DURABILITY);
  validateTimeout(timeout);
  validateBoolean(salvage, 'options.salvage');
  if (readOnly && salvage) throw invalidValue('options.salvage', 'cannot be combined with readOnly: true, because it writes', salvage);
  demandAccess(file, 'fs.read', ...(readOnly ? [] : ['fs.write' as const]));
  const deadline = performance.now() + timeout;
  return readOnly ? openForReading(file, deadline) : openForWriting(file, durability, deadline, salvage);
}

function partsOf(disk: StoreFile, windows: MappedFile): StoreParts {
  windows.reach(0);
  const header = new Header(windows.words[0] as Int32Array, disk);
  return { disk, windows, header, records: new Records(windows, disk, header.seed) };
}

function openForWriting(path: string, durability: Durability, deadline: number, salvage: boolean): OpenStore {
  if (!existsSync(path)) rehearse(path);
  const disk = openFile(path, fsConstants.O_RDWR | fsConstants.O_CREAT);
  const windows = new MappedFile(disk, 'read-write');
  try {
    refuseOtherKinds(disk);
    takeLock(disk, windows, deadline);
    refuseOtherFiles(disk, windows, salvage);
    const made = disk.size() < BLOCK;
    if (made) {
      disk.allocate(0, BLOCK);
      disk.syncName();
    }
    windows.reach(0);
    const words = windows.words[0] as Int32Array;
    if (Header.isMissing(words)) new Header(words, disk).make();
    else if (salvage) new Header(words, disk).mend();
    const parts = partsOf(disk, windows);
    const { header } = parts;
    header.verify();
    const clean = header.state === CLEAN;
    const opened = (!salvage && header.current ? resume(parts, clean) : undefined) ?? rebuild(parts, salvage);
    windows.check();
    header.open();
    // From here on the index may be ahead of the log on the disk.
    if (clean) windows.sync(0, BLOCK);
    else disk.syncAll();
    opened.log.takeUnsynced();
    return { ...parts, path, durability, opened };
  } catch (error) {
    windows.close();
    disk.close();
    throw error;
  }
}

function takeLock(disk: StoreFile, windows: MappedFile, deadline: number): void {
  until(
    deadline,
    () => {
      const result = binding.claimId(disk.fd, WRITER);
      if (result === -errno.EAGAIN || result === -errno.EACCES) return undefined;
      return check(result, 'fcntl', { path: disk.path });
    },
    () => {
      windows.reach(0);
      const known = disk.size() >= BLOCK;
      const who = known ? `process ${new Header(windows.words[0] as Int32Array, disk).pid}` : 'another process';
      return `Timed out: '${disk.path}' is open for writing in ${who}, or in another thread. Open it with readOnly: true, or raise options.timeout`;
    },
  );
}

function openForReading(path: string, deadline: number): OpenStore {
  const disk = openFile(path, fsConstants.O_RDONLY);
  const windows = new MappedFile(disk, 'read');
  try {
    refuseOtherKinds(disk);
    // Whoever makes it has the lock a moment after the file is there.
    const grace = performance.now() + GRACE;
    until(
      deadline,
      () => {
        if (disk.size() >= BLOCK && !Header.isMissing(reached(windows))) return true;
        const isMade = performance.now() < grace || check(binding.isAlive(disk.fd, WRITER), 'fcntl') === 1;
        if (!isMade) throw notAStore(path, disk.size() === 0 ? 'it is empty. A writer makes it one' : 'it has no header');
        return undefined;
      },
      () => `Timed out: the writer of '${path}' has not finished creating it`,
    );
    const parts = partsOf(disk, windows);
    const { header } = parts;
    header.verify();
    until(
      deadline,
      () => {
        const written = check(binding.isAlive(disk.fd, WRITER), 'fcntl') === 1;
        if (header.current && (written || header.state === CLEAN)) return true;
        return written ? undefined : recover(path, header.current && header.whole);
      },
      () => `Timed out: process ${header.pid} is recovering '${path}'. Raise options.timeout`,
    );
    windows.check();
    return { ...parts, path, durability: 'commit', opened: undefined };
  } catch (error) {
    windows.close();
    disk.close();
    throw error;
  }
}

function reached(windows: MappedFile): Int32Array {
  windows.reach(0);
  return windows.words[0] as Int32Array;
}

/** Recovers a store whose writer has died. @returns true if it was recovered, or can be read without */
function recover(path: string, current: boolean): true | undefined {
  try {
    closeStore(openForWriting(path, 'commit', 0, false));
    return true;
  } catch (error) {
    if (error instanceof StateError && error.code === 'ERR_MEMMAP_TIMEOUT') return undefined;
    const denied = ['EACCES', 'EROFS', 'EPERM', 'ENOSPC'].includes(codeOf(error));
    if (!denied) throw error;
    if (current) return true;
    throw new PeerError('ERR_MEMMAP_UNCLEAN', `The machine went down while '${path}' was open for writing, and this process may not write to recover it: open it for writing once`, 0);
  }
}

/** Closes the store. One that was open for writing is then marked clean, unless `failed`. */
export function closeStore({ disk, windows, header, opened }: OpenStore, failed = false): void {
  try {
    if (opened === undefined || failed) return;
    disk.syncAll();
    windows.check();
    header.close();
    windows.sync(0, BLOCK);
  } finally {
    windows.close();
    disk.close();
  }
}

