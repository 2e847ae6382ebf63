// One boot of a machine: from power on to the exit status of what runs in it.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { qemu } from './machine.mjs';

const SWAP_BYTES = 2 ** 28;

/** Of the console, shown of a machine that died. */
const MOST_LINES = 48;

/** Machines that run: none outlives this process. */
const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of running) child.kill('SIGKILL');
    process.exit(1);
  });
}

/**
 * Boots it and gives its output to print(text) as it comes. Resolves to undefined if what ran
 * there ended with 0, else to lines that say what went wrong.
 */
export async function boot(cache, name, { architecture, seconds, ...parts }, print) {
  mkdirSync(join(cache, 'runs'), { recursive: true });
  const folder = mkdtempSync(join(cache, 'runs', `${name}-`));
  const files = { status: join(folder, 'status'), console: join(folder, 'console'), swap: join(folder, 'swap') };
  for (const file of Object.values(files)) writeFileSync(file, '');
  truncateSync(files.swap, SWAP_BYTES);
  try {
    const [program, args] = qemu(name, architecture, { ...parts, ...files });
    const { signal, complaints } = await runMachine(program, args, { folder, seconds, print });
    const status = readFileSync(files.status, 'utf8').trim();
    if (status === '0') return undefined;
    if (status !== '') return [`the command in the machine ended with ${status}`];
    const lines = readFileSync(files.console, 'utf8').split(/\r?\n/).filter((line) => line.trim() !== '');
    const why = signal === null ? 'the machine died before it reported' : `killed after ${seconds} s`;
    return [why, ...complaints, ...lines.slice(-MOST_LINES).map((line) => `console: ${line}`)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runMachine(program, args, { folder, seconds, print }) {
  // QEMU puts what the machine writes to its disks into TMPDIR. Its stdin stays open: at its end
  // the port "output" would be closed, and the machine wait for ever to write to it.
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: folder } });
  running.add(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  child.stdout.setEncoding('utf8').on('data', (text) => print(text));
  try {
    const signal = await new Promise((resolve, reject) => {
      child.on('error', reject).on('close', (_code, by) => resolve(by));
    });
    return { signal, complaints: complaints.split('\n').filter((line) => line !== '') };
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}
