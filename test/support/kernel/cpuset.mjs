// A control group with a cpuset of its own, for programs that run in it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';

const ROOT = '/sys/fs/cgroup';

/**
 * Runs a module, given as text, in a process that may use only these CPUs and NUMA nodes (lists
 * as the kernel writes them), and returns what it printed, as JSON.
 */
export function inCpuset({ cpus = '', mems = '' }, program) {
  const group = `${ROOT}/memmap-${process.pid}`;
  writeFileSync(`${ROOT}/cgroup.subtree_control`, '+cpuset');
  mkdirSync(group);
  try {
    writeFileSync(`${group}/cpuset.cpus`, `${cpus}\n`);
    writeFileSync(`${group}/cpuset.mems`, `${mems}\n`);
    const enter = `echo $$ >${group}/cgroup.procs && exec "$@"`;
    const node = [process.execPath, '--input-type=module', '-e', program];
    return JSON.parse(execFileSync('sh', ['-c', enter, 'sh', ...node], { encoding: 'utf8' }));
  } finally {
    rmdirSync(group);
  }
}
