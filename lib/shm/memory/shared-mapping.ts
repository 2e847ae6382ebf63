// SharedMapping: a mapping of shared memory.
import { fstat } from '../../internal/descriptors/calls.js';
import { constants } from 'node:os';
import { type Handle, binding } from '../../internal/binding.js';
import { CallFacts } from '../../internal/call-facts.js';
import { refuseExternal } from '../../internal/buffer.js';
import { type BufferKind, PROTECTION } from '../../internal/enums.js';
import { retryAfterGc } from '../../internal/gc.js';
import { mapRemedy } from '../../internal/remedy.js';
import { OURS, outOfRange, validateInteger } from '../../internal/validate.js';
import { type Backing, MappedMemory, leaseOfDescriptor } from '../../mem/mapped-memory.js';
import { Mapping } from '../../mem/mapping.js';
import { check, systemError } from '../../internal/syscall.js';

const { errno } = constants;
const { MAP, PROT } = binding;

/** What a mapping of shared memory permits. `'copy-on-write'`: writes stay in this mapping. */
export type SharedAccess = 'read' | 'read-write' | 'copy-on-write';

export const ACCESS: Readonly<Record<SharedAccess, number>> = {
  read: PROT.READ,
  'read-write': PROT.READ | PROT.WRITE,
  'copy-on-write': PROT.READ | PROT.WRITE,
};

/** The memory of a descriptor. */
export interface Region {
  readonly fd: number;
  readonly secret: boolean;
  /** Bytes in a page. */
  readonly pageSize: number;
  readonly kind: BufferKind | undefined;
}

const facts = new CallFacts(binding.FACTS.file);

function flagsOf(access: SharedAccess, { secret, pageSize }: Region): number {
  if (access === 'copy-on-write') return MAP.PRIVATE;
  // As in mapFile(): a stray write then makes a private copy. Secret memory cannot be copied, and
  // there may be no huge pages for copies.
  const copies = access === 'read' && !secret && pageSize === binding.pageSize && binding.guardEnabled();
  return copies ? MAP.PRIVATE | MAP.NORESERVE : MAP.SHARED;
}

/** `access`: the access with which it was mapped, whatever protect() does later. */
function backingOf(access: SharedAccess, flags: number, secret: boolean): Backing {
  return {
    secret,
    backed: (pages) => fstat(pages.descriptor).size,
    // read(2) refuses secret memory.
    lease: (pages) => (secret || access === 'copy-on-write' ? undefined : leaseOfDescriptor(pages)),
    // Private pages would accept writes that do not reach the memory. The same rule applies to secret memory
    // and huge pages, although they are mapped shared.
    permit(wanted) {
      if (access === 'read' && (PROTECTION[wanted] & PROT.WRITE) !== 0) throw systemError(-errno.EACCES, 'mprotect', { remedy: mapAgain });
    },
    restore(pages, handle, prot) {
      check(binding.restore(handle, pages.descriptor, 0, prot, flags, access === 'copy-on-write'), 'mmap');
    },
  };
}

function mapAgain(): string {
  return "The memory was mapped with access: 'read' and cannot be made writable: call map() again with 'read-write'";
}

export let mapShared: (region: Region, access: SharedAccess) => SharedMapping;

/**
 * A mapping of shared memory, made by {@link SharedMemory.map}. It has its own descriptor, and stays
 * valid when the SharedMemory is closed.
 */
export class SharedMapping<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> extends Mapping<TArrayBuffer> {
  static {
    mapShared = (region, access) => SharedMapping.#of(region, access);
  }
  readonly #memory: MappedMemory;

  private constructor(key: typeof OURS, memory: MappedMemory) {
    super(key, memory);
    this.#memory = memory;
  }

  static #of(region: Region, access: SharedAccess): SharedMapping {
    const { kind, pageSize } = region;
    const movable = pageSize === binding.pageSize;
    refuseExternal(kind, movable);
    const flags = flagsOf(access, region);
    const handle: Handle = retryAfterGc(() =>
      binding.mapFile(region.fd, 0, 0, -1, -1, ACCESS[access], flags, 0n, 0, facts.numbers),
    );
    if (handle < 0) {
      throw systemError(handle, binding.STEPS.mapFile[facts.get('step')] || 'mmap', {
        remedy: (code) => (code === 'EPERM' ? 'A seal of the memory forbids writable mappings: see the property seals' : mapRemedy(flags, undefined, ACCESS[access])(code)),
      });
    }
    const pages = { handle, byteOffset: 0, length: facts.get('length'), kind, movable, pageSize };
    return new SharedMapping(OURS, new MappedMemory(pages, access, backingOf(access, flags, region.secret)));
  }

  /**
   * Maps another length of the memory, up to its present length, which a peer may have changed. Does not
   * change the memory itself. Earlier views end.
   *
   * @throws {RangeError} ERR_OUT_OF_RANGE past the end of the memory
   */
  override resize(length: number): void {
    const has = fstat(this.#memory.pages.descriptor).size;
    validateInteger(length, 'length', 1);
    if (length > has) throw outOfRange('length', `<= ${has}, the length of the memory`, length);
    this.#memory.repair();
    const handle = this.#memory.pages.open();
    this.#memory.resize(length, () => {
      check(binding.resize(handle, length), 'mremap', { feature: 'remapKeepingFiles', remedy: mapRemedy(0) });
      return handle;
    });
  }

  /**
   * Maps pages again that the guard has replaced, and shortens the mapping if a peer has shrunk the
   * memory: earlier views end then.
   *
   * @returns whether the length changed
   */
  refresh(): boolean {
    this.#memory.repair();
    const has = fstat(this.#memory.pages.descriptor).size;
    if (has >= this.length || has === 0) return false;
    this.resize(has);
    return true;
  }
}
