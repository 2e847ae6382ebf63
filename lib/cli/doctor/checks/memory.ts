// Checks of the machine's memory: huge pages, NUMA, swap.
import { formatBytes, formatCount, formatShare } from '../../common/units.js';
import type { Facts } from './facts.js';
import { type Finding, type Sudo, sysctl } from './finding.js';

export function checkPools({ pools }: Facts, sudo: Sudo): Finding {
  const id = 'huge-pages';
  if (pools.length === 0) return { id, level: 'note', title: 'this kernel has no pools of huge pages', detail: "hugePages: '2MB' and '1GB' do not work (CONFIG_HUGETLBFS); 'transparent' may." };
  const used = pools.filter(({ total, overcommit }) => total > 0 || overcommit > 0);
  const [smallest] = pools.toSorted((a, b) => a.size - b.size);
  const kilobytes = (smallest?.size ?? 0) / 1024;
  const fix = [
    `echo 128 | ${sudo}tee /sys/kernel/mm/hugepages/hugepages-${kilobytes}kB/nr_hugepages  # ${formatBytes(128 * (smallest?.size ?? 0))}, until the next boot`,
    ...sysctl(sudo, 'vm.nr_hugepages', 128).slice(1),
  ];
  if (used.length === 0) {
    return {
      id,
      level: 'ok',
      title: `no pool of huge pages is set aside (${pools.map(({ size }) => formatBytes(size)).join(', ')})`,
      detail: "That is not a problem, but hugePages: '2MB' and '1GB' fail with ENOMEM; 'transparent' needs no pool.",
      fix,
    };
  }
  const said = used.map(({ size, total, free, reserved }) => `${formatCount(Math.max(0, free - reserved))} of ${formatCount(total)} of ${formatBytes(size)}`);
  const empty = used.some(({ free, reserved, overcommit }) => free - reserved <= 0 && overcommit === 0);
  const idle = used.reduce((sum, { size, free, reserved }) => sum + size * Math.max(0, free - reserved), 0);
  return {
    id,
    level: empty ? 'note' : 'ok',
    title: `free huge pages: ${said.join('; ')}`,
    detail: empty
      ? 'A pool has none left: mmap(2) MAP_HUGETLB of that size fails with ENOMEM until a process unmaps some.'
      : `${formatBytes(idle)} are reserved for MAP_HUGETLB, and nothing else can use them.`,
    ...(empty && { fix }),
  };
}

function chooseTransparent(sudo: Sudo, file: string, word: string): string[] {
  const path = `/sys/kernel/mm/transparent_hugepage/${file}`;
  return [
    `echo ${word} | ${sudo}tee ${path}  # until the next boot`,
    `echo 'w ${path} - - - - ${word}' | ${sudo}tee /etc/tmpfiles.d/memmap-thp-${file}.conf  # from the next boot on`,
  ];
}

export function checkTransparent({ transparent: { enabled, defrag, shmem } }: Facts, sudo: Sudo): Finding {
  const id = 'transparent-huge-pages';
  if (enabled === '') return { id, level: 'note', title: 'this kernel has no transparent huge pages', detail: "hugePages: 'transparent' and advise('hugepage') do nothing." };
  const title = `transparent huge pages: ${enabled}, defrag ${defrag || 'unknown'}, shared memory ${shmem || 'unknown'}`;
  const shared = shmem === 'never' ? ' Shared memory and tmpfs get none (shmem_enabled).' : '';
  if (enabled === 'never') {
    return { id, level: 'note', title, detail: `hugePages: 'transparent' and advise('hugepage') do nothing.${shared}`, fix: chooseTransparent(sudo, 'enabled', 'madvise') };
  }
  if (defrag === 'always' && enabled === 'always') {
    return {
      id,
      level: 'care',
      title,
      detail: `The first access to memory may wait while the kernel moves pages to form a huge one: pauses of many milliseconds, in all processes.${shared}`,
      fix: chooseTransparent(sudo, 'defrag', 'madvise'),
    };
  }
  if (enabled === 'always') {
    return {
      id,
      level: 'note',
      title,
      detail: `Sparsely used memory takes up to 2 MiB for each page that is accessed. Databases recommend madvise, with which only memory that asks for it gets huge pages.${shared}`,
      fix: chooseTransparent(sudo, 'enabled', 'madvise'),
    };
  }
  return { id, level: 'ok', title, detail: `Memory that asks for it gets them: hugePages: 'transparent', advise('hugepage').${shared}` };
}

export function checkNuma({ numa: { nodes, balancing, zoneReclaim } }: Facts, sudo: Sudo): Finding {
  const id = 'numa';
  if (nodes.length <= 1) return { id, level: 'ok', title: 'one NUMA node: all memory is equally near', detail: 'NUMA policies have no effect.' };
  const bare = nodes.filter(({ cpus }) => cpus === 0).length;
  const title = `${nodes.length} NUMA nodes${bare > 0 ? `, ${bare} without CPUs` : ''}, balancing ${balancing > 0 ? 'on' : 'off'}`;
  const sizes = nodes.map(({ id: node, total, free }) => `node ${node} has ${formatBytes(free)} of ${formatBytes(total)} free`).join(', ');
  if (zoneReclaim > 0) {
    return {
      id,
      level: 'care',
      title: `${title}; vm.zone_reclaim_mode is ${zoneReclaim}`,
      detail: `The kernel evicts the page cache of a full node instead of using another node: mapped files are read from the disk again although memory is free. ${sizes}.`,
      fix: sysctl(sudo, 'vm.zone_reclaim_mode', 0),
    };
  }
  if (balancing > 0) {
    return {
      id,
      level: 'note',
      title,
      detail: `The kernel unmaps pages now and then to see which CPU uses them, and moves them: this causes page faults and jitter. It leaves memory alone that a policy binds. ${sizes}.`,
      fix: sysctl(sudo, 'kernel.numa_balancing', 0),
    };
  }
  return { id, level: 'ok', title, detail: `${sizes}.` };
}

const SWAP_FULL = 0.9;
const DEFAULT_SWAPPINESS = 60;

export function checkSwap({ swap: { total, free, swappiness }, memory }: Facts, sudo: Sudo): Finding {
  const id = 'swap';
  const left = `${formatBytes(memory.available)} of ${formatBytes(memory.total)} of memory are available`;
  if (!(total > 0)) {
    return { id, level: 'ok', title: `no swap; ${left}`, detail: 'Only pages of files can be evicted: anonymous memory, shared memory and tmpfs stay, so the page cache shrinks instead.' };
  }
  const used = total - free;
  const title = `${formatBytes(used)} of ${formatBytes(total)} of swap are used (${formatShare(used, total)}); ${left}`;
  if (used >= SWAP_FULL * total) {
    return {
      id,
      level: 'care',
      title,
      detail: 'When it is full the kernel ends processes. memmap maps --sort swap PID shows which mappings of a process are in swap.',
      fix: ["grep -H VmSwap /proc/[0-9]*/status | sort -k2n | tail  # which processes use it, in kB"],
    };
  }
  if (swappiness > DEFAULT_SWAPPINESS) {
    return {
      id,
      level: 'note',
      title: `${title}; vm.swappiness is ${swappiness}`,
      detail: 'The kernel swaps anonymous memory out sooner than it evicts page cache: good for mapped files, bad for heaps. Values of 100 and more are for fast swap such as zram.',
      fix: sysctl(sudo, 'vm.swappiness', DEFAULT_SWAPPINESS),
    };
  }
  return { id, level: 'ok', title, detail: `vm.swappiness is ${swappiness}: page cache is evicted before anonymous memory.` };
}
