// The kernel's own count of the system calls this thread makes: its tracer. Needs root.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { skip } from './hooks.mjs';

const FOLDERS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

function tracer() {
  const mounted = () => FOLDERS.find((folder) => existsSync(`${folder}/set_event_pid`));
  if (mounted() === undefined && existsSync(FOLDERS[0])) {
    execFileSync('mount', ['-t', 'tracefs', 'tracefs', FOLDERS[0]], { stdio: 'pipe' });
  }
  return mounted();
}

/** How often `act`, which must be synchronous, calls the system call `name` on the main thread. */
export function countCalls(context, name, act) {
  const folder = tracer();
  const event = `${folder}/events/syscalls/sys_enter_${name}/enable`;
  if (folder === undefined || !existsSync(event)) skip(context, 'this kernel does not trace system calls');
  writeFileSync(`${folder}/set_event_pid`, String(process.pid));
  writeFileSync(`${folder}/trace`, '');
  writeFileSync(event, '1');
  try {
    act();
  } finally {
    writeFileSync(event, '0');
    writeFileSync(`${folder}/set_event_pid`, '');
  }
  return readFileSync(`${folder}/trace`, 'utf8').split('\n').filter((line) => line.includes(` sys_${name}(`)).length;
}
