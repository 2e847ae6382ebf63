// A control group with limits of its own, for fixtures that run in it.
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { fixture, runProgram } from '../process/run.mjs';

const ROOT = '/sys/fs/cgroup';

/**
 * Runs the fixture `name` in a group with these limits, { 'memory.max': '64M' }, to its
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

function enter(group, name, args) {
  const node = [process.execPath, fixture(name), ...args.map(String)];
  return runProgram('sh', ['-c', `echo $$ >${group}/cgroup.procs && exec "$@"`, 'sh', ...node]);
}
