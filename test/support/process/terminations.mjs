// Workers that are terminated at a random moment, and what a process has before and after.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { binding } from '../boundary/features.mjs';
import { descriptors, openedSince } from '../descriptors.mjs';

const LANES = 3;
/** Mappings by which V8 and libc may differ from one look to the next. */
const SLACK = 150;

/** Terminates a worker at most so many milliseconds after its first message. `name`: what it is doing. */
export async function terminate(program, { name, ...data }, within, options) {
  const worker = new Worker(program, { ...options, workerData: { name, ...data } });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  worker.removeAllListeners('error');
  worker.once('error', (error) => assert.fail(`${name}: ${error.stack}`));
  await setTimeout(Math.random() * within);
  await worker.terminate();
}

/** Does it with each name, several at a time. */
export async function inLanes(names, act) {
  const left = [...names];
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) await act(name);
  }));
}

/** Gives what is dropped the time to go. */
export async function settle() {
  for (let i = 0; i < 10; i++) {
    globalThis.gc();
    await setTimeout(20);
  }
}

/** What the process has; `ours`: mappings of files below `path`, and of memory with a descriptor. */
export function traces(path) {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  const ours = lines.filter((line) => line.includes(path) || line.includes('memfd:')).length;
  binding.sweep(); // ranges that the engine has unmapped count until somebody looks
  return { fds: descriptors(), lines: lines.length, ours, census: [...binding.census()] };
}

export function assertNothingStays(before, path) {
  assert.deepEqual(openedSince(before.fds), [], 'descriptors stay');
  const now = traces(path);
  assert.ok(now.census.every((count, i) => count <= before.census[i]), `ranges stay: ${now.census}, were ${before.census}`);
  assert.equal(now.ours, before.ours, 'files stay mapped');
  assert.ok(now.lines - before.lines < SLACK, `${now.lines - before.lines} mappings stay`);
}
