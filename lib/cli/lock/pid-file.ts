// A file with the number of the process that runs. It appears with its content or not at all, one
// process has it at a time, and a process that died without taking it away does not keep it.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Tries to take the place of a dead process, against others that try. */
const TRIES = 10;

/** Taken by a process that is alive. */
export class PidFileTaken extends Error {
  override readonly name = 'PidFileTaken';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The process in it; undefined if there is no such file. */
function holder(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (!/^[1-9]\d*$/.test(text)) throw new PidFileTaken(`${path} is there and is not a pidfile: it is left as it is`);
    return Number(text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @returns whether it was there no more, or is now `to` */
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
 * Writes it. @returns what takes it away again, if it is still ours
 * @throws {PidFileTaken} a process that is alive has it, or it is something else
 */
export function takePidFile(path: string): () => void {
  const [own, aside] = [`${path}.${process.pid}`, `${path}.${process.pid}.old`];
  writeFileSync(own, `${process.pid}\n`);
  try {
    for (let left = TRIES; left > 0; left -= 1) {
      // As O_EXCL, and with its content.
      if (attempt(() => linkSync(own, path), 'EEXIST')) return () => release(path);
      const pid = holder(path);
      if (pid === undefined) continue;
      if (isAlive(pid)) throw new PidFileTaken(`${path} is taken by process ${pid}, which is alive. If that is not memmap, remove the file`);
      removeStale(path, pid, aside);
    }
    throw new PidFileTaken(`${path} is fought over by others`);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Takes away what `pid` left, and nothing that another has put there meanwhile. */
function removeStale(path: string, pid: number, aside: string): void {
  if (!attempt(() => renameSync(path, aside), 'ENOENT')) return;
  try {
    if (holder(aside) !== pid) attempt(() => linkSync(aside, path), 'EEXIST');
  } finally {
    rmSync(aside, { force: true });
  }
}

function release(path: string): void {
  try {
    if (holder(path) === process.pid) rmSync(path);
  } catch {
    // What is there now is not ours.
  }
}
