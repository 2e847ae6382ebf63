// A process whose memory stays as it is: a Python program that makes some, and sleeps then.
import { readFileSync } from 'node:fs';
import { python } from './program.mjs';
import { until } from '../until.mjs';

/** Whether it waits for somebody, and not for the disk. */
function sleeps(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).startsWith('S');
  } catch {
    return false; // it is gone
  }
}

/** Runs the script, and waits until it is through with it. `told`: what it says then, in Python: { pid, told, stop }. */
export async function quiet(script, args = [], told = "''") {
  const { child, ended, output } = python(`${script}\nprint(${told}, flush=True)\nsys.stdin.read()`, args);
  let end;
  const ends = ended.then((how) => (end = how), (error) => (end = { stderr: String(error) }));
  // Its way from the line to the sleep takes memory, too.
  await until(() => end !== undefined || (output().includes('\n') && sleeps(child.pid)), 'Python sleeps');
  if (end !== undefined) throw new Error(`Python has ended: ${end.stderr}`);
  const stop = () => {
    child.stdin.end();
    return ends;
  };
  return { pid: child.pid, told: output().trim(), stop };
}
