// Checks of the kernel's features, and of calls that a sandbox forbids.
import type { FeatureFact, Facts } from './facts.js';
import { type Finding, type Sudo, sysctl } from './finding.js';

/** A feature for tests, which always needs root. */
const FOR_TESTS = 'poison';
/** Calls that containers forbid without CAP_SYS_NICE. */
const PLACING: ReadonlySet<string> = new Set(['numa', 'preferredMany', 'weightedInterleave', 'homeNode']);

type Missing = readonly [name: string, feature: FeatureFact];

function missing({ supports }: Facts, forbidden: boolean): Missing[] {
  return Object.entries(supports).filter(([name, { supported, code }]) => name !== FOR_TESTS && !supported && (code === 'EPERM' || code === 'EACCES') === forbidden);
}

/** '6.11' as a number for comparison. */
function rank(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
}

export function checkKernel(facts: Facts): Finding {
  const id = 'kernel';
  const { kernel } = facts;
  const lacking = missing(facts, false).toSorted(([, a], [, b]) => rank(b.since) - rank(a.since));
  if (lacking.length === 0) return { id, level: 'ok', title: `Linux ${kernel} has all that memmap can use`, detail: 'Each feature was tried.' };
  const [[, newest]] = lacking as [Missing];
  const list = lacking.map(([name, { call, since, code = '' }]) => `${name}: ${call}, Linux ${since}${code === '' ? '' : ` (${code})`}`);
  const older = rank(kernel) < rank(newest.since);
  return {
    id,
    level: 'note',
    title: `Linux ${kernel} lacks ${lacking.length} of ${Object.keys(facts.supports).length} features${older ? `: Linux ${newest.since} has all` : ', which newer ones have or were built with'}`,
    detail: `memmap works without them; a call that needs one throws ERR_MEMMAP_UNSUPPORTED. If this version of the kernel should have a call that fails with ENOSYS, it was built without it, or a sandbox forbids it.\n${list.join('\n')}`,
  };
}

export function checkSandbox(facts: Facts, sudo: Sudo): Finding {
  const id = 'sandbox';
  const forbidden = missing(facts, true);
  if (forbidden.length === 0) return { id, level: 'ok', title: 'no sandbox forbids what the kernel has', detail: 'No call that was tried answered EPERM.' };
  const fix: string[] = [];
  const names = new Set(forbidden.map(([name]) => name));
  if (names.has('ringFutex') && facts.ringsDisabled > 0) {
    fix.push(...sysctl(sudo, 'kernel.io_uring_disabled', 0));
    names.delete('ringFutex');
  }
  if ([...names].some((name) => PLACING.has(name))) fix.push('docker run --cap-add SYS_NICE IMAGE  # NUMA policies');
  if ([...names].some((name) => !PLACING.has(name))) fix.push('docker run --security-opt seccomp=PROFILE.json IMAGE  # a profile that allows these calls');
  return {
    id,
    level: 'note',
    title: `${forbidden.length} features are forbidden here: a sandbox, or missing capabilities`,
    detail: `The kernel has them but returns EPERM: because of a seccomp filter, as in containers, or a missing capability.\n${forbidden.map(([name, { call }]) => `${name}: ${call}`).join('\n')}`,
    fix,
  };
}

export function checkGuard({ guard }: Facts): Finding {
  const id = 'guard';
  const { armed, lacks } = guard;
  if (armed && lacks.length === 0) {
    return {
      id,
      level: 'ok',
      title: 'the guard has all it needs: no access through a view can end the process',
      detail: 'It reads /proc/self/maps, and holds two descriptors.',
    };
  }
  const list = lacks.join('\n');
  if (armed) {
    return { id, level: 'note', title: 'the guard works, but not for every access', detail: `It lacks the following; docs/memory-model.md describes the effects.\n${list}` };
  }
  return {
    id,
    level: 'care',
    title: 'the guard cannot be armed: every map throws',
    detail: `It needs two descriptors, and /proc.\n${list}`,
    fix: ['mount -t proc proc /proc  # in a chroot', 'ulimit -n 1024  # if descriptors have run out'],
  };
}
