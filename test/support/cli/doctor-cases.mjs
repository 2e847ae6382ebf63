// Facts of machines, and what memmap doctor has to say of them.
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A server that lacks nothing. */
export const HEALTHY = {
  kernel: '6.18.0',
  root: false,
  maxMapCount: 1_048_576,
  overcommit: { mode: 0, ratio: 50, limit: 32 * GIB, committed: 4 * GIB },
  lock: { soft: Infinity, hard: Infinity, capable: false },
  memory: { total: 64 * GIB, available: 60 * GIB },
  swap: { total: 8 * GIB, free: 8 * GIB, swappiness: 60 },
  pools: [{ size: 2 * MIB, total: 100, free: 80, reserved: 10, overcommit: 0 }],
  transparent: { enabled: 'madvise', defrag: 'madvise', shmem: 'advise' },
  numa: { nodes: [{ id: 0, cpus: 8, total: 64 * GIB, free: 50 * GIB }], balancing: 0, zoneReclaim: 0 },
  shm: place('/dev/shm', { type: 'tmpfs', magic: 0x01021994, size: 32 * GIB, free: 32 * GIB, mount: '/dev/shm' }),
  group: undefined,
  supports: { cachestat: { supported: true, call: 'cachestat(2)', since: '6.5' } },
  guard: { armed: true, lacks: [] },
  ringsDisabled: 0,
  places: [],
};

function place(path, more) {
  return { path, type: 'ext4', magic: 0xef53, mount: '/', readOnly: false, dax: false, size: 100 * GIB, free: 50 * GIB, inodes: 1e6, freeInodes: 9e5, ...more };
}

const missing = (code, since = '6.11') => ({ supported: false, call: 'call(2)', since, code });

/** Facts, and what comes of them: [id, what is otherwise, level, what is said, a command]. */
export const CASES = {
  'few mappings': ['max-map-count', { maxMapCount: 10_000 }, 'care', /is 10,000: fewer/, 'sudo sysctl -w vm.max_map_count=262144  # until the next boot'],
  'mappings as the kernel begins with': ['max-map-count', { maxMapCount: 65_530 }, 'note', /65,530: few/, /sysctl -w/],
  'enough mappings': ['max-map-count', { maxMapCount: 262_144 }, 'ok', /262,144$/],
  'no /proc/sys': ['max-map-count', { maxMapCount: NaN }, 'note', /cannot be read/],
  'no overcommit': ['overcommit', { overcommit: { mode: 2, ratio: 50, limit: 8 * GIB, committed: 6 * GIB } }, 'care', /is 2: 6 GiB of 8 GiB are promised \(75.0%\)/, /^sudo sysctl -w vm.overcommit_memory=0 /],
  'boundless overcommit': ['overcommit', { overcommit: { mode: 1, ratio: 50, limit: 0, committed: 0 } }, 'ok', /is 1/],
  'locks as before Linux 5.16': ['memlock', { lock: { soft: 65536, hard: 65536, capable: false } }, 'care', /may lock 64 KiB of memory/, /^sudo prlimit --pid \$\$ --memlock=unlimited:unlimited/],
  'a soft limit of locks': ['memlock', { lock: { soft: 65536, hard: Infinity, capable: false } }, 'care', /at most without limit/, /^ulimit -l unlimited/],
  'locks as since': ['memlock', { lock: { soft: 8 * MIB, hard: 8 * MIB, capable: false } }, 'note', /8 MiB/, /LimitMEMLOCK=infinity/],
  'locks of the privileged': ['memlock', { lock: { soft: 65536, hard: 65536, capable: true } }, 'ok', /CAP_IPC_LOCK/],
  "a container's /dev/shm": ['shm', { shm: place('/dev/shm', { magic: 0x01021994, size: 64 * MIB, free: 64 * MIB }) }, 'care', /64 MiB of 64 MiB free.*container's default/, /^docker run --shm-size=1g/],
  'a full /dev/shm': ['shm', { shm: place('/dev/shm', { magic: 0x01021994, size: GIB, free: 50 * MIB }) }, 'care', /95.1% used/, /remount,size=/],
  'a /dev/shm without inodes': ['shm', { shm: place('/dev/shm', { magic: 0x01021994, freeInodes: 0 }) }, 'care', /no inodes/, /nr_inodes/],
  'a boundless /dev/shm': ['shm', { shm: place('/dev/shm', { magic: 0x01021994, size: 0, free: 0, inodes: 0, freeInodes: 0 }) }, 'ok', /without limit/],
  'no /dev/shm': ['shm', { shm: place('/dev/shm', { error: 'ENOENT: no such file or directory' }) }, 'care', /ENOENT/, /mount -t tmpfs/],
  'a group with room': ['memory-limit', { group: { name: '/a', version: 2, limit: GIB, current: 900 * MIB, cache: 700 * MIB } }, 'note', /limits memory to 1 GiB: 200 MiB held, 700 MiB page cache/],
  'a group without': ['memory-limit', { group: { name: '/a', version: 2, limit: GIB, current: 1000 * MIB, cache: 50 * MIB } }, 'care', /950 MiB held/, `echo ${2 * GIB} | sudo tee /sys/fs/cgroup/a/memory.max  # at once`],
  'a group of version 1': ['memory-limit', { group: { name: '/', version: 1, limit: GIB, current: 1000 * MIB, cache: 0 } }, 'care', /held/, /tee \/sys\/fs\/cgroup\/memory\/memory.limit_in_bytes/],
  'no huge pages left': ['huge-pages', { pools: [{ size: 2 * MIB, total: 100, free: 10, reserved: 10, overcommit: 0 }] }, 'note', /0 of 100 of 2 MiB/, /hugepages-2048kB\/nr_hugepages/],
  'huge pages beyond the pool': ['huge-pages', { pools: [{ size: 2 * MIB, total: 0, free: 0, reserved: 0, overcommit: 50 }] }, 'ok', /0 of 0/],
  'no huge pages set aside': ['huge-pages', { pools: [{ size: GIB, total: 0, free: 0, reserved: 0, overcommit: 0 }] }, 'ok', /no pool .* \(1 GiB\)/],
  'a kernel without pools': ['huge-pages', { pools: [] }, 'note', /no pools/],
  'transparent pages that stall': ['transparent-huge-pages', { transparent: { enabled: 'always', defrag: 'always', shmem: 'never' } }, 'care', /always, defrag always/, /^echo madvise \| sudo tee \/sys\/kernel\/mm\/transparent_hugepage\/defrag /],
  'transparent pages for all': ['transparent-huge-pages', { transparent: { enabled: 'always', defrag: 'madvise', shmem: 'never' } }, 'note', /always/, /enabled/],
  'transparent pages for nobody': ['transparent-huge-pages', { transparent: { enabled: 'never', defrag: 'madvise', shmem: 'never' } }, 'note', /never/, /echo madvise/],
  'a kernel without transparent pages': ['transparent-huge-pages', { transparent: { enabled: '', defrag: '', shmem: '' } }, 'note', /has no transparent/],
  'swap nearly full': ['swap', { swap: { total: GIB, free: 20 * MIB, swappiness: 60 } }, 'care', /98.0%/, /VmSwap/],
  'eager swapping': ['swap', { swap: { total: GIB, free: GIB, swappiness: 100 } }, 'note', /vm.swappiness is 100/, /vm.swappiness=60/],
  'no swap': ['swap', { swap: { total: 0, free: 0, swappiness: 60 } }, 'ok', /no swap/],
  'an old kernel': ['kernel', { kernel: '5.10.0-30-amd64', supports: { a: missing('ENOSYS', '6.5'), b: missing('EINVAL', '6.11'), c: { supported: true, call: 'c(2)', since: '4.4' } } }, 'note', /Linux 5.10.0-30-amd64 lacks 2 of 3 features: Linux 6.11 has all/],
  'a kernel built without': ['kernel', { supports: { a: missing('ENOSYS', '6.5') } }, 'note', /lacks 1 of 1.*were built with/],
  'no /proc': ['guard', { guard: { armed: false, lacks: ['open /proc/self/maps: ENOENT'] } }, 'care', /cannot be armed/, /mount -t proc/],
  'a kernel that cannot stash files': ['guard', { guard: { armed: true, lacks: ['mremap(2) MREMAP_DONTUNMAP of files'] } }, 'note', /not for every access/],
  'a sandbox': ['sandbox', { supports: { cachestat: missing('EPERM') } }, 'note', /1 features are forbidden/, /seccomp=/],
  'a container without CAP_SYS_NICE': ['sandbox', { supports: { numa: missing('EPERM') } }, 'note', /forbidden/, 'docker run --cap-add SYS_NICE IMAGE  # NUMA policies'],
  'io_uring switched off': ['sandbox', { ringsDisabled: 2, supports: { ringFutex: missing('EPERM') } }, 'note', /forbidden/, /kernel.io_uring_disabled=0/],
  "no right to what tests do": ['sandbox', { supports: { poison: missing('EPERM') } }, 'ok', /no sandbox/],
  NFS: ['path:/x', { places: [place('/x', { type: 'nfs4', magic: 0x6969 })] }, 'care', /\/x is on nfs4/],
  CIFS: ['path:/x', { places: [place('/x', { type: 'cifs', magic: 0xff534d42 })] }, 'care', /\/x is on cifs/],
  SMB: ['path:/x', { places: [place('/x', { type: 'smb3', magic: 0xfe534d42 })] }, 'care', /\/x is on smb3/],
  '9p': ['path:/x', { places: [place('/x', { type: '9p', magic: 0x01021997 })] }, 'care', /on 9p/],
  sshfs: ['path:/x', { places: [place('/x', { type: 'fuse.sshfs', magic: 0x65735546 })] }, 'note', /on fuse.sshfs/],
  virtiofs: ['path:/x', { places: [place('/x', { type: 'virtiofs', magic: 0x65735546 })] }, 'note', /on virtiofs/],
  overlay: ['path:/x', { places: [place('/x', { type: 'overlay', magic: 0x794c7630 })] }, 'note', /on overlay/],
  DAX: ['path:/x', { places: [place('/x', { dax: true })] }, 'ok', /on ext4, DAX/],
  'ext3, which has the number of ext4': ['path:/x', { places: [place('/x', { type: 'ext3' })] }, 'ok', /on ext3$/],
  'read-only': ['path:/x', { places: [place('/x', { readOnly: true, mount: '/x' })] }, 'note', /on ext4, read-only/, /remount,rw \/x/],
  'a full disk': ['path:/x', { places: [place('/x', { free: 0 })] }, 'care', /on ext4/, 'df -h /'],
  'a full read-only image': ['path:/x', { places: [place('/x', { type: 'squashfs', magic: 0x73717368, readOnly: true, free: 0 })] }, 'note', /squashfs, read-only/],
  'a file system that nobody knows': ['path:/x', { places: [place('/x', { type: 'newfs', magic: 0x1234 })] }, 'note', /on newfs/],
  'a path that is not': ['path:/x', { places: [place('/x', { error: 'ENOENT: no such file or directory' })] }, 'care', /cannot be looked at/],
};
const TWO_NODES = [{ id: 0, cpus: 8, total: GIB, free: MIB }, { id: 1, cpus: 0, total: GIB, free: GIB }];
CASES['nodes that evict'] = ['numa', { numa: { nodes: TWO_NODES, balancing: 1, zoneReclaim: 1 } }, 'care', /2 NUMA nodes, 1 without CPUs.*zone_reclaim_mode is 1/, /zone_reclaim_mode=0/];
CASES['nodes that move pages'] = ['numa', { numa: { nodes: TWO_NODES, balancing: 1, zoneReclaim: 0 } }, 'note', /balancing on/, /kernel.numa_balancing=0/];
CASES['nodes that do not'] = ['numa', { numa: { nodes: TWO_NODES, balancing: 0, zoneReclaim: 0 } }, 'ok', /balancing off/];
