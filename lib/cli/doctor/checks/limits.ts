// Checks of the limits of a process: mappings, committed memory, locked memory, its control group.
import { formatBytes, formatCount, formatShare } from '../../common/units.js';
import type { Facts } from './facts.js';
import { type Finding, type Sudo, sysctl } from './finding.js';

/** The kernel's default. */
const DEFAULT_MAPPINGS = 65_530;
/** What databases recommend. */
const MANY_MAPPINGS = 262_144;

export function checkMappings({ maxMapCount }: Facts, sudo: Sudo): Finding {
  const id = 'max-map-count';
  const title = `vm.max_map_count is ${formatCount(maxMapCount)}`;
  if (Number.isNaN(maxMapCount)) return { id, level: 'note', title: 'vm.max_map_count cannot be read', detail: '/proc/sys is not mounted, so it is unknown how many mappings a process may have.' };
  if (maxMapCount >= MANY_MAPPINGS) return { id, level: 'ok', title, detail: 'A process may have this many mappings: enough for services that map many files.' };
  const detail = 'At this limit mmap(2), and mprotect(2) of a part, fail with ENOMEM, however much memory is free. Each mapped file, thread and library needs some mappings; memmap maps PID shows how many a process has.';
  const fix = sysctl(sudo, 'vm.max_map_count', MANY_MAPPINGS);
  if (maxMapCount < DEFAULT_MAPPINGS) return { id, level: 'care', title: `${title}: fewer mappings than a process may have by default`, detail, fix };
  return { id, level: 'note', title: `${title}: few for a service that maps many files`, detail, fix };
}

const NEVER_MORE = 2;

export function checkOvercommit({ overcommit: { mode, ratio, limit, committed } }: Facts, sudo: Sudo): Finding {
  const id = 'overcommit';
  if (mode !== NEVER_MORE) {
    const detail = mode === 1
      ? 'Private and anonymous memory can be mapped without limit; if it is accessed when no memory is free, the kernel ends a process.'
      : 'A single mapping cannot be larger than memory and swap together; reservations have no limit.';
    return { id, level: 'ok', title: `vm.overcommit_memory is ${mode}: memory is promised freely`, detail };
  }
  return {
    id,
    level: 'care',
    title: `vm.overcommit_memory is 2: ${formatBytes(committed)} of ${formatBytes(limit)} are promised (${formatShare(committed, limit)})`,
    detail: `Beyond this limit mmap(2) fails with ENOMEM even if memory is free: private writable mappings, shared anonymous mappings and tmpfs files count in full, whether or not they are used, and despite MAP_NORESERVE. The limit is swap plus ${ratio}% of memory (vm.overcommit_ratio, vm.overcommit_kbytes). Reservations with PROT_NONE do not count.`,
    fix: [...sysctl(sudo, 'vm.overcommit_memory', 0), `${sudo}sysctl -w vm.overcommit_ratio=${Math.max(95, ratio)}  # or: raise the limit`],
  };
}

/** The default of Linux 5.16 and of systemd; before, it was 64 KiB. */
const DEFAULT_LOCKED = 8 * 2 ** 20;

export function checkLocking({ lock: { soft, hard, capable } }: Facts, sudo: Sudo): Finding {
  const id = 'memlock';
  if (capable) return { id, level: 'ok', title: 'memory can be locked without limit (CAP_IPC_LOCK)', detail: `This applies to this user. For others RLIMIT_MEMLOCK is ${bytes(soft)}, at most ${bytes(hard)}.` };
  if (soft === Infinity) return { id, level: 'ok', title: 'memory can be locked without limit', detail: 'RLIMIT_MEMLOCK is unlimited.' };
  if (Number.isNaN(soft)) return { id, level: 'note', title: 'RLIMIT_MEMLOCK cannot be read', detail: '/proc is not mounted.' };
  const unit = '/etc/systemd/system/SERVICE.service.d';
  const most = hard === Infinity ? 'unlimited' : String(Math.floor(hard / 1024));
  const raised = hard > soft
    ? `ulimit -l ${most}  # this shell, as far as the hard limit`
    : `${sudo}prlimit --pid $$ --memlock=unlimited:unlimited  # this shell`;
  return {
    id,
    level: soft < DEFAULT_LOCKED ? 'care' : 'note',
    title: `a process may lock ${bytes(soft)} of memory (RLIMIT_MEMLOCK), at most ${bytes(hard)}`,
    detail: 'Beyond this limit lock(), mlock(2) and mlockall(2) fail with ENOMEM or EAGAIN; with a limit of 0, with EPERM. Services get LimitMEMLOCK= of systemd instead of limits.d; containers get the limit that they are started with.',
    fix: [
      raised,
      `echo '* - memlock unlimited' | ${sudo}tee /etc/security/limits.d/90-memmap.conf  # from the next login on`,
      `${sudo}mkdir -p ${unit} && printf '[Service]\\nLimitMEMLOCK=infinity\\n' | ${sudo}tee ${unit}/memlock.conf && ${sudo}systemctl daemon-reload  # a service; then restart it`,
      'docker run --ulimit memlock=-1 IMAGE  # a container',
    ],
  };
}

function bytes(limit: number): string {
  return limit === Infinity ? 'without limit' : formatBytes(limit);
}

/** The share of the limit that cannot be reclaimed, from which it is tight. */
const FULL = 0.9;

export function checkGroup({ group }: Facts, sudo: Sudo): Finding {
  const id = 'memory-limit';
  if (group === undefined) return { id, level: 'ok', title: 'no control group limits memory', detail: 'All memory of the machine can be used, also for the page cache.' };
  const { name, limit, current, cache, version } = group;
  const held = Math.max(0, current - cache);
  const tight = held >= FULL * limit;
  const file = version === 2 ? `/sys/fs/cgroup${name === '/' ? '' : name}/memory.max` : `/sys/fs/cgroup/memory${name === '/' ? '' : name}/memory.limit_in_bytes`;
  return {
    id,
    level: tight ? 'care' : 'note',
    title: `a control group limits memory to ${formatBytes(limit)}: ${formatBytes(held)} held, ${formatBytes(cache)} page cache`,
    detail: `Pages of mapped files count as the page cache of the group; so do tmpfs and shared memory, which cannot be evicted. At the limit the kernel first evicts the cache, so that mapped files are read again and again, then swaps, then ends a process. Group ${name}.`,
    ...(tight && {
      fix: [
        `echo ${2 * limit} | ${sudo}tee ${file}  # at once`,
        `${sudo}systemctl set-property SERVICE MemoryMax=${2 * limit}  # a service, for good`,
        `docker update --memory ${2 * limit} --memory-swap ${2 * limit} CONTAINER  # a container`,
      ],
    }),
  };
}
