// The facts that the checks judge: plain data, so that those of one machine can be judged on another.

/** A feature of the kernel, from features(). */
export interface FeatureFact {
  readonly supported: boolean;
  readonly call: string;
  readonly since: string;
  readonly code?: string;
}

/** A path and its file system. Sizes are bytes. */
export interface PlaceFact {
  readonly path: string;
  /** The type in mountinfo: 'ext4', 'fuse.sshfs'. '' if unknown. */
  readonly type: string;
  /** statfs(2) f_type. */
  readonly magic: number;
  readonly mount: string;
  readonly readOnly: boolean;
  /** Files are mapped without the page cache. */
  readonly dax: boolean;
  /** 0: without a limit. */
  readonly size: number;
  /** Free for users other than root. */
  readonly free: number;
  /** 0: without a limit. */
  readonly inodes: number;
  readonly freeInodes: number;
  /** Why it cannot be examined: then everything else is empty. */
  readonly error?: string;
}

/** The control group with the least room: that of this process or one that contains it. Bytes. */
export interface GroupFact {
  readonly name: string;
  readonly version: 1 | 2;
  readonly limit: number;
  readonly current: number;
  /** The part of `current` that is page cache. */
  readonly cache: number;
}

/** The facts of a machine. NaN stands for a number that this kernel does not report. */
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
  /** Transparent huge pages: the selected words. '' if this kernel has none. */
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
