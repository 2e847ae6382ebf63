// The command `memmap` under special conditions: in a terminal, as another user, watched by the kernel.
import { readFileSync } from 'node:fs';
import { runPython } from '../process/program.mjs';
import { MEMMAP } from './cli.mjs';

/** A user without rights. */
export const NOBODY = { uid: 65534, gid: 65534 };

const TERMINAL = `
import pty, termios
marker, count = sys.argv[1].encode(), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    # Here, not in the parent: the program would ask before it is set.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 120, 0, 0))
    os.environ['TERM'] = 'xterm'
    os.execvp(sys.argv[3], sys.argv[3:])
output, sent = b'', False
while True:
    try: part = os.read(fd, 65536)
    except OSError: break
    if not part: break
    output += part
    if marker and not sent and marker in output:
        sent = True
        os.write(fd, b'\\x03' * count)
status = os.waitpid(pid, 0)[1]
print(json.dumps({'output': output.decode(), 'status': os.WEXITSTATUS(status) if os.WIFEXITED(status) else None, 'signal': os.WTERMSIG(status) if os.WIFSIGNALED(status) else None}))`;

/** What makes a program that of a user without rights. */
export const AS_NOBODY = ['setpriv', `--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'];

/** Runs it in a terminal of its own: { output, status, signal }. Types Ctrl+C once `marker` has been shown. */
export function inTerminal(args, { as = [], ...more } = {}) {
  return programInTerminal([...as, process.execPath, MEMMAP, ...args], more);
}

/** The same for any program. */
export function programInTerminal(command, { marker = '', interrupts = 1 } = {}) {
  return JSON.parse(runPython(TERMINAL, [marker, interrupts, ...command]));
}

const BLOCKS = `
import resource, subprocess
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock * 512)`;

/** Bytes that the run made the disk read, as the kernel counts them. */
export function bytesRead(args) {
  return Number(runPython(BLOCKS, [process.execPath, MEMMAP, ...args]));
}

/** Bytes that a process has locked, as the kernel counts them. */
export function bytesLocked(pid) {
  return Number(/^VmLck:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}
