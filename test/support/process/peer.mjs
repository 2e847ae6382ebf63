// A peer: another process that maps the same file, with the mmap module of Python.
import { runPython } from './program.mjs';

/** The bytes that another process finds in its own shared mapping of the file. */
export function peerReads(path, offset, length) {
  const script = `
path, offset, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, 'rb') as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
    sys.stdout.buffer.write(m[offset:offset + length])`;
  return runPython(script, [path, offset, length], { encoding: 'buffer' });
}

/** Has another process write to its own shared mapping of the file. */
export function peerWrites(path, offset, text) {
  const script = `
path, offset, text = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
with open(path, 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:
    m[offset:offset + len(text)] = text`;
  runPython(script, [path, offset, text]);
}

/** What a Python expression about descriptor 3, which is our `fd`, gives. */
export function inherited(fd, expression) {
  return runPython(`print(${expression})`, [], { stdio: ['ignore', 'pipe', 'inherit', fd] }).trim();
}
