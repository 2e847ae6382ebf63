// What this kernel, processor and set of permissions support, found out by trying.
import { release } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { binding } from '../internal/binding.js';
import { type FeatureName, ORIGIN } from '../internal/features.js';
import { hugePageSizes, memoryLockLimit, readText } from '../internal/kernel-files.js';
import { systemError } from '../internal/syscall.js';

/** A feature that not every kernel has. */
export interface Feature {
  readonly supported: boolean;
  /** The call, as its man page names it. */
  readonly call: string;
  /** The first version of Linux that has it. Distributions port features back, and leave some out. */
  readonly since: string;
  /** What the kernel answered, if it is not supported: `'ENOSYS'`, or `'EPERM'` in a sandbox. */
  readonly code?: string;
}

/** Whether accesses to mapped memory are guarded, and what is missing for that. */
export interface GuardFeature {
  /** Whether faults of mappings are fixed up. False after `configure({ guard: false })`. */
  readonly armed: boolean;
  /**
   * What the guard lacks: empty if it has everything. Without the memfd or /proc/self/maps the first map
   * throws; without the others the guard cannot fix up some faults: docs/memory-model.md.
   */
  readonly lacks: readonly string[];
}

/** What the process can use here: {@link features}. */
export interface Features {
  /** The release as uname(2) gives it, for people to read; programs ask `supports`. */
  readonly kernel: string;
  /** Bytes in a page. */
  readonly pageSize: number;
  /** Sizes of huge pages that can have a pool: bytes, ascending. */
  readonly hugePageSizes: readonly number[];
  /** When the kernel uses transparent huge pages: `'madvise'` means only after `advise('hugepage')`. Undefined: it does not support them. */
  readonly transparentHugePages: 'always' | 'madvise' | 'never' | undefined;
  /** The instruction by which `persist()` writes cache lines back to persistent memory. */
  readonly writeBackInstruction: string | undefined;
  /** Bytes the process may lock: RLIMIT_MEMLOCK, or Infinity with CAP_IPC_LOCK. */
  readonly lockLimit: number;
  readonly guard: GuardFeature;
  readonly supports: Readonly<Record<FeatureName, Feature>>;
}

/** Bits of /proc/self/status CapEff: capabilities(7). */
const CAPABILITY = { ipcLock: 14, sysAdmin: 21 } as const;

/** Features that need a capability although the kernel has them. */
const NEEDS: Partial<Record<FeatureName, keyof typeof CAPABILITY>> = { poison: 'sysAdmin' };

function has(capability: keyof typeof CAPABILITY): boolean {
  const held = /^CapEff:\s+([0-9a-f]+)$/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0';
  return ((BigInt(`0x${held}`) >> BigInt(CAPABILITY[capability])) & 1n) === 1n;
}

function ask(name: FeatureName): Feature {
  const { call, since } = ORIGIN[name];
  const needed = NEEDS[name];
  const answer = binding.probe(name);
  if (answer === 0 && (needed === undefined || has(needed))) return { supported: true, call, since };
  const code = answer === 0 ? 'EPERM' : (getSystemErrorMap().get(answer)?.[0] ?? 'UNKNOWN');
  return { supported: false, call, since, code };
}

function transparentHugePages(): Features['transparentHugePages'] {
  const word = /\[(always|madvise|never)\]/.exec(readText('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1];
  return word as Features['transparentHugePages'];
}

function lockLimit(): number {
  if (has('ipcLock')) return Infinity;
  const soft = memoryLockLimit();
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}

/** The features that the guard uses. */
const OF_GUARD: readonly FeatureName[] = ['remapKeeping', 'remapKeepingFiles', 'checkedCopy'];

function guardFeature(): GuardFeature {
  const missing = binding.missingOfGuard();
  const lacks = OF_GUARD.filter((name) => !ask(name).supported).map((name) => ORIGIN[name].call);
  if (missing !== 0) {
    const { code, syscall, path } = systemError(missing, 'mmap');
    lacks.unshift(`${syscall}${path === undefined ? '' : ` ${path}`}: ${code}`);
  }
  return { armed: binding.guardEnabled() && missing === 0, lacks };
}

/**
 * Reports what the process can use here. Each feature is tried, in a way that changes nothing; no version
 * is compared. Takes about a millisecond. The answer can change when the process enters a sandbox.
 *
 * ```js
 * if (!features().supports.cachestat.supported) console.log('residency() cannot tell what is dirty');
 * ```
 */
export function features(): Features {
  const names = Object.keys(ORIGIN) as FeatureName[];
  return {
    kernel: release(),
    pageSize: binding.pageSize,
    hugePageSizes: hugePageSizes(),
    transparentHugePages: transparentHugePages(),
    writeBackInstruction: binding.writeBackInstruction(),
    lockLimit: lockLimit(),
    guard: guardFeature(),
    supports: Object.fromEntries(names.map((name) => [name, ask(name)])) as Record<FeatureName, Feature>,
  };
}
