// What the checks judge: plain data, so that the facts of any machine can be judged on another.

/** A kernel's feature, as features() has it. */
export interface FeatureFact {
  readonly supported: boolean;
  readonly call: string;
  readonly since: string;
  readonly code?: string;
}

/** A file system, and a path that was asked for on it. Bytes. */
export interface PlaceFact {
  readonly path: string;
  /** As mountinfo has it: 'ext4', 'fuse.sshfs'. '' if unknown. */
  readonly type: string;
  /** statfs(2) f_type. */
  readonly magic: number;
  readonly mount: string;
  readonly readOnly: boolean;
  /** Files are mapped without the page cache. */
  readonly dax: boolean;
  /** 0: without a limit. */
  readonly size: number;
  /** For those who are not root. */
  readonly free: number;
  /** 0: without a limit. */
  readonly inodes: number;
  readonly freeInodes: number;
  /** Why it cannot be looked at: all else is empty then. */
  readonly error?: string;
}

/** Of the control group, and those it is in, the one with least room. Bytes. */
export interface GroupFact {
  readonly name: string;
  readonly version: 1 | 2;
  readonly limit: number;
  readonly current: number;
  /** Of `current`, page cache. */
  readonly cache: number;
}

/** NaN is a number that this kernel does not tell. */
export interface Facts {
  readonly kernel: string;
  readonly root: boolean;
  readonly maxMapCount: number;
  /** Bytes, except for `mode` and `ratio`: vm.overcommit_memory, vm.overcommit_ratio. */
  readonly overcommit: { readonly mode: number; readonly ratio: number; readonly limit: number; readonly committed: number };
  /** RLIMIT_MEMLOCK, bytes or Infinity. */
  readonly lock: { readonly soft: number; readonly hard: number; readonly capable: boolean };
  readonly memory: { readonly total: number; readonly available: number };
  readonly swap: { readonly total: number; readonly free: number; readonly swappiness: number };
  readonly pools: readonly { readonly size: number; readonly total: number; readonly free: number; readonly reserved: number; readonly overcommit: number }[];
  /** Transparent huge pages: the words that are chosen. '' if this kernel has none. */
  readonly transparent: { readonly enabled: string; readonly defrag: string; readonly shmem: string };
  readonly numa: {
    readonly nodes: readonly { readonly id: number; readonly cpus: number; readonly total: number; readonly free: number }[];
    readonly balancing: number;
    readonly zoneReclaim: number;
  };
  readonly shm: PlaceFact;
  readonly group: GroupFact | undefined;
  readonly supports: Readonly<Record<string, FeatureFact>>;
  readonly guard: { readonly armed: boolean; readonly lacks: readonly string[] };
  /** kernel.io_uring_disabled. */
  readonly ringsDisabled: number;
  readonly places: readonly PlaceFact[];
}
