// npm run soak [-- --seconds 60] [--seed N] [--no-guard]
//
// Four threads map files and memory, read, write, protect and close at random, while another
// process truncates and regrows the files. Ends with 0 if nobody crashed or hung, every zero
// that was read had been counted as a fault, and mappings, descriptors and memory are flat.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { configure, guard } from 'memmap';
import { status } from '../support/proc.mjs';
import { FULL, pattern } from './files.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    'no-guard': { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds > 0) || !Number.isInteger(seed)) throw new TypeError('--seconds and --seed are numbers');

const WORKERS = 4;
const FILES = 6;
const MiB = 2 ** 20;
/** Steps after which a worker is as large as it stays, but for some slack. */
const WARM = 200;
/** A worker that does nothing for so long hangs. */
const HANG_SECONDS = 60;
/** What may come on top between the first quarter and the last: caches, heaps, a pause of the collector. */
const SLACK = { mappings: 600, descriptors: 40, resident: 96 * MiB };

const directories = ['/dev/shm', tmpdir()].map((parent) => mkdtempSync(join(parent, 'memmap-soak-')));
const files = Array.from({ length: FILES }, (_, i) => join(directories[i % 2], `file-${i}`));
for (const path of files) writeFileSync(path, pattern(0, FULL));

/** Ends everything at once: threads that hang would not end otherwise. */
function die(reason) {
  console.error(reason);
  killer.removeAllListeners('exit');
  killer.disconnect();
  process.kill(process.pid, 'SIGKILL');
}

// It removes the files when this process is gone, whatever ended it.
const killer = fork(new URL('killer.mjs', import.meta.url), [String(seed), JSON.stringify({ files, directories })]);
killer.on('exit', (code, signal) => die(`the killer ended: ${code ?? signal}`));

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function look() {
  return {
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length,
    descriptors: readdirSync('/proc/self/fd').length,
    resident: status('VmRSS'),
  };
}

/** Every worker's number of steps, and the order to stop. */
const control = new Int32Array(new SharedArrayBuffer(4 * (WORKERS + 1)));
const steps = () => control.subarray(0, WORKERS);

function startWorkers() {
  // A ring: each lends views to the next.
  const channels = Array.from({ length: WORKERS }, () => new MessageChannel());
  return channels.map(({ port1: next }, i) => {
    const previous = channels[(i + 1) % WORKERS].port2;
    const worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: { index: i, seed: seed + 1 + i, guarded: !values['no-guard'], files, control, next, previous },
      transferList: [next, previous],
    });
    worker.on('error', (error) => die(`worker ${i}: ${error.stack}`));
    return worker;
  });
}

async function soak() {
  const results = startWorkers().map((worker) => once(worker, 'message'));
  const samples = [];
  let start; // from when on all are at work, which takes its time on a busy machine
  let told = Date.now();
  const before = { steps: [...steps()], at: told };
  const watch = setInterval(() => {
    const now = Date.now();
    if (start !== undefined && now - start < seconds * 1000) samples.push(look());
    if (steps().some((count, i) => count !== before.steps[i])) Object.assign(before, { steps: [...steps()], at: now });
    if (now - before.at > HANG_SECONDS * 1000) die(`no step for ${HANG_SECONDS} s: [${steps().join(', ')}]`);
    if (start === undefined || now - told < 3000) return;
    told = now;
    const { mappings, descriptors, resident } = look();
    console.log(
      `${Math.round((now - start) / 1000)} s: ${sum(steps())} steps, ${mappings} mappings, ` +
        `${descriptors} descriptors, ${Math.round(resident / MiB)} MiB`,
    );
  }, 50);
  while (steps().some((count) => count < WARM)) await setTimeout(10);
  start = Date.now();
  await setTimeout(seconds * 1000);
  Atomics.store(control, WORKERS, 1);
  const reports = (await Promise.all(results)).map(([report]) => report);
  clearInterval(watch);
  return { samples, reports };
}

function flat(samples) {
  const quarter = Math.floor(samples.length / 4);
  for (const [field, slack] of Object.entries(SLACK)) {
    const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)].map((part) =>
      median(part.map((sample) => sample[field])),
    );
    console.log(`${field}: ${first} in the first quarter, ${last} in the last`);
    assert.ok(last <= first + slack, `${field} grew from ${first} to ${last}`);
  }
}

/** The faults of the whole process while `f` ran, as guard() tells them. */
async function faultsDuring(f) {
  let result;
  try {
    await guard(async () => {
      result = await f();
    });
  } catch (error) {
    assert.equal(error.code, 'ERR_MEMMAP_FAULT', error.stack);
    return { ...result, faults: Number.parseInt(error.message, 10) };
  }
  return { ...result, faults: 0 };
}

console.log(`seed ${seed}, ${seconds} s, Node ${process.versions.node}`);
if (values['no-guard']) configure({ guard: false });
const { samples, reports, faults } = await faultsDuring(soak);
const seen = sum(reports.map((report) => report.seen));
const counted = {};
for (const report of reports) {
  for (const [kind, count] of Object.entries(report.counted)) counted[kind] = (counted[kind] ?? 0) + count;
}
console.log(`faults: ${seen} seen by workers, ${faults} of the process, of mappings ${JSON.stringify(counted)}`);
flat(samples);
for (const kind of ['truncated', 'violations', 'afterClose']) assert.ok(counted[kind] > 0, `no fault of kind ${kind}`);
// The disks are sound and have room.
assert.deepEqual([counted.noSpace, counted.memoryFailures], [0, 0]);
assert.ok(sum(Object.values(counted)) >= seen, 'faults that were seen are not among those of their mappings');
assert.ok(faults >= sum(Object.values(counted)), 'faults of mappings are not among those of the process');
killer.removeAllListeners('exit');
killer.disconnect();
console.log('sound');
