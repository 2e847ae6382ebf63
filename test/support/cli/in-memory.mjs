// Which pages of files are in memory, as others than memmap tell it: vmtouch, fincore of util-linux,
// and mincore(2) as Python asks it, which answers where one of those programs is missing.
import { execFileSync } from 'node:child_process';
import { runPython } from '../process/program.mjs';
import { hasTool } from '../process/tools.mjs';

/** mincore(path, start, end): a byte for each page that the range has a part of, 1 if it is in memory. */
const MINCORE = `
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
LOWEST_BIT = bytes(i & 1 for i in range(256))

def mincore(path, start=0, end=2**63):
    fd = os.open(path, os.O_RDONLY)
    start = start // 4096 * 4096
    size = max(0, min(end, os.fstat(fd).st_size) - start)
    pages = (ctypes.c_ubyte * ((size + 4095) // 4096))()
    if size > 0:
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, start)
        assert at not in (None, 2**64 - 1)
        assert libc.mincore(at, size, pages) == 0
        libc.munmap(at, size)
    os.close(fd)
    return bytes(pages).translate(LOWEST_BIT)
`;

/** Which pages of a file mincore(2) calls resident: '1' and '0', a page each. */
export function mincorePages(path) {
  return runPython(`${MINCORE}\nprint(mincore(sys.argv[1]).translate(bytes.maketrans(b'\\0\\1', b'01')).decode())`, [path]).trim();
}

/** Resident pages of each path. */
export function fincore(paths) {
  const text = hasTool('fincore')
    ? execFileSync('fincore', ['-n', '-r', '-o', 'PAGES', ...paths], { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: '' } })
    : runPython(`${MINCORE}\nfor path in sys.argv[1:]: print(mincore(path).count(1))`, paths);
  return text.trim().split('\n').map(Number);
}

/** As vmtouch goes through directories: no symbolic links, and a file with several names once. */
const COUNT = `
start, end, names = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == 'names'
seen, files, resident, pages = set(), 0, 0, 0

def count(path):
    global files, resident, pages
    stat = os.lstat(path)
    if os.path.isdir(path) and not os.path.islink(path):
        for name in os.listdir(path): count(os.path.join(path, name))
    elif os.path.isfile(path) and not os.path.islink(path):
        if not names and (stat.st_dev, stat.st_ino) in seen: return
        seen.add((stat.st_dev, stat.st_ino))
        found = mincore(path, start, end)
        files, resident, pages = files + 1, resident + found.count(1), pages + len(found)

for path in sys.argv[4:]: count(path)
print(files, resident, pages)`;

/** [from, to) in bytes of a range as 'K' and 'M' write it: '400K-1M', '1M-', '-500K'. */
function kilobytesIn(range) {
  const [from, to] = range.split('-').map((text) => Number(text.slice(0, -1)) * { K: 2 ** 10, M: 2 ** 20 }[text.slice(-1)]);
  return [Number.isNaN(from) ? 0 : from, Number.isNaN(to) ? 2 ** 53 : to];
}

/**
 * Of files and all below directories, as vmtouch counts them, or Python: { files, resident, pages }.
 * `range`: in the form that kilobytesIn() reads. `names`: whether a file counts by each of its names.
 */
export function counted(paths, { range = '-', names = false } = {}) {
  if (hasTool('vmtouch')) {
    const args = [...(range === '-' ? [] : ['-p', range]), ...(names ? ['-h'] : []), ...paths];
    const text = execFileSync('vmtouch', args, { encoding: 'utf8', stdio: 'pipe' });
    const [, resident, pages] = /Resident Pages: (\d+)\/(\d+)/.exec(text) ?? [];
    const [, files] = /Files: (\d+)/.exec(text) ?? [];
    return { files: Number(files), resident: Number(resident), pages: Number(pages) };
  }
  const args = [...kilobytesIn(range), names ? 'names' : 'once', ...paths];
  const [files, resident, pages] = runPython(`${MINCORE}${COUNT}`, args).trim().split(' ').map(Number);
  return { files, resident, pages };
}
