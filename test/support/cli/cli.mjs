// The command `memmap`, run as users run it; and what looks at files beside it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runPython, start } from '../process/program.mjs';

/** The executable. */
export const MEMMAP = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/** The environment of a run, without what colours the output. */
function environment(more = {}) {
  const env = Object.entries(process.env).filter(([name]) => !['FORCE_COLOR', 'NO_COLOR', 'COLUMNS'].includes(name));
  return { ...Object.fromEntries(env), ...more };
}

/** Runs it to its end: { status, stdout, stderr }. */
export function memmap(args, { env, ...options } = {}) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [MEMMAP, ...args.map(String)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: environment(env),
    ...options,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Starts it, and goes on: see start() in program.mjs. */
export function startMemmap(args, { env, ...options } = {}) {
  return start(process.execPath, [MEMMAP, ...args], { env: environment(env), ...options });
}

/** Writes the file to the disk, and pushes pages of it out: [first, last) pairs of pages, or all. */
export function evictPages(path, pairs) {
  const script = `
fd = os.open(sys.argv[1], os.O_RDWR)
os.fsync(fd)
pairs = [int(x) for x in sys.argv[2:]]
if not pairs: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
for a, b in zip(pairs[::2], pairs[1::2]):
    os.posix_fadvise(fd, a * 4096, (b - a) * 4096, os.POSIX_FADV_DONTNEED)`;
  runPython(script, [path, ...(pairs ?? []).flat()]);
}

/** Brings in just these pages of a file that has been pushed out, one by one: folios of a page each. */
export function readPages(path, pairs) {
  const script = `
fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
pairs = [int(x) for x in sys.argv[2:]]
for a, b in zip(pairs[::2], pairs[1::2]):
    for page in range(a, b): os.pread(fd, 1, page * 4096)`;
  runPython(script, [path, ...pairs.flat()]);
}

/** What cachestat(2) counts, as Python asks it: cached, dirty, being written, evicted, evicted of late; null before Linux 6.5. */
export function cachestat(path) {
  const script = `
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1], os.O_RDONLY)
whole, counts = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
print('null' if libc.syscall(451, fd, whole, counts, 0) else list(counts))`;
  return JSON.parse(runPython(script, [path]));
}
