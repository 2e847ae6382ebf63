// A file with the ID of the running process. It is created together with its content, only one process
// holds it at a time, and one left by a dead process is replaced.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { pathNamed } from '../common/names.js';

/** Attempts to replace the file of a dead process, against other processes that also try. */
const TRIES = 10;

/** Another process holds the file, or it is not a PID file. */
export class PidFileTaken extends Error {
  override readonly name = 'PidFileTaken';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The process ID in the file; undefined if the file does not exist. */
function holder(path: string): number | undefined {
  try {
    const text = readFileSync(pathNamed(path), 'utf8').trim();
    if (!/^[1-9]\d*$/.test(text)) throw new PidFileTaken(`${path} exists and is not a pidfile: it was not changed. Choose another path`);
    return Number(text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @returns true; or false if `act` fails with `code` */
function attempt(act: () => void, code: string): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}

/**
 * Writes the file. @returns a function that removes it if this process still holds it
 * @throws {PidFileTaken} if a running process holds it, or it is not a PID file
 */
export function takePidFile(path: string): () => void {
  const [own, aside] = [`${path}.${process.pid}`, `${path}.${process.pid}.old`];
  writeFileSync(pathNamed(own), `${process.pid}\n`);
  try {
    for (let left = TRIES; left > 0; left -= 1) {
      // Fails if the file exists, like O_EXCL, but creates it with its content.
      if (attempt(() => linkSync(pathNamed(own), pathNamed(path)), 'EEXIST')) return () => release(path);
      const pid = holder(path);
      if (pid === undefined) continue;
      if (isAlive(pid)) throw new PidFileTaken(`${path} is held by process ${pid}, which is running. If that is not memmap, remove the file`);
      removeStale(path, pid, aside);
    }
    throw new PidFileTaken(`${path} was created by other processes at each of ${TRIES} attempts: try again`);
  } finally {
    rmSync(pathNamed(own), { force: true });
  }
}

/** Removes the file that `pid` left, but not one that another process has created meanwhile. */
function removeStale(path: string, pid: number, aside: string): void {
  if (!attempt(() => renameSync(pathNamed(path), pathNamed(aside)), 'ENOENT')) return;
  try {
    if (holder(aside) !== pid) attempt(() => linkSync(pathNamed(aside), pathNamed(path)), 'EEXIST');
  } finally {
    rmSync(pathNamed(aside), { force: true });
  }
}

function release(path: string): void {
  try {
    if (holder(path) === process.pid) rmSync(pathNamed(path));
  } catch {
    // The file now belongs to another process.
  }
}
