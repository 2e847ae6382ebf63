// What TypeScript must accept and refuse of 'memmap/sys'. Compiled, never run.
import * as sys from 'memmap/sys';

const { FADV, MADV, MAP, MCL, MPOL, MREMAP, MS, PROT } = sys;

const buffer: ArrayBuffer = sys.mmap(null, 4096, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS);
const shared: SharedArrayBuffer = sys.mmap(null, 4096, PROT.READ, MAP.SHARED, 3, 0, { shared: true });
sys.mmap(4096n, 4096, PROT.READ, MAP.SHARED, 3, 0, { allowWriteExec: true, shared: false });
sys.mmap(0, 4096, PROT.NONE, MAP.PRIVATE | MAP.ANONYMOUS | MAP.NORESERVE);
const moved: ArrayBuffer = sys.mremap(buffer, 4096, 8192, MREMAP.MAYMOVE);
const movedShared: SharedArrayBuffer = sys.mremap(shared, 4096, 8192, MREMAP.MAYMOVE, 4096n);
const vec: Uint8Array = sys.mincore(new Uint8Array(buffer));
const advised: number = sys.process_madvise(3, [{ address: 0n, length: 1 }], MADV.COLD);
const { cached, dirty, writeback, evicted, recentlyEvicted } = sys.cachestat(3, { offset: 0, length: 0 });
const fd: number = sys.memfd_create('x', sys.MFD.CLOEXEC | sys.MFD.ALLOW_SEALING);
const { mode, nodes }: sys.Mempolicy = sys.get_mempolicy(buffer, MPOL.F_NODE | MPOL.F_ADDR);
const statuses: Int32Array = sys.move_pages(0, [buffer, 4096n], [0, 1], MPOL.MF_MOVE);
sys.move_pages(0, new BigUint64Array(1), null, 0);
const unmoved: number = sys.migrate_pages(0, [0], nodes);
sys.mbind(buffer, undefined, MPOL.BIND | MPOL.F_STATIC_NODES, [0], MPOL.MF_STRICT);
sys.set_mempolicy(MPOL.DEFAULT, null);
sys.set_mempolicy_home_node(shared, 4096, 0);
sys.posix_fadvise(3, 0, 0, FADV.DONTNEED);
sys.munmap(new DataView(buffer), 1);
sys.msync(buffer, undefined, MS.SYNC);
sys.mlockall(MCL.CURRENT);
sys.mprotect(0n, 1, PROT.READ | PROT.EXEC, { allowWriteExec: false });

// @ts-expect-error: without shared: true it is an ArrayBuffer
const wrong: SharedArrayBuffer = sys.mmap(null, 4096, PROT.READ, MAP.SHARED, 3);
// @ts-expect-error: the kind stays
const wrongKind: ArrayBuffer = sys.mremap(shared, 4096, 8192, MREMAP.MAYMOVE);
// @ts-expect-error: flags are needed
sys.mmap(null, 4096, PROT.READ);
// @ts-expect-error: null is an address for mmap only
sys.munmap(null);
// @ts-expect-error: not an address
sys.munmap('0x1000');
// @ts-expect-error: flags are needed
sys.msync(buffer, 4096);
// @ts-expect-error: an advice is needed
sys.madvise(buffer, 4096);
// @ts-expect-error: a protection is needed
sys.mprotect(buffer, 4096);
// @ts-expect-error: flags are numbers, not words
sys.mprotect(buffer, 4096, 'read');
// @ts-expect-error: no such flag
void MAP.UNINITIALIZED;
// @ts-expect-error: the tables are read-only
MAP.SHARED = 1;
// @ts-expect-error: a misspelt option
sys.mmap(null, 1, 1, 1, 1, 1, { Shared: true });
// @ts-expect-error: a vector of bytes
sys.mincore(buffer, 4096, new Uint16Array(1));
// @ts-expect-error: a view does not move
sys.mremap(new Uint8Array(buffer), 1, 1, 0);
// @ts-expect-error: nodes are numbers in an array
sys.mbind(buffer, 4096, MPOL.BIND, 0n);
// @ts-expect-error: both masks are needed
sys.migrate_pages(0, [0]);
// @ts-expect-error: modes are numbers, not words
sys.set_mempolicy('bind', [0]);
// @ts-expect-error: an advice is needed, a number
sys.posix_fadvise(3, 0, 0, 'dontneed');
// @ts-expect-error: a misspelt range
sys.cachestat(3, { start: 0 });

void [mode, statuses, unmoved, moved, movedShared, vec, advised, cached, dirty, writeback, evicted, recentlyEvicted, fd, wrong, wrongKind];
