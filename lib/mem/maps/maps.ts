// The map of a process: what is mapped where, and how much memory it uses. proc_pid_maps(5)
import { constants } from 'node:os';
import { binding } from '../../internal/binding.js';
import { countsAsMapping, mappingLimit, readLines, readText } from '../../internal/kernel-files.js';
import { validateAddress, validateBoolean, validateOptions, validatePid } from '../../internal/validate.js';
import { type EntryInMaking, EntryParser, type MapEntry, type Whose } from './map-entry.js';
import { type Footprint, UsageReader } from './usage.js';
import { failure } from '../../internal/syscall.js';

const { errno } = constants;

/** Options of {@link maps}. */
export interface MapsOptions {
  /** The process, or a thread of it. @default this process */
  readonly pid?: number | undefined;
  /**
   * Report the memory that each mapping uses. The kernel then looks at each mapped page, so the call takes
   * longer the more is in memory. @default false
   */
  readonly usage?: boolean | undefined;
}

/** Options of {@link maps} for the mapping at one address. */
export interface MapsAtOptions extends MapsOptions {
  /** Only the mapping that holds this address. */
  readonly at: bigint;
}

/** What {@link maps} finds at one address. */
export interface MapsAt {
  /** The mapping that holds the address; none if nothing is mapped there. */
  readonly mappings: readonly MapEntry[];
  /** The sum of their usage, with `usage: true`. */
  readonly total: Footprint | undefined;
}

/** The map of a process. */
export interface Maps extends MapsAt {
  /** By ascending address. Empty for a process without memory of its own: a zombie, a kernel thread. */
  readonly mappings: readonly MapEntry[];
  /**
   * Mappings that count against `limit`: all except [vsyscall], a page of the kernel that x86-64
   * lists in every process.
   */
  readonly count: number;
  /**
   * How many mappings a process may have: vm.max_map_count. At the limit mmap(2) fails with ENOMEM. NaN if
   * /proc/sys is not mounted.
   */
  readonly limit: number;
}

/**
 * Lists what is mapped in a process, this one or another of the same user. The map is not a snapshot of
 * one moment: other threads may map and unmap while it is read. What is mapped throughout the call is in
 * the result once, and no two mappings overlap. All sizes are bytes.
 *
 * ```js
 * const { mappings, count, limit } = maps();
 * const ours = mappings.filter(({ memmap }) => memmap);
 * const { mappings: [heap] } = maps({ at: address, usage: true });
 * ```
 *
 * With `at`, for this process and without `usage`, the kernel is asked for that one mapping
 * (PROCMAP_QUERY, Linux 6.11); otherwise /proc/PID/maps or smaps is read up to there. `total` is the sum
 * of the mappings, whose proportional shares the kernel rounds down to whole kB.
 *
 * @throws {SystemError} ENOENT, ESRCH if there is no such process, or it ended or called execve(2)
 * while its map was read; a partial map is never returned
 * @throws {SystemError} EACCES, EPERM for a process of another user: that takes root (CAP_SYS_PTRACE)
 */
export function maps(options: MapsAtOptions): MapsAt;
/** Lists what is mapped in a process: this one, or `options.pid`. */
export function maps(options?: MapsOptions): Maps;
export function maps(options: MapsOptions & { readonly at?: bigint } = {}): MapsAt | Maps {
  validateOptions<MapsAtOptions>(options, ['pid', 'at', 'usage']);
  const { pid, usage = false } = options;
  if (pid !== undefined) validatePid(pid, 'options.pid');
  validateBoolean(usage, 'options.usage');
  const at = options.at === undefined ? undefined : validateAddress(options.at, 'options.at');
  const whose: Whose = pid === undefined || pid === process.pid ? 'self' : pid;
  const parser = new EntryParser(whose);
  if (at !== undefined && !usage && whose === 'self') {
    const mappings = query(at, parser);
    if (mappings !== undefined) return { mappings, total: undefined };
  }
  const reader = usage ? new UsageReader() : undefined;
  const mappings = read(whose, parser, reader, at);
  const total = reader?.total();
  if (at !== undefined) return { mappings, total };
  return {
    mappings,
    count: mappings.reduce((count, { name }) => count + (countsAsMapping(name) ? 1 : 0), 0),
    limit: mappingLimit(),
    total,
  };
}

/** Undefined if the kernel cannot be asked. */
function query(at: bigint, parser: EntryParser): MapEntry[] | undefined {
  const facts = new BigUint64Array(7);
  const label = binding.mapAt(at, facts);
  if (typeof label === 'string') return [parser.found(facts, label)];
  // Mappings in the kernel's half of the addresses are only in the text.
  return label === -errno.ENOENT && at < 1n << 63n ? [] : undefined;
}

/** Reads the text, up to the mapping at `at` if there is one. */
function read(whose: Whose, parser: EntryParser, reader: UsageReader | undefined, at: bigint | undefined): MapEntry[] {
  const path = `/proc/${whose}/${reader === undefined ? 'maps' : 'smaps'}`;
  const entries: MapEntry[] = [];
  // A mapping's usage comes after it.
  let last: EntryInMaking | undefined;
  let seen = false;
  const keep = (): void => {
    if (last === undefined) return;
    entries.push(last);
    if (reader !== undefined) last.usage = reader.finish();
    last = undefined;
  };
  const take = (line: string): boolean => {
    if (reader !== undefined && UsageReader.isField(line)) {
      if (last !== undefined) reader.take(line);
      return true;
    }
    seen = true;
    keep();
    if (at !== undefined && entries.length > 0) return false;
    const entry = parser.line(line);
    if (at !== undefined && at < entry.start) return false;
    if (at === undefined || at < entry.end) last = entry;
    return true;
  };
  let whole: boolean;
  try {
    whole = readLines(path, take);
  } catch (error) {
    if (!seen && hasNoMemory(whose, error)) return [];
    throw asFailure(error, whose, path);
  }
  if (!whole && seen) throw failure(-errno.ESRCH, 'read', { path, remedy: remedy(whose) });
  keep();
  return entries;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { errno: number; syscall: string } {
  return typeof (error as Partial<NodeJS.ErrnoException> | null)?.errno === 'number';
}

/** For a zombie or a kernel thread some kernels give an empty map, others ESRCH. */
function hasNoMemory(whose: Whose, error: unknown): boolean {
  if (!isSystemError(error) || error.code !== 'ESRCH') return false;
  const status = readText(`/proc/${whose}/status`);
  return status !== undefined && !/^VmSize:/m.test(status);
}

function asFailure(error: unknown, whose: Whose, path: string): unknown {
  return isSystemError(error) ? failure(error.errno, error.syscall, { path, remedy: remedy(whose) }) : error;
}

function remedy(whose: Whose): (code: string) => string | undefined {
  return (code) => {
    if (code === 'EACCES' || code === 'EPERM') {
      return `Only root (CAP_SYS_PTRACE), or its own user if the process may be traced, may read the map of process ${whose}`;
    }
    if (code === 'ESRCH') return `Process ${whose} ended or started another program while its map was read`;
    if (code !== 'ENOENT') return undefined;
    if (readText('/proc/self/status') === undefined) return '/proc is not mounted';
    return readText(`/proc/${whose}/status`) === undefined
      ? `Process ${whose} does not exist, or /proc hides it (hidepid)`
      : 'This kernel was built without CONFIG_PROC_PAGE_MONITOR, which usage: true needs';
  };
}
