// What mappings take: the fields of /proc/PID/smaps.

/** What memory takes, in bytes: proc_pid_smaps(5). */
export interface Footprint {
  /** In memory: Rss. Without pages of a pool of huge pages, which `hugePool` counts. */
  readonly resident: number;
  /** Of that, each page divided by the number of processes that map it: Pss. */
  readonly proportional: number;
  /** Of that, pages that have been written to: Pss_Dirty. Undefined before Linux 6.0. */
  readonly proportionalDirty: number | undefined;
  /** Mapped by others, too, and as the file has it. */
  readonly sharedClean: number;
  /** Mapped by others, too, and written to. */
  readonly sharedDirty: number;
  /** Mapped here alone, and as the file has it. */
  readonly privateClean: number;
  /** Mapped here alone, and written to. */
  readonly privateDirty: number;
  /** Touched since the kernel last looked, or since /proc/PID/clear_refs. */
  readonly referenced: number;
  /** Of no file: anonymous memory, and copies that writes to private mappings have made. */
  readonly anonymous: number;
  /** Given up with MADV_FREE, and not taken yet. */
  readonly lazyFree: number;
  /** Swapped out, anonymous memory: Swap. */
  readonly swapped: number;
  /** Of that, each page divided by the number of processes that have it: SwapPss. */
  readonly swappedProportional: number;
  /** Of `proportional`, locked in memory: mlock(2). */
  readonly locked: number;
  /** Of `resident`, mapped by transparent huge pages. */
  readonly hugeTransparent: {
    readonly anonymous: number;
    /** Of tmpfs and shared memory: ShmemPmdMapped. */
    readonly shared: number;
    readonly file: number;
  };
  /** Pages of a pool of huge pages, which no other field counts. */
  readonly hugePool: { readonly shared: number; readonly private: number };
}

/** What one mapping takes, and how the kernel treats it: proc_pid_smaps(5). */
export interface Usage extends Footprint {
  /** Bytes in a page: of the pool for huge pages, else of the machine. */
  readonly pageSize: number;
  /** Bytes in a page of the processor's tables. */
  readonly mmuPageSize: number;
  /** pkeys(7). Undefined on processors without them. */
  readonly protectionKey: number | undefined;
  /**
   * The two letters of each flag, as the kernel has them: proc_pid_smaps(5), VmFlags, explains them.
   * 'sl' is sealed, 'lo' locked, 'ht' of a pool of huge pages, 'hg' advised 'hugepage', 'dd' not dumped.
   */
  readonly flags: readonly string[];
}

const KEYS = [
  'Rss', 'Pss', 'Pss_Dirty', 'Shared_Clean', 'Shared_Dirty', 'Private_Clean', 'Private_Dirty', 'Referenced',
  'Anonymous', 'LazyFree', 'Swap', 'SwapPss', 'Locked', 'AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped',
  'Shared_Hugetlb', 'Private_Hugetlb', 'KernelPageSize', 'MMUPageSize', 'ProtectionKey',
] as const;
type Key = (typeof KEYS)[number];
const PLACE: ReadonlyMap<string, number> = new Map(KEYS.map((key, place) => [key, place]));

const FLAGS = 'VmFlags';

/** Fields of smaps, by their place in KEYS. NaN: this kernel has no such field. */
class Fields {
  readonly #values = new Float64Array(KEYS.length).fill(NaN);

  set(key: string, text: string): void {
    const place = PLACE.get(key);
    if (place !== undefined) this.#values[place] = Number.parseInt(text, 10) * (key === 'ProtectionKey' ? 1 : 1024);
  }

  get(key: Key): number | undefined {
    const value = this.#values[PLACE.get(key) ?? -1] ?? NaN;
    return Number.isNaN(value) ? undefined : value;
  }

  clear(): void {
    this.#values.fill(NaN);
  }

  /** Adds what another has; a field that none had is still none. */
  add(other: Fields): void {
    for (let place = 0; place < KEYS.length; place++) {
      const value = other.#values[place] ?? NaN;
      if (!Number.isNaN(value)) this.#values[place] = (this.#values[place] || 0) + value;
    }
  }
}

function footprint(fields: Fields): Footprint {
  // What an older kernel does not count, it does not do.
  const bytes = (key: Key): number => fields.get(key) ?? 0;
  return {
    resident: bytes('Rss'),
    proportional: bytes('Pss'),
    proportionalDirty: fields.get('Pss_Dirty'),
    sharedClean: bytes('Shared_Clean'),
    sharedDirty: bytes('Shared_Dirty'),
    privateClean: bytes('Private_Clean'),
    privateDirty: bytes('Private_Dirty'),
    referenced: bytes('Referenced'),
    anonymous: bytes('Anonymous'),
    lazyFree: bytes('LazyFree'),
    swapped: bytes('Swap'),
    swappedProportional: bytes('SwapPss'),
    locked: bytes('Locked'),
    hugeTransparent: {
      anonymous: bytes('AnonHugePages'),
      shared: bytes('ShmemPmdMapped'),
      file: bytes('FilePmdMapped'),
    },
    hugePool: { shared: bytes('Shared_Hugetlb'), private: bytes('Private_Hugetlb') },
  };
}

/** Gathers the lines that smaps has below the one of maps, mapping by mapping. */
export class UsageReader {
  readonly #fields = new Fields();
  readonly #sum = new Fields();
  #flags: readonly string[] = [];
  /** Most mappings have the flags of another. */
  readonly #known = new Map<string, readonly string[]>();

  /** Whether a line of smaps is a field: those of mappings begin with a hexadecimal digit. */
  static isField(line: string): boolean {
    const first = line.charCodeAt(0);
    return first >= 65 && first <= 90;
  }

  take(line: string): void {
    const colon = line.indexOf(':');
    const key = line.slice(0, colon);
    const text = line.slice(colon + 1);
    if (key === FLAGS) this.#flags = this.#flagsOf(text.trim());
    else this.#fields.set(key, text);
  }

  /** What the lines since the last call say. */
  finish(): Usage {
    const usage = {
      ...footprint(this.#fields),
      pageSize: this.#fields.get('KernelPageSize') ?? 0,
      mmuPageSize: this.#fields.get('MMUPageSize') ?? 0,
      protectionKey: this.#fields.get('ProtectionKey'),
      flags: this.#flags,
    };
    this.#sum.add(this.#fields);
    this.#fields.clear();
    this.#flags = [];
    return usage;
  }

  #flagsOf(text: string): readonly string[] {
    let flags = this.#known.get(text);
    if (flags === undefined) {
      flags = Object.freeze(text === '' ? [] : text.split(' '));
      this.#known.set(text, flags);
    }
    return flags;
  }

  /** Of all mappings so far. */
  total(): Footprint {
    return footprint(this.#sum);
  }
}
