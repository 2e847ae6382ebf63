// The typed contract of the native addon, and the only place that loads it.
//
// A function that can fail returns a negative number, -errno, as the kernel does.
// `check` in lib/internal/syscall.ts lifts it into an exception.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isRestricted } from './path.js';

/** Number of an open mapping of this thread. Never reused. */
export type Handle = number;

/** Where the guard counts the faults of a mapping. */
export type CountsId = number;

/**
 * Where a call acts: a handle, a view (which keeps its memory alive), or a bare address.
 * The two numbers that follow are the offset from there and the length, in bytes.
 */
export type Target = Handle | Uint8Array | bigint;

/** A path, its bytes, or a descriptor. */
export type NativeFile = string | Uint8Array | number;

export type Constants<Name extends string> = Readonly<Record<Name, number>>;

type RangeCall = (target: Target, offset: number, length: number) => number;
type RangeCallWith = (target: Target, offset: number, length: number, flags: number) => number;

type CopyCall = (target: Target, offset: number, length: number, bytes: Uint8Array) => number;

type FaultKindName = 'truncated' | 'no-space' | 'memory-failure' | 'read-only' | 'no-access' | 'after-close';

interface FactTables {
  readonly file: Constants<'step' | 'size' | 'length' | 'filesystem' | 'mode' | 'device' | 'inode' | 'changedSeconds' | 'changedNanoseconds'>;
  readonly sharedMemory: Constants<'memory' | 'secret' | 'writable' | 'length' | 'pageSize' | 'seals'>;
  readonly behind: Constants<'start' | 'end' | 'inode' | 'shared' | 'writable'>;
  /** permissions: PROT, and 8: shared. */
  readonly map: Constants<'start' | 'end' | 'permissions' | 'offset' | 'major' | 'minor' | 'inode'>;
  readonly peer: Constants<'pid' | 'uid' | 'gid'>;
  /** Descriptors received, and whether some were lost because there was no room for them. */
  readonly received: Constants<'fds' | 'lost'>;
  /** Pages. */
  readonly migration: Constants<'moved' | 'absent' | 'failed'>;
  readonly cachestat: Constants<'cached' | 'dirty' | 'writeback' | 'evicted' | 'recentlyEvicted'>;
  /** Of each file. */
  readonly touched: Constants<'errno' | 'step' | 'size' | 'present' | 'read' | 'device' | 'inodeHigh' | 'inodeLow' | 'holes' | 'nextData' | 'modifiedSeconds' | 'modifiedNanoseconds'>;
  /** Of each file. */
  readonly surveyed: Constants<'errno' | 'size' | 'modifiedSeconds' | 'modifiedNanoseconds' | 'device' | 'inodeHigh' | 'inodeLow' | 'known' | 'faked' | 'runs'>;
  /** Before the runs: which bits of PAGE_STATE the kernel reported, and whether residency is only claimed. */
  readonly residency: Constants<'known' | 'faked'>;
  /** Of each run of pages that are alike. */
  readonly run: Constants<'length' | 'state' | 'node'>;
  readonly census: Constants<'live' | 'retired' | 'retiredBytes'>;
}

export interface Binding {
  /** Reserves addresses to map into with MAP.FIXED. */
  reserve(length: number): Handle;
  map(address: bigint, length: number, prot: number, flags: number, fd: number, offset: number): Handle;
  /** Fills `facts`: FACTS.file. */
  mapFile(
    file: NativeFile,
    openFlags: number,
    offset: number,
    length: number,
    growTo: number,
    prot: number,
    flags: number,
    address: bigint,
    keepAbove: number,
    facts: Float64Array,
  ): Handle;
  mapMemfd(
    name: string,
    memfdFlags: number,
    length: number,
    prot: number,
    flags: number,
    address: bigint,
    step: Float64Array,
  ): Handle;
  /** Maps a part of a file twice in a row, onto the buffer of the view if there is one. */
  mapMirrored(fd: number, offset: number, length: number, over?: Uint8Array): Handle;
  close(handle: Handle): number;
  release(handle: Handle): void;
  resize(handle: Handle, length: number): number;
  address(handle: Handle): bigint;
  mappedLength(handle: Handle): number;
  descriptor(handle: Handle): number;
  growFile(fd: number, oldSize: number, size: number): number;
  /**
   * FACTS.residency, then FACTS.run of each run. `fd`: the mapped file, or -1. `nodes`: whether to report NUMA nodes.
   */
  residency(target: Target, offset: number, length: number, fd: number, fileOffset: number, nodes: boolean): Float64Array | number;
  /**
   * As residency(), for a file that is not mapped. -errno if only a mapping can answer, or give the right error.
   * `length` -1: to the end of the file. Writes the length into `facts`.
   */
  residencyOf(file: NativeFile, offset: number, length: number, facts: Float64Array): Float64Array | number;
  /**
   * The residency of that part of each file, as far as the file has it. `paths`: each ends with a NUL. Starts no
   * further file after 1 GiB. FACTS.surveyed for each file it got to, at least one, each followed by FACTS.run of each of
   * its runs. errno: only a mapping can answer, or give the right error. Device and inode are zeros unless the file has
   * several names.
   */
  surveyAsync(paths: Uint8Array, offset: number, length: number): Promise<Float64Array> | number;
  /** The instruction that writes cache lines back to persistent memory, if there is one. */
  writeBackInstruction(): string | undefined;
  /** Bytes, not pages. Only with a {@link writeBackInstruction}. */
  writeBack: RangeCall;
  /** FACTS.census: ranges of the process; how many of them are closed but still reachable; bytes of those. */
  census(): Float64Array;
  /** Forgets ranges that the engine has unmapped with their buffers. */
  sweep(): void;

  arrayBuffer(handle: Handle, length: number): ArrayBuffer | number;
  sharedBuffer(handle: Handle, length: number): SharedArrayBuffer | number;
  overlay(handle: Handle, view: Uint8Array): number;
  hasExternalBuffers(): boolean;
  hasExternalShared(): boolean;
  detach(buffer: ArrayBuffer): void;
  collect(): void;

  /** Whether this is the first thread of the process: Node's main thread, whose signals a program listens to. */
  readonly onFirstThread: boolean;
  guardEnabled(): boolean;
  /** False if something has been mapped already. */
  disableGuard(): boolean;
  /** Puts the handlers back in place, if they have been in use. */
  rearmGuard(): void;
  /** 0, or the error for check() that arming the guard would meet now. Arms nothing. */
  missingOfGuard(): number;
  /** The number of the mapping's counts, valid until dropCounts. 0: it has no pages. */
  holdCounts(handle: Handle): CountsId;
  dropCounts(counts: CountsId): void;
  /** Fills `out` with counts, offsets and lengths, each by kind. `counts` 0: those of the process. */
  faults(counts: CountsId, out: Float64Array): void;
  /** The number of faults of the process, as it grows. Undefined where buffers over memory are forbidden. */
  faultCounter(): Uint32Array | undefined;
  /** -1, or where the lost end of the file begins; Infinity if the guard replaced pages otherwise. */
  fixedUp(handle: Handle): number;
  /** `told`: the caller reports other handlers of SIGBUS and SIGSEGV with rearmGuard(). If not, a thread looks for them. */
  watchHandlers(told: boolean): number;
  restore(handle: Handle, fd: number, offset: number, prot: number, flags: number, lostEndOnly: boolean): number;
  /** Maps all pages anew. EBUSY while the guard has replaced some. `keepOwn`: not those that a private mapping has written. */
  renew(handle: Handle, fd: number, offset: number, prot: number, flags: number, keepOwn: boolean): number;
  /** Bytes copied, to or from the array: fewer where the memory ends. */
  copyOut: CopyCall;
  copyIn: CopyCall;
  onFault(callback: () => void): number;

  munmap: RangeCall;
  mprotect: RangeCallWith;
  msync: RangeCallWith;
  madvise: RangeCallWith;
  mlock: RangeCall;
  mlock2: RangeCallWith;
  munlock: RangeCall;
  mseal: RangeCallWith;
  mremap(
    target: Target,
    offset: number,
    oldLength: number,
    newLength: number,
    flags: number,
    newAddress: bigint,
  ): Handle;
  mincore(target: Target, offset: number, length: number, vec: Uint8Array): number;
  mlockall(flags: number): number;
  munlockall(): number;
  processMadvise(pidfd: number, ranges: BigUint64Array, advice: number, flags: number): number;
  owns(target: Target, offset: number, length: number): boolean;
  addressOf(view: Uint8Array): bigint;
  msyncAsync(target: Target, offset: number, length: number, flags: number): Promise<number> | number;
  madviseAsync(target: Target, offset: number, length: number, advice: number): Promise<number> | number;

  // Nodes are Int32Arrays of their numbers, 0 to 1023; null stands for no mask.
  mbind(target: Target, offset: number, length: number, mode: number, nodes: Int32Array | null, flags: number): number;
  setMempolicyHomeNode(target: Target, offset: number, length: number, node: number, flags: number): number;
  /** The mode, then the nodes. */
  getMempolicy(address: bigint, flags: number): Int32Array | number;
  setMempolicy(mode: number, nodes: Int32Array | null): number;
  /** The number of pages not moved. Fills `status`, which has as many entries as `addresses`, and `nodes`. */
  movePages(pid: number, addresses: BigUint64Array, nodes: Int32Array | null, status: Int32Array, flags: number): number;
  /** The number of pages not moved. */
  migratePages(pid: number, from: Int32Array, to: Int32Array): number;
  /** Fills `nodes`, one entry for each `unit` bytes: the node, or -errno. */
  nodesOf(target: Target, offset: number, length: number, unit: number, nodes: Int32Array): number;
  /** Fills `counts`: FACTS.migration. */
  migrate(target: Target, offset: number, length: number, unit: number, node: number, counts: Float64Array): number;

  ftruncate(fd: number, length: number): number;
  /** fsync(2), or without `metadata` fdatasync(2): Node's own are disabled under `node --permission`. */
  syncFile(fd: number, metadata: boolean): number;
  /** Starts writing what is dirty, without waiting: sync_file_range(2). */
  syncFileRange(fd: number, offset: number, length: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  posixFadvise(fd: number, offset: number, length: number, advice: number): number;
  cachestat(fd: number, offset: number, length: number, flags: number, counts: Float64Array): number;
  memfdCreate(name: string, flags: number): number;
  pidfdOpen(pid: number, flags: number): number;
  /**
   * Reads the missing pages of that part of each file into the page cache. `paths`: each ends with a NUL.
   * Starts no further file once `budget` bytes or more were missing. FACTS.touched for each file it got to, at least
   * one. Present is -1 if the kernel does not report it; device and inode are zeros unless the file has several names.
   * `holes`: whether to read holes. Next data is 0 unless the part ends in a hole that was not read.
   */
  touchAsync(paths: Uint8Array, offset: number, length: number, budget: number, holes: boolean): Promise<Float64Array> | number;
  /**
   * The same for parts of each file, holes too. `parts`: of each file the number of its parts, then the offset and length
   * of each, ascending. EOPNOTSUPP for a file of which the kernel does not report what is present: nothing of it is read.
   */
  touchPartsAsync(paths: Uint8Array, parts: Float64Array, budget: number): Promise<Float64Array> | number;

  /** 0 if the kernel has the feature of that name (lib/internal/features.ts), otherwise the reason as -errno. */
  probe(feature: string): number;

  shmOpen(name: string, flags: number, mode: number): number;
  shmUnlink(name: string): number;
  memfdSecret(flags: number): number;
  addSeals(fd: number, seals: number): number;
  getSeals(fd: number): number;

  /** The descriptor, which closes with the thread: closeFd, giveFd. `step`: the call that failed. */
  createSharedMemory(name: string | null, memfdFlags: number, secret: boolean, length: number, step: Float64Array): number;
  /** Fills `facts`: FACTS.sharedMemory. */
  examineSharedMemory(fd: number, facts: Float64Array): number;
  openSharedMemory(name: string, flags: number): number;
  openFd(path: string, flags: number): number;
  dupFd(fd: number): number;
  /** Closes a descriptor that the thread holds. */
  closeFd(fd: number): void;
  /** The descriptor is the caller's from here on. */
  giveFd(fd: number): void;

  socketUnix(): number;
  /** `address`: the bytes of sun_path. */
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  accept(fd: number): number;
  /** Fills `out`: FACTS.peer. */
  peerCredentials(fd: number, out: Float64Array): number;
  /** Bytes sent; the descriptors, at most 253, go with the first. */
  sendPart(fd: number, bytes: Uint8Array, fds: Int32Array): number;
  /** Bytes received, 0 at the end. Fills `fds`, which the thread holds, and `facts`: how many, and whether some were lost. */
  receivePart(fd: number, bytes: Uint8Array, fds: Int32Array, facts: Float64Array): number;
  /** How many bytes wait to be read. Copies as many of them into `bytes` as fit. 0 at the end. */
  peek(fd: number, bytes: Uint8Array): number;

  onReady(callback: () => void): number;
  keepAlive(keep: boolean): void;
  takeReady(): Uint32Array;
  arm(fd: number, watch: number, forReading: boolean, forWriting: boolean): number;
  disarm(fd: number): void;

  /** Sleeps while the word holds `expected`: 0 if woken, or -EAGAIN, -ETIMEDOUT, -EINTR, -EFAULT. */
  futexWait(words: Int32Array, index: number, expected: number, ms: number): number;
  futexWake(words: Int32Array, index: number, count: number): number;
  /** The same on the word at any address; -EFAULT where there is none. */
  futexWaitAt(address: bigint, expected: number, ms: number): number;
  futexWakeAt(address: bigint, count: number): number;
  /** Index of the word that was woken, or -EAGAIN, -ETIMEDOUT, -EINTR, -EFAULT. */
  futexWaitv(addresses: BigUint64Array, expected: Int32Array, ms: number): number;
  /** `callback` gets the number of each wait of this thread that is over, or whose word has changed. `inLoop`: through libuv if possible. */
  onWake(callback: (wait: number) => void, inLoop: boolean): number;
  waitAsync(words: Int32Array, index: number, expected: number, ms: number): number;
  /** False if the wait is over already: its callback will still come. */
  cancelWait(wait: number): boolean;
  /** A wait that goes on until unwatch(): the words must stay mapped. Does not keep the process alive. */
  watch(words: Int32Array, index: number, expected: number): number;
  unwatch(wait: number): void;
  /** The path of what is mapped at the words. Fills `facts`: FACTS.behind. */
  behind(words: Int32Array, facts: Float64Array): string | number;
  /** Opens the file again; -ENOENT unless it has this inode. The thread holds the descriptor: closeFd. */
  openLivenessFile(path: string, inode: number): number;
  localLivenessFile(): number;
  claimId(fd: number, id: number): number;
  isAlive(fd: number, id: number): number;

  /**
   * The path or name of the mapping at the address, by PROCMAP_QUERY; -ENOENT if there is none. Fills
   * `facts`: FACTS.map.
   */
  mapAt(address: bigint, facts: BigUint64Array): string | number;
  /** Whether memmap mapped some of this memory, also at addresses of the runtime. */
  holdsOurs(address: bigint, length: number): boolean;

  count(target: Target, offset: number, length: number, byte: number): number;
  indexOf(target: Target, offset: number, length: number, needle: Uint8Array): number;
  positions(target: Target, offset: number, length: number, byte: number, out: Uint32Array): number;
  /** XXH32 as a signed word, of a part that lies inside `bytes`. */
  xxh32(bytes: Uint8Array, offset: number, length: number, seed: number): number;

  // Values come from the system headers; none is written by hand in TypeScript.
  readonly pageSize: number;
  readonly PROT: Constants<'NONE' | 'READ' | 'WRITE' | 'EXEC' | 'GROWSDOWN' | 'GROWSUP'>;
  readonly MAP: Constants<
    | 'SHARED' | 'PRIVATE' | 'SHARED_VALIDATE' | 'DROPPABLE' | 'FIXED' | 'ANONYMOUS'
    | 'GROWSDOWN' | 'LOCKED' | 'NORESERVE' | 'POPULATE' | 'NONBLOCK' | 'STACK' | 'HUGETLB'
    | 'SYNC' | 'FIXED_NOREPLACE' | 'HUGE_SHIFT' | 'HUGE_MASK' | 'HUGE_2MB' | 'HUGE_1GB'
  >;
  readonly MS: Constants<'ASYNC' | 'INVALIDATE' | 'SYNC'>;
  readonly MADV: Constants<
    | 'NORMAL' | 'RANDOM' | 'SEQUENTIAL' | 'WILLNEED' | 'DONTNEED' | 'FREE' | 'REMOVE'
    | 'DONTFORK' | 'DOFORK' | 'MERGEABLE' | 'UNMERGEABLE' | 'HUGEPAGE' | 'NOHUGEPAGE'
    | 'DONTDUMP' | 'DODUMP' | 'WIPEONFORK' | 'KEEPONFORK' | 'COLD' | 'PAGEOUT'
    | 'POPULATE_READ' | 'POPULATE_WRITE' | 'DONTNEED_LOCKED' | 'COLLAPSE' | 'HWPOISON'
    | 'SOFT_OFFLINE' | 'GUARD_INSTALL' | 'GUARD_REMOVE'
  >;
  readonly MREMAP: Constants<'MAYMOVE' | 'FIXED' | 'DONTUNMAP'>;
  readonly MLOCK: Constants<'ONFAULT'>;
  readonly MCL: Constants<'CURRENT' | 'FUTURE' | 'ONFAULT'>;
  readonly MFD: Constants<
    'CLOEXEC' | 'ALLOW_SEALING' | 'HUGETLB' | 'NOEXEC_SEAL' | 'EXEC' | 'HUGE_2MB' | 'HUGE_1GB'
  >;
  readonly MPOL: Constants<
    | 'DEFAULT' | 'PREFERRED' | 'BIND' | 'INTERLEAVE' | 'LOCAL' | 'PREFERRED_MANY' | 'WEIGHTED_INTERLEAVE'
    | 'F_STATIC_NODES' | 'F_RELATIVE_NODES' | 'F_NUMA_BALANCING' | 'F_NODE' | 'F_ADDR' | 'F_MEMS_ALLOWED'
    | 'MF_STRICT' | 'MF_MOVE' | 'MF_MOVE_ALL'
  >;
  readonly FALLOC: Constants<
    'KEEP_SIZE' | 'PUNCH_HOLE' | 'COLLAPSE_RANGE' | 'ZERO_RANGE' | 'INSERT_RANGE' | 'UNSHARE_RANGE'
  >;
  readonly FADV: Constants<'NORMAL' | 'RANDOM' | 'SEQUENTIAL' | 'WILLNEED' | 'DONTNEED' | 'NOREUSE'>;
  readonly O: Constants<'RDONLY' | 'RDWR' | 'CREAT' | 'EXCL' | 'CLOEXEC'>;
  /** Errors that `os.constants` lacks. */
  readonly E: Constants<'TOOMANYREFS'>;
  readonly F_SEAL: Constants<'SEAL' | 'SHRINK' | 'GROW' | 'WRITE' | 'FUTURE_WRITE' | 'EXEC'>;
  readonly FILESYSTEM: Readonly<Record<string, number>>;

  /** The index of each number in the array that a call writes: napi/facts.h. */
  readonly FACTS: FactTables;
  /** The system call of each step of a call that makes several; '' where it makes none, or the caller chooses. */
  readonly STEPS: Readonly<Record<'mapFile' | 'mapMemfd' | 'createSharedMemory' | 'touch', readonly string[]>>;
  /** The step of mapFile that makes no call: the range lies past the end. */
  readonly STEP_RANGE: number;
  /** In the order of the arrays of faults(). */
  readonly FAULT_KINDS: readonly FaultKindName[];
  /** Bits of the state of a page. */
  readonly PAGE_STATE: Constants<
    'resident' | 'mapped' | 'swapped' | 'huge' | 'dirty' | 'writeback' | 'evicted' | 'recentlyEvicted' | 'private'
  >;
  /** Numbers beyond every errno. A call returns -NOT_OURS, or adds another to the errno of what the guard failed to get. */
  readonly FAILURE: Constants<'NOT_OURS' | 'NO_CLOSED_PAGES' | 'NO_PROC'>;
  /** NODES: no kernel has more. SHARE_OF_RUNTIME: memmap leaves one in this many of the kernel's mappings to the runtime. */
  readonly LIMIT: Constants<'NODES' | 'SHARE_OF_RUNTIME'>;
  /** The name of the memfd whose pages replace a closed mapping. */
  readonly closedPagesName: string;
}

function load(): Binding {
  if (process.platform !== 'linux') {
    throw Object.assign(new Error(`memmap runs on Linux only, not on ${process.platform}`), {
      code: 'ERR_MEMMAP_PLATFORM',
    });
  }
  // MEMMAP_ADDON names another build of the addon: the tests run a sanitized one.
  const addon = process.env['MEMMAP_ADDON'];
  const require = createRequire(import.meta.url);
  if (addon !== undefined) return require(addon) as Binding;
  // The package's folder, from lib/internal as from dist/chunks.
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const built = `${root}build/Release/memmap.node`;
  if (existsSync(built)) return require(built) as Binding;
  return withLibc(() => (require('node-gyp-build') as (root: string) => Binding)(root));
}

/** node-gyp-build reads /etc/alpine-release, which `node --permission` may forbid, unless LIBC names the C library. */
function withLibc(loadIt: () => Binding): Binding {
  if (!isRestricted() || process.env['LIBC'] !== undefined) return loadIt();
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  process.env['LIBC'] = header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  try {
    return loadIt();
  } finally {
    delete process.env['LIBC'];
  }
}

export const binding: Binding = load();

// When a program listens for these signals, Node's handlers replace the guard's, and leave none when it
// stops listening. This puts the guard's back in front. It is here because every entry point that can map
// memory loads this file. (node:worker_threads, which knows the main thread, takes 3 ms to load.)
if (binding.onFirstThread) {
  for (const event of ['newListener', 'removeListener'] as const) {
    process.on(event, (signal: string | symbol) => {
      if (signal === 'SIGBUS' || signal === 'SIGSEGV') binding.rearmGuard();
    });
  }
  binding.watchHandlers(true);
} else {
  // The main thread may not have loaded this file; then it does not report its listeners.
  binding.watchHandlers(false);
}
