// How much memory mappings use: the fields of /proc/PID/smaps.

/** The memory that mappings use, in bytes: proc_pid_smaps(5). */
export interface Footprint {
  /** Bytes in memory: Rss. Without huge pages of a pool, which `hugePool` counts. */
  readonly resident: number;
  /** `resident`, with each page divided by the number of processes that map it: Pss. */
  readonly proportional: number;
  /** The part of `proportional` that has been written to: Pss_Dirty. Undefined before Linux 6.0. */
  readonly proportionalDirty: number | undefined;
  /** Also mapped by other processes, and unchanged. */
  readonly sharedClean: number;
  /** Also mapped by other processes, and written to. */
  readonly sharedDirty: number;
  /** Mapped only by this process, and unchanged. */
  readonly privateClean: number;
  /** Mapped only by this process, and written to. */
  readonly privateDirty: number;
  /** Accessed since the kernel last looked, or since /proc/PID/clear_refs. */
  readonly referenced: number;
  /** Without a file: anonymous memory, and copies made by writes to private mappings. */
  readonly anonymous: number;
  /** Released with MADV_FREE, and not yet reclaimed. */
  readonly lazyFree: number;
  /** Anonymous memory that is swapped out: Swap. */
  readonly swapped: number;
  /** `swapped`, with each page divided by the number of processes that map it: SwapPss. */
  readonly swappedProportional: number;
  /** The part of `proportional` that is locked in memory: mlock(2). */
  readonly locked: number;
  /** The parts of `resident` that transparent huge pages map. */
  readonly hugeTransparent: {
    readonly anonymous: number;
    /** tmpfs and shared memory: ShmemPmdMapped. */
    readonly shared: number;
    readonly file: number;
  };
  /** Huge pages of a pool, which no other field counts. */
  readonly hugePool: { readonly shared: number; readonly private: number };
}

/** The memory that one mapping uses, and how the kernel treats it: proc_pid_smaps(5). */
export interface Usage extends Footprint {
  /** Bytes in a page: of the pool for huge pages, otherwise of the machine. */
  readonly pageSize: number;
  /** Bytes that an entry of the processor's page tables maps. */
  readonly mmuPageSize: number;
  /** The memory protection key: pkeys(7). Undefined on processors without them. */
  readonly protectionKey: number | undefined;
  /**
   * The kernel's two letters for each flag: see VmFlags in proc_pid_smaps(5). 'sl' is sealed, 'lo' locked,
   * 'ht' of a pool of huge pages, 'hg' advised 'hugepage', 'dd' not dumped.
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

  /** Adds the fields of another. A field that neither has stays NaN. */
  add(other: Fields): void {
    for (let place = 0; place < KEYS.length; place++) {
      const value = other.#values[place] ?? NaN;
      if (!Number.isNaN(value)) this.#values[place] = (this.#values[place] || 0) + value;
    }
  }
}

function footprint(fields: Fields): Footprint {
  // An older kernel that does not count something does not have it.
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

/** Reads the fields that follow the first line of each mapping in smaps. */
export class UsageReader {
  readonly #fields = new Fields();
  readonly #sum = new Fields();
  #flags: readonly string[] = [];
  /** Most mappings have the same flags as another: their arrays are shared. */
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

  /** The usage from the lines since the last call. */
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

  /** The sum of all mappings so far. */
  total(): Footprint {
    return footprint(this.#sum);
  }
}
