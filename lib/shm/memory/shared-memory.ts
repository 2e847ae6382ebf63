// SharedMemory: memory that several processes can map. It is a descriptor; map() makes mappings.
import { disposable } from '../../internal/realms/dispose.js';
import { existsSync, lstatSync } from 'node:fs';
import { fstat } from '../../internal/descriptors/calls.js';
import { PeerError, StateError, SystemError } from '../../errors.js';
import { binding } from '../../internal/binding.js';
import { CallFacts } from '../../internal/call-facts.js';
import { BUFFER_KIND, HUGE_PAGES } from '../../internal/enums.js';
import { showAs } from '../../internal/inspect.js';
import { demandAccess } from '../../internal/path.js';
import { mapRemedy } from '../../internal/remedy.js';
import {
  OURS,
  invalidType,
  invalidValue,
  validateBoolean,
  validateInteger,
  validateOptions,
  validateOurs,
  validateEnum,
  validateFd,
} from '../../internal/validate.js';
import { type FileId, identify, leadsTo, verified } from '../../internal/descriptors/file-id.js';
import { disown, forsake, own } from '../../internal/descriptors/owned-fd.js';
import type { CreateOptions, FromFdOptions, OpenOptions, SharedMapOptions } from './options.js';
import { SEAL, type Seal, sealsOf } from './seals.js';
import { type Segment, list, pathOf, unlink, resolveName } from './named.js';
import { ACCESS, type Region, type SharedMapping, mapShared } from './shared-mapping.js';
import { check, systemError } from '../../internal/syscall.js';

const { MFD, O } = binding;

const OPEN_ACCESS = { read: O.RDONLY, 'read-write': O.RDWR };

const facts = new CallFacts(binding.FACTS.sharedMemory);

const missingFolder = 'Named memory needs /dev/shm: mount -t tmpfs tmpfs /dev/shm. Or leave the name out';

interface FoundMemory {
  readonly fd: number;
  readonly name?: string | undefined;
  readonly transparent?: boolean;
}

/**
 * Memory that processes share. Give `fd` to a child (`stdio: [..., memory.fd]`), send it with
 * `sendFds()`, or give it a name; each process maps it with `map()`.
 *
 * ```js
 * using memory = SharedMemory.create({ length: 1 << 20 });
 * using mapping = memory.map();
 * mapping.view(Int32Array)[0] = 42;
 * ```
 *
 * After `close()` every method except `close()` throws ERR_MEMMAP_CLOSED, and so do `fd`, `length` and `seals`.
 */
export class SharedMemory implements Disposable {
  readonly #fd: number;
  readonly #file: FileId;
  readonly #secret: boolean;
  readonly #pageSize: number;
  readonly #transparent: boolean;
  /** The access that the descriptor permits; seals may forbid more. */
  readonly access: 'read' | 'read-write';
  /** The name in /dev/shm; undefined for a memfd. */
  readonly name: string | undefined;
  #closed = false;

  private constructor(key: typeof OURS, found: FoundMemory) {
    validateOurs(key, 'SharedMemory.create(), open() or fromFd()');
    const { fd, name, transparent = false } = found;
    check(binding.examineSharedMemory(fd, facts.numbers), 'fstat');
    if (facts.get('memory') === 0) {
      throw new PeerError('ERR_MEMMAP_NOT_MEMORY', 'The descriptor is not shared memory: expected a memfd, or a file on tmpfs or hugetlbfs');
    }
    this.#fd = fd;
    this.#file = identify(fd);
    this.#secret = facts.get('secret') !== 0;
    this.#pageSize = facts.get('pageSize');
    this.#transparent = transparent;
    this.access = facts.get('writable') === 0 ? 'read' : 'read-write';
    this.name = name;
  }

  /** Makes the object, which then owns the descriptor; closes it if `verify` throws. */
  static #of(found: FoundMemory, verify?: (memory: SharedMemory) => void): SharedMemory {
    try {
      const memory = new SharedMemory(OURS, found);
      verify?.(memory);
      own(memory, found.fd);
      return memory;
    } catch (error) {
      binding.closeFd(found.fd);
      throw error;
    }
  }

  /**
   * Creates zeroed memory, with all pages allocated, so that a lack of memory is an error here. Not executable,
   * and closed on exec. A name becomes visible when the memory is complete.
   *
   * @throws {SystemError} ENOSPC, ENOMEM; EEXIST if the name exists
   * @throws {UnsupportedError} ERR_MEMMAP_UNSUPPORTED if the kernel has no secret memory
   */
  static create(options: CreateOptions): SharedMemory {
    validateOptions<CreateOptions>(options, ['length', 'name', 'hugePages', 'secret']);
    const { length, hugePages, secret = false } = options;
    validateInteger(length, 'options.length', 1);
    const name = options.name === undefined ? undefined : resolveName(options.name, 'options.name');
    if (hugePages !== undefined) validateEnum(hugePages, 'options.hugePages', HUGE_PAGES);
    validateBoolean(secret, 'options.secret');
    const huge = hugePages === undefined ? undefined : HUGE_PAGES[hugePages];
    if (name !== undefined && (secret || huge?.size !== undefined)) {
      throw invalidValue('options.name', 'cannot be combined with secret: true or huge pages of a pool: such memory is not in /dev/shm', name);
    }
    if (secret && hugePages !== undefined) {
      throw invalidValue('options.hugePages', 'cannot be combined with secret: true', hugePages);
    }
    const flags = MFD.CLOEXEC | MFD.ALLOW_SEALING | (huge?.memfd ?? 0);
    const step = new Float64Array(1);
    if (name !== undefined) demandAccess(pathOf(name), 'fs.read', 'fs.write');
    const fd = binding.createSharedMemory(name ?? null, flags, secret, length, step);
    const opened = secret ? 'memfd_secret' : name === undefined ? 'memfd_create' : 'shm_open';
    const remedy = (code: string): string | undefined => {
      if (code === 'EEXIST') return 'SharedMemory.open() opens the existing memory; SharedMemory.unlink() removes a name that a dead process has left';
      // The memory gets its name through its link in /proc.
      if (code === 'ENOENT' && name !== undefined) return existsSync('/proc/self/fd') ? missingFolder : 'Named memory needs /proc: mount -t proc proc /proc. Or leave the name out';
      if (code === 'ENOSPC' && name !== undefined) return '/dev/shm is full; SharedMemory.list() lists its memory';
      return mapRemedy(0, huge?.size)(code);
    };
    check(fd, binding.STEPS.createSharedMemory[step[0] ?? 0] || opened, { remedy, ...(name !== undefined && { path: name }), ...(secret && { feature: 'secretMemory' }) });
    return SharedMemory.#of({ fd, name, transparent: hugePages === 'transparent' });
  }

  /**
   * Opens memory by its name; with `create`, creates it if the name does not exist.
   *
   * @throws {SystemError} ENOENT, EACCES; with `create` as {@link create}
   * @throws {PeerError} ERR_MEMMAP_NOT_MEMORY, ERR_MEMMAP_TOO_SHORT
   */
  static open(name: string, options: OpenOptions = {}): SharedMemory {
    const plain = resolveName(name);
    validateOptions<OpenOptions>(options, ['create', 'length', 'access']);
    const { create = false, length, access = 'read-write' } = options;
    validateBoolean(create, 'options.create');
    if (create || length !== undefined) validateInteger(length, 'options.length', 1);
    validateEnum(access, 'options.access', OPEN_ACCESS);
    demandAccess(pathOf(plain), 'fs.read', ...(access === 'read-write' ? ['fs.write' as const] : []));
    for (;;) {
      const fd = binding.openSharedMemory(plain, OPEN_ACCESS[access]);
      if (fd >= 0) return SharedMemory.#of({ fd, name: plain }, (memory) => memory.#demand(length ?? 1, []));
      const error = systemError(fd, 'shm_open', { path: plain });
      if (!create || error.code !== 'ENOENT') throw error;
      try {
        const memory = SharedMemory.create({ name: plain, length: length ?? 1 });
        if (access === 'read-write') return memory;
        memory.close();
      } catch (failure) {
        // Another process has created it meanwhile: open that.
        if (!(failure instanceof SystemError) || failure.code !== 'EEXIST') throw failure;
      }
    }
  }

  /**
   * Opens memory that another process made, after checking its kind, seals and length. It duplicates the
   * descriptor; the caller still owns `fd`.
   *
   * @throws {PeerError} ERR_MEMMAP_NOT_MEMORY, ERR_MEMMAP_NOT_SEALED, ERR_MEMMAP_TOO_SHORT
   * @throws {SystemError} EBADF
   */
  static fromFd(fd: number, options: FromFdOptions = {}): SharedMemory {
    validateFd(fd);
    validateOptions<FromFdOptions>(options, ['require', 'length']);
    const { require = [], length = 1 } = options;
    if (!Array.isArray(require)) throw invalidType('options.require', 'an Array', require);
    const seals = [...(require as readonly Seal[])];
    for (const seal of seals) validateEnum(seal, 'options.require', SEAL);
    validateInteger(length, 'options.length', 1);
    const copy = check(binding.dupFd(fd), 'dup');
    return SharedMemory.#of({ fd: copy }, (memory) => memory.#demand(length, seals));
  }

  /** Lists all named memory in /dev/shm, with the processes that use it as far as /proc shows them. */
  static list(): readonly Segment[] {
    return list();
  }

  /** Removes a name from /dev/shm: shm_unlink(3). @throws {SystemError} ENOENT, EACCES */
  static unlink(name: string): void {
    unlink(resolveName(name));
  }

  /** Checks memory that another process made. */
  #demand(length: number, seals: readonly Seal[]): void {
    // The seals first: what they fix cannot change afterwards.
    const missing = seals.filter((seal) => !this.seals.includes(seal));
    if (missing.length > 0) {
      throw new PeerError('ERR_MEMMAP_NOT_SEALED', `The memory lacks the seals ${missing.join(', ')}: its creator must add them with seal()`);
    }
    if (this.length < length) {
      throw new PeerError('ERR_MEMMAP_TOO_SHORT', `The memory has ${this.length} bytes, but must have at least ${length}`);
    }
  }

  #open(): number {
    if (this.#closed) throw new StateError('ERR_MEMMAP_CLOSED', 'The shared memory is closed');
    return verified(this.#fd, this.#file);
  }

  /** The descriptor, to pass to a child or a peer. `close()` closes it. */
  get fd(): number {
    return this.#open();
  }

  /** The length now, in bytes. Without the seals `'grow'` and `'shrink'` a peer may change it. */
  get length(): number {
    return fstat(this.#open()).size;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The seals now. Named memory has `['seal']`: it cannot get others. */
  get seals(): readonly Seal[] {
    check(binding.examineSharedMemory(this.#open(), facts.numbers), 'fcntl');
    return sealsOf(facts.get('seals'));
  }

  /**
   * Adds seals, for good and for all processes: fcntl(2) F_ADD_SEALS.
   *
   * @throws {SystemError} EPERM if it has the seal `'seal'` or a name, or is open for reading only;
   * EBUSY for `'write'` while a writable mapping exists
   */
  seal(...seals: readonly Seal[]): void {
    for (const seal of seals) validateEnum(seal, 'seals', SEAL);
    const bits = seals.reduce((all, seal) => all | SEAL[seal], 0);
    check(binding.addSeals(this.#open(), bits), 'fcntl', {
      remedy: (code) =>
        code === 'EBUSY' ? "Close all writable mappings first, or seal 'future-write', which permits existing ones" : undefined,
    });
  }

  /**
   * Maps the whole memory. Any number of mappings may exist; each must be closed, and stays valid after
   * `close()` of this object.
   *
   * @throws {SystemError} EACCES, EPERM if the descriptor or a seal forbids writing; ENOMEM
   */
  map(options: SharedMapOptions & { readonly buffer: 'array' }): SharedMapping<ArrayBuffer>;
  /** Maps the whole memory; `buffer` is a SharedArrayBuffer. */
  map(options?: SharedMapOptions & { readonly buffer?: 'shared' | undefined }): SharedMapping<SharedArrayBuffer>;
  /** Maps the whole memory; the kind of `buffer` depends on `options.buffer`. */
  map(options?: SharedMapOptions): SharedMapping;
  map(options: SharedMapOptions = {}): SharedMapping {
    const fd = this.#open();
    validateOptions<SharedMapOptions>(options, ['access', 'buffer']);
    const { access = 'read-write', buffer } = options;
    validateEnum(access, 'options.access', ACCESS);
    if (buffer !== undefined) validateEnum(buffer, 'options.buffer', BUFFER_KIND);
    const region: Region = { fd, secret: this.#secret, pageSize: this.#pageSize, kind: buffer };
    const mapping = mapShared(region, access);
    if (this.#transparent) mapping.advise('hugepage');
    return mapping;
  }

  /**
   * Opens another descriptor of the memory, for reading only: it cannot be mapped writable. The caller
   * closes it. Processes of the same user, and root, can still open the memory for writing through /proc,
   * unless it has the seal `'future-write'`.
   *
   * @throws {SystemError} ENXIO for secret memory, which cannot be opened again
   */
  readOnlyFd(): number {
    const path = `/proc/self/fd/${this.#open()}`;
    return check(binding.openFd(path, O.RDONLY | O.CLOEXEC), 'open', { path });
  }

  /**
   * Removes the name. Processes that have the memory open or mapped keep it.
   *
   * @throws {StateError} ERR_MEMMAP_NO_NAME, ERR_MEMMAP_FILE_REPLACED if other memory has the name now
   */
  unlink(): void {
    const fd = this.#open();
    const { name } = this;
    if (name === undefined) throw new StateError('ERR_MEMMAP_NO_NAME', 'The memory has no name: it is freed with its last descriptor and mapping');
    const [ours, named] = [fstat(fd), lstatSync(pathOf(name), { throwIfNoEntry: false })];
    if (named !== undefined && (named.ino !== ours.ino || named.dev !== ours.dev)) {
      throw new StateError('ERR_MEMMAP_FILE_REPLACED', `'${name}' is now the name of other memory. To remove it anyway, call SharedMemory.unlink()`);
    }
    unlink(name);
  }

  /** Closes the descriptor. Mappings, and the memory in other processes, stay valid. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (leadsTo(this.#fd, this.#file)) disown(this, this.#fd);
    else forsake(this, this.#fd);
  }

  /** Closes the descriptor at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
disposable(SharedMemory);

/** Reads a field of open memory; undefined if it is closed. */
const ifOpen = <T>(read: (memory: SharedMemory) => T) => (memory: SharedMemory): T | undefined => (memory.closed ? undefined : read(memory));

showAs(SharedMemory.prototype, {
  name: ({ name }) => name,
  length: ifOpen(({ length }) => length),
  seals: ifOpen(({ seals }) => seals),
  closed: ({ closed }) => closed,
});
