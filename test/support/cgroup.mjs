// A control group with limits of its own, for fixtures that run in it.
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = '/sys/fs/cgroup';

/** Milliseconds after which a fixture that hangs is killed. */
const WATCHDOG = 280_000;

/**
 * Runs test/fixtures/<name>.mjs in a group with these limits, { 'memory.max': '64M' }, to its
 * end: { code, signal, stdout, stderr }.
 */
export async function inGroup(limits, name, args = []) {
  const group = `${ROOT}/memmap-${process.pid}-${name}`;
  writeFileSync(`${ROOT}/cgroup.subtree_control`, '+memory +hugetlb');
  mkdirSync(group);
  try {
    for (const [file, value] of Object.entries(limits)) writeFileSync(`${group}/${file}`, String(value));
    return await enter(group, name, args);
  } finally {
    rmdirSync(group);
  }
}

async function enter(group, name, args) {
  const path = fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url));
  const node = [process.execPath, path, ...args.map(String)];
  const child = spawn('sh', ['-c', `echo $$ >${group}/cgroup.procs && exec "$@"`, 'sh', ...node], {
    stdio: ['ignore', 'pipe', 'pipe'], timeout: WATCHDOG, killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (...result) => resolve(result));
  });
  return { code, signal, stdout, stderr };
}
