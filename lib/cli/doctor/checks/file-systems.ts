// Checks of file systems: /dev/shm, and those of the given paths.
import { formatBytes, formatShare } from '../../common/units.js';
import type { Facts, PlaceFact } from './facts.js';
import type { Finding, Level, Sudo } from './finding.js';

/** The default size in containers. */
const CONTAINER_SHM = 64 * 2 ** 20;
const FULL = 0.9;
const TMPFS = 0x0102_1994;

export function checkSharedMemory({ shm }: Facts, sudo: Sudo): Finding {
  const id = 'shm';
  const { size, free, inodes, freeInodes, magic, error } = shm;
  const larger = [
    `${sudo}mount -o remount,size=1G /dev/shm  # at once`,
    `echo 'tmpfs /dev/shm tmpfs defaults,size=1G 0 0' | ${sudo}tee -a /etc/fstab  # from the next boot on`,
    'docker run --shm-size=1g IMAGE  # for a container; in Kubernetes mount an emptyDir of medium Memory at /dev/shm',
  ];
  if (error !== undefined) {
    return { id, level: 'care', title: `/dev/shm cannot be used: ${error}`, detail: 'Named shared memory is created there: shm_open(3).', fix: [`${sudo}mkdir -p /dev/shm && ${sudo}mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm`] };
  }
  if (size === 0 && magic === TMPFS) return { id, level: 'ok', title: '/dev/shm is without limit', detail: 'It can use all memory and swap.' };
  const used = size - free;
  const title = `/dev/shm has ${formatBytes(free)} of ${formatBytes(size)} free (${formatShare(used, size)} used)`;
  const killed = 'When it is full, a write to a mapped page that is not yet allocated causes SIGBUS, not an error.';
  if (used >= FULL * size) return { id, level: 'care', title, detail: killed, fix: ['ls -lhAS /dev/shm  # list its files; delete unused ones', ...larger] };
  if (inodes > 0 && freeInodes === 0) return { id, level: 'care', title: `${title}, but no inodes`, detail: 'No file can be created there: ENOSPC.', fix: ['ls -A /dev/shm | wc -l  # count its files; delete unused ones', `${sudo}mount -o remount,nr_inodes=1M /dev/shm  # at once`] };
  if (size <= CONTAINER_SHM) return { id, level: 'care', title: `${title}: a container's default`, detail: `This is little for shared memory. ${killed}`, fix: larger };
  if (magic !== TMPFS) return { id, level: 'note', title: `${title}, and is not a tmpfs`, detail: 'Shared memory there is on a disk: the kernel writes it back now and then.' };
  return { id, level: 'ok', title, detail: 'A tmpfs: its files use memory and swap as they are written.' };
}

interface Kind {
  readonly name: string;
  readonly level: Level;
  readonly detail: string;
}

const LOCAL = 'Mappings use the pages of the page cache, so they see the same bytes as read(2).';
const NETWORK = 'Writes of other machines appear late or never, and locks and atomics do not work between machines: do not share mapped files that way. If the server is gone, an access waits or causes SIGBUS.';
const MEMORY = 'Files are in memory: they count as shared memory, can be swapped, and are gone after a reboot. Nothing is ever written back.';

/** statfs(2) f_type: what a mapping means there. */
const KINDS: ReadonlyMap<number, Kind> = new Map([
  [0x6969, { name: 'NFS', level: 'care', detail: NETWORK }],
  [0xff53_4d42, { name: 'CIFS', level: 'care', detail: `${NETWORK} With cache=none files cannot be mapped shared.` }],
  [0xfe53_4d42, { name: 'SMB', level: 'care', detail: `${NETWORK} With cache=none files cannot be mapped shared.` }],
  [0x517b, { name: 'SMB', level: 'care', detail: NETWORK }],
  [0x00c3_6400, { name: 'Ceph', level: 'care', detail: NETWORK }],
  [0x0bd0_0bd0, { name: 'Lustre', level: 'care', detail: NETWORK }],
  [0x4750_4653, { name: 'GPFS', level: 'care', detail: NETWORK }],
  [0x5346_414f, { name: 'AFS', level: 'care', detail: NETWORK }],
  [0x0102_1997, { name: '9p', level: 'care', detail: 'A folder of the host, as in WSL and virtual machines. By default files cannot be mapped shared and writable (EINVAL, ENODEV): that needs cache=mmap. Writes of the host do not appear.' }],
  [0x6573_5546, { name: 'FUSE', level: 'note', detail: 'A program provides the pages at each page fault; if it hangs, accesses wait. Without the page cache (direct_io) shared mappings fail with ENODEV.' }],
  [0x794c_7630, { name: 'overlay', level: 'note', detail: 'A file of the image is copied when it is first opened for writing: earlier mappings keep the old file. Put data on a volume.' }],
  [TMPFS, { name: 'tmpfs', level: 'note', detail: MEMORY }],
  [0x8584_58f6, { name: 'ramfs', level: 'note', detail: `${MEMORY} It has no limit, and is never swapped.` }],
  [0x9584_58f6, { name: 'hugetlbfs', level: 'note', detail: 'Files consist of huge pages of a pool: lengths are multiples of a huge page, write(2) fails, and an access without a free page causes SIGBUS.' }],
  [0x2fc1_2fc1, { name: 'ZFS', level: 'note', detail: 'Mapped pages are in memory twice: in the page cache and in the ARC.' }],
  [0x9fa0, { name: 'proc', level: 'care', detail: 'Files cannot be mapped: ENODEV.' }],
  [0x6265_6572, { name: 'sysfs', level: 'care', detail: 'Files cannot be mapped, except resources of devices: ENODEV.' }],
  [0x7371_7368, { name: 'squashfs', level: 'ok', detail: 'Pages are unpacked when they are first accessed.' }],
  [0xe0f5_e1e2, { name: 'EROFS', level: 'ok', detail: 'Pages are unpacked when they are first accessed.' }],
  [0xef53, { name: 'ext4', level: 'ok', detail: LOCAL }],
  [0x5846_5342, { name: 'XFS', level: 'ok', detail: LOCAL }],
  [0x9123_683e, { name: 'Btrfs', level: 'ok', detail: LOCAL }],
  [0xca45_1a4e, { name: 'bcachefs', level: 'ok', detail: LOCAL }],
  [0xf2f5_2010, { name: 'F2FS', level: 'ok', detail: LOCAL }],
]);

function kindOf({ magic, type }: PlaceFact): Kind {
  const kind = KINDS.get(magic);
  if (kind === undefined) return { name: type || `of an unknown type, 0x${magic.toString(16)}`, level: 'note', detail: 'memmap does not know how it maps files.' };
  if (type === 'virtiofs') return { ...kind, name: type, detail: 'A folder of the host. Writes of the host appear late. With cache=none and without dax, files cannot be mapped shared.' };
  // ext2 and ext3 have the number of ext4; the type of FUSE says which program it is.
  return type.toLowerCase().startsWith(kind.name.toLowerCase().slice(0, 3)) ? { ...kind, name: type } : kind;
}

/** Below this share of free space almost nothing can be written. */
const LEAST_FREE = 0.01;

function placeFinding(place: PlaceFact, sudo: Sudo): Finding {
  const { path, mount, readOnly, dax, size, free, error } = place;
  const id = `path:${path}`;
  if (error !== undefined) return { id, level: 'care', title: `${path} cannot be looked at`, detail: error };
  const kind = kindOf(place);
  const title = `${path} is on ${kind.name}${dax ? ', DAX' : ''}${readOnly ? ', read-only' : ''}`;
  const details = [dax ? 'Mappings use the device itself, without the page cache: residency means nothing, and persist() makes writes durable.' : kind.detail];
  const fix: string[] = [];
  let { level } = kind;
  if (readOnly) {
    if (level === 'ok') level = 'note';
    details.push('Files cannot be mapped shared and writable: EROFS when they are opened.');
    fix.push(`${sudo}mount -o remount,rw ${mount}  # if that is not intended`);
  } else if (size > 0 && free < LEAST_FREE * size) {
    level = 'care';
    details.push(`It is full (${formatBytes(free)} of ${formatBytes(size)} left): a write to a mapped page without a block on the disk causes SIGBUS.`);
    fix.push(`df -h ${mount}`, `${sudo}du -xh --max-depth=2 ${mount} | sort -h | tail`);
  }
  return { id, level, title, detail: details.join(' '), ...(fix.length > 0 && { fix }) };
}

export function checkPlaces({ places }: Facts, sudo: Sudo): Finding[] {
  return places.map((place) => placeFinding(place, sudo));
}
