// Checks of file systems: /dev/shm, and what paths are on.
import { formatBytes, formatShare } from '../../common/units.js';
import type { Facts, PlaceFact } from './facts.js';
import type { Finding, Level, Sudo } from './finding.js';

/** What containers begin with. */
const CONTAINER_SHM = 64 * 2 ** 20;
const FULL = 0.9;
const TMPFS = 0x0102_1994;

export function checkSharedMemory({ shm }: Facts, sudo: Sudo): Finding {
  const id = 'shm';
  const { size, free, inodes, freeInodes, magic, error } = shm;
  const larger = [
    `${sudo}mount -o remount,size=1G /dev/shm  # at once`,
    `echo 'tmpfs /dev/shm tmpfs defaults,size=1G 0 0' | ${sudo}tee -a /etc/fstab  # from the next boot on`,
    'docker run --shm-size=1g IMAGE  # a container; in Kubernetes an emptyDir of medium Memory at /dev/shm',
  ];
  if (error !== undefined) {
    return { id, level: 'care', title: `/dev/shm cannot be used: ${error}`, detail: 'Named shared memory is made there: shm_open(3).', fix: [`${sudo}mkdir -p /dev/shm && ${sudo}mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm`] };
  }
  if (size === 0 && magic === TMPFS) return { id, level: 'ok', title: '/dev/shm is without limit', detail: 'It can take all memory: nothing but memory and swap stop it.' };
  const used = size - free;
  const title = `/dev/shm has ${formatBytes(free)} of ${formatBytes(size)} free (${formatShare(used, size)} used)`;
  const killed = 'Who writes to a mapping there that has no page yet gets SIGBUS when it is full, not an error.';
  if (used >= FULL * size) return { id, level: 'care', title, detail: killed, fix: ['ls -lhAS /dev/shm  # what is there; delete what nobody uses', ...larger] };
  if (inodes > 0 && freeInodes === 0) return { id, level: 'care', title: `${title}, but no inodes`, detail: 'No file can be made there: ENOSPC.', fix: ['ls -A /dev/shm | wc -l  # files that are there; delete what nobody uses', `${sudo}mount -o remount,nr_inodes=1M /dev/shm  # at once`] };
  if (size <= CONTAINER_SHM) return { id, level: 'care', title: `${title}: a container's default`, detail: `Little for shared memory. ${killed}`, fix: larger };
  if (magic !== TMPFS) return { id, level: 'note', title: `${title}, and is not a tmpfs`, detail: 'Shared memory goes to a disk there: it is written back now and then.' };
  return { id, level: 'ok', title, detail: 'A tmpfs: it takes memory as files are written, and swap.' };
}

interface Kind {
  readonly name: string;
  readonly level: Level;
  readonly detail: string;
}

const LOCAL = 'Pages are those of the page cache: mapping and read(2) see the same.';
const NETWORK = 'What other machines write is seen late or never, and locks and atomics do not reach across: share nothing that way. A server that is gone makes an access wait, or kills with SIGBUS.';
const MEMORY = 'Files are memory: they count as shared memory, can be swapped, and are gone at the next boot. Nothing is ever written back.';

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
  [0x0102_1997, { name: '9p', level: 'care', detail: 'A folder of the host, as WSL and virtual machines have it. By default files cannot be mapped shared and writable (EINVAL, ENODEV): that takes cache=mmap. What the host writes is not seen.' }],
  [0x6573_5546, { name: 'FUSE', level: 'note', detail: 'A program serves the pages: each fault asks it, and a program that hangs makes accesses wait. Without the page cache (direct_io) shared mappings are refused: ENODEV.' }],
  [0x794c_7630, { name: 'overlay', level: 'note', detail: "A file of the image is copied when it is first opened for writing: who mapped it before keeps the old one. Put data on a volume." }],
  [TMPFS, { name: 'tmpfs', level: 'note', detail: MEMORY }],
  [0x8584_58f6, { name: 'ramfs', level: 'note', detail: `${MEMORY} Without limit, and never swapped.` }],
  [0x9584_58f6, { name: 'hugetlbfs', level: 'note', detail: 'Files are of huge pages of a pool: lengths are multiples of one, write(2) is refused, and without a free page an access kills with SIGBUS.' }],
  [0x2fc1_2fc1, { name: 'ZFS', level: 'note', detail: 'Mapped pages are in memory twice, in the page cache and in the ARC.' }],
  [0x9fa0, { name: 'proc', level: 'care', detail: 'Files cannot be mapped: ENODEV.' }],
  [0x6265_6572, { name: 'sysfs', level: 'care', detail: 'Files cannot be mapped, but for resources of devices: ENODEV.' }],
  [0x7371_7368, { name: 'squashfs', level: 'ok', detail: 'Pages are unpacked when they are touched.' }],
  [0xe0f5_e1e2, { name: 'EROFS', level: 'ok', detail: 'Pages are unpacked when they are touched.' }],
  [0xef53, { name: 'ext4', level: 'ok', detail: LOCAL }],
  [0x5846_5342, { name: 'XFS', level: 'ok', detail: LOCAL }],
  [0x9123_683e, { name: 'Btrfs', level: 'ok', detail: LOCAL }],
  [0xca45_1a4e, { name: 'bcachefs', level: 'ok', detail: LOCAL }],
  [0xf2f5_2010, { name: 'F2FS', level: 'ok', detail: LOCAL }],
]);

function kindOf({ magic, type }: PlaceFact): Kind {
  const kind = KINDS.get(magic);
  if (kind === undefined) return { name: type || `of an unknown type, 0x${magic.toString(16)}`, level: 'note', detail: 'Nothing is known here of how it maps files.' };
  if (type === 'virtiofs') return { ...kind, name: type, detail: 'A folder of the host. What the host writes is seen late; without dax and cache=none files cannot be mapped shared.' };
  // ext2 and ext3 have the number of ext4; FUSE says what is behind it.
  return type.toLowerCase().startsWith(kind.name.toLowerCase().slice(0, 3)) ? { ...kind, name: type } : kind;
}

/** Below this share nearly nothing can be written any more. */
const LEAST_FREE = 0.01;

function placeFinding(place: PlaceFact, sudo: Sudo): Finding {
  const { path, mount, readOnly, dax, size, free, error } = place;
  const id = `path:${path}`;
  if (error !== undefined) return { id, level: 'care', title: `${path} cannot be looked at`, detail: error };
  const kind = kindOf(place);
  const title = `${path} is on ${kind.name}${dax ? ', DAX' : ''}${readOnly ? ', read-only' : ''}`;
  const details = [dax ? 'Mappings are the device itself, without the page cache: residency tells nothing, and persist() makes writes last.' : kind.detail];
  const fix: string[] = [];
  let { level } = kind;
  if (readOnly) {
    if (level === 'ok') level = 'note';
    details.push('Files cannot be mapped shared and writable: EROFS when they are opened.');
    fix.push(`${sudo}mount -o remount,rw ${mount}  # if it is not meant to be`);
  } else if (size > 0 && free < LEAST_FREE * size) {
    level = 'care';
    details.push(`It is full (${formatBytes(free)} of ${formatBytes(size)} left): who writes to a mapped page that has no block yet gets SIGBUS.`);
    fix.push(`df -h ${mount}`, `${sudo}du -xh --max-depth=2 ${mount} | sort -h | tail`);
  }
  return { id, level, title, detail: details.join(' '), ...(fix.length > 0 && { fix }) };
}

export function checkPlaces({ places }: Facts, sudo: Sudo): Finding[] {
  return places.map((place) => placeFinding(place, sudo));
}
