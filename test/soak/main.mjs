// npm run soak [-- --seconds 60] [--seed N] [--asan] [--no-guard] [--no-want] [--no-terminate] [--without ACT,ACT]
//
// Four threads map files and memory, read, write, protect, place, resize, post and close at random,
// while another process truncates and regrows some of the files, threads that do the same are
// terminated, another library maps and unmaps, and descriptors and mappings run out. Ends with 0 if
// nobody crashed or hung, every byte was what it had to be, every zero that was read had been
// counted as a fault, and mappings, descriptors and memory are flat. acts/ says what is looked at.
import assert from 'node:assert/strict';
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { configure, guard } from 'memmap';
import { countDescriptors } from '../support/descriptors.mjs';
import { status } from '../support/kernel/proc.mjs';
import { sanitized } from '../support/process/sanitized.mjs';
import { Control, WORKERS, controlMemory } from './control.mjs';
import { FIGURES, figuresMemory, figuresOf } from './figures.mjs';
import { CONTENT, FULL, pattern } from './files.mjs';
import { Disturber } from './disturber.mjs';
import { buildStranger } from './stranger.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    asan: { type: 'boolean', default: false },
    'no-guard': { type: 'boolean', default: false },
    'no-want': { type: 'boolean', default: false },
    'no-terminate': { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds > 0) || !Number.isInteger(seed)) throw new TypeError('--seconds and --seed are numbers');

if (values.asan && process.env.MEMMAP_ADDON === undefined) {
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const { status: code, signal } = spawnSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...sanitized() } });
  if (signal !== null) console.error(`ended by ${signal}`);
  process.exit(code ?? 1);
}

const FILES = 6;
const MiB = 2 ** 20;
/** Steps after which a worker is as large as it stays, but for some slack. */
const WARM = 200;
/** A worker that does nothing for so long hangs. */
const HANG_SECONDS = 60;
/** What may come on top between the first quarter and the last: caches, heaps, a pause of the collector. */
const SLACK = { mappings: 600, descriptors: 60, resident: 96 * MiB };
/** Seconds in which everything happens once at least, on a busy machine, too. */
const LONG = 60;
/** What depends on luck, or on what was left out. */
const expectedIdle = new Set(['kept', 'refused', 'remaps']);
if (values['no-want']) for (const name of ['descriptorPeriods', 'mappingPeriods']) expectedIdle.add(name);
if (values['no-terminate']) expectedIdle.add('terminations');
if (values.without !== '') for (const name of FIGURES) expectedIdle.add(name);
/** Few, so that a period in which there are none begins soon. */
const DESCRIPTORS = 1000;

const directories = ['/dev/shm', tmpdir()].map((parent) => mkdtempSync(join(parent, 'memmap-soak-')));
const filesCalled = (kind) => Array.from({ length: FILES }, (_, i) => join(directories[i % 2], `${kind}-${i}`));
/** Truncated all the time; and those that keep their bytes, whatever is written where it must not. */
const [files, steady] = [filesCalled('file'), filesCalled('steady')];
for (const path of [...files, ...steady]) writeFileSync(path, pattern(0, FULL));

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
    descriptors: countDescriptors(),
    resident: status('VmRSS'),
  };
}

const memories = { control: controlMemory(), figures: figuresMemory() };
const control = new Control(memories.control);
const settings = { ...memories, guarded: !values['no-guard'], without: values.without.split(','), files, steady, folder: directories[0] };

function startWorkers() {
  // A ring: each lends views to the next.
  const channels = Array.from({ length: WORKERS }, () => new MessageChannel());
  // And lends some to a thread that only reads.
  const readers = channels.map(() => new MessageChannel());
  const ports = readers.map(({ port2 }) => port2);
  const reader = new Worker(new URL('reader.mjs', import.meta.url), { workerData: { ...memories, seed, ports }, transferList: ports });
  reader.on('error', (error) => die(`the reader: ${error.stack}`));
  return channels.map(({ port1: next }, i) => {
    const { port1: toReader } = readers[i];
    const previous = channels[(i + 1) % WORKERS].port2;
    const worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: { ...settings, index: i, name: `worker-${i}`, seed: seed + 1 + i, next, previous, reader: toReader },
      transferList: [next, previous, toReader],
    });
    worker.on('error', (error) => die(`worker ${i}: ${error.stack}${error.cause ? `\n${error.cause.stack}` : ''}`));
    return worker;
  });
}

/** Without the guard the shorter life is the point. */
function disturb() {
  const stranger = buildStranger(directories[0]);
  if (stranger === undefined) {
    console.log('skipped: another library, and what runs out: no C compiler, or no node_api.h');
    for (const name of ['foreign', 'descriptorPeriods', 'mappingPeriods']) expectedIdle.add(name);
  }
  return new Disturber({
    settings, seed, die, stranger, control, terminates: !values['no-terminate'] && !values['no-guard'], wants: !values['no-want'] && !values['no-guard'],
  });
}

async function soak() {
  const results = startWorkers().map((worker) => once(worker, 'message'));
  const disturber = disturb();
  const samples = [];
  let start; // from when on all are at work, which takes its time on a busy machine
  let told = Date.now();
  const before = { steps: control.steps, at: told };
  const watch = setInterval(() => {
    const now = Date.now();
    if (control.steps.some((count, i) => count !== before.steps[i])) Object.assign(before, { steps: control.steps, at: now });
    if (now - before.at > HANG_SECONDS * 1000) die(`no step for ${HANG_SECONDS} s: [${control.steps.join(', ')}]`);
    // Nothing is like itself while others take all there is.
    if (start === undefined || control.want) return;
    const periods = control.periods;
    let state;
    try {
      state = look();
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
    if (control.periods !== periods) return;
    if (now - start < seconds * 1000) samples.push(state);
    if (now - told < 3000) return;
    told = now;
    console.log(
      `${Math.round((now - start) / 1000)} s: ${sum(control.steps)} steps, ${state.mappings} mappings, ` +
        `${state.descriptors} descriptors, ${Math.round(state.resident / MiB)} MiB`,
    );
  }, 50);
  while (control.steps.some((count) => count < WARM)) await setTimeout(10);
  start = Date.now();
  const disturbed = disturber.run(start + seconds * 1000);
  await setTimeout(seconds * 1000);
  await disturbed;
  control.stop();
  const reports = (await Promise.all(results)).map(([report]) => report);
  await disturber.end();
  clearInterval(watch);
  return { samples, reports };
}

function flat(samples) {
  assert.ok(samples.length >= 4, 'too short to see whether anything grows');
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
if (!values['no-want']) execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`]);
if (values['no-guard']) configure({ guard: false });
const { samples, reports, faults } = await faultsDuring(soak);
const seen = sum(reports.map((report) => report.seen));
const counted = {};
for (const report of reports) {
  for (const [kind, count] of Object.entries(report.counted)) counted[kind] = (counted[kind] ?? 0) + count;
}
console.log(`faults: ${seen} seen by workers, ${faults} of the process, of mappings ${JSON.stringify(counted)}`);
console.log(`done: ${sum(control.steps)} steps, ${Object.entries(figuresOf(memories.figures)).map(([name, count]) => `${name} ${count}`).join(', ')}`);
flat(samples);
for (const path of steady) assert.ok(readFileSync(path).equals(CONTENT), `${path} has been written to`);
// What has never happened has not been looked at.
const idle = Object.entries(figuresOf(memories.figures)).filter(([name, count]) => count === 0 && !expectedIdle.has(name)).map(([name]) => name);
if (seconds >= LONG) assert.deepEqual(idle, [], 'never happened');
for (const kind of ['truncated', 'violations', 'afterClose']) assert.ok(counted[kind] > 0, `no fault of kind ${kind}`);
// The disks are sound and have room.
assert.deepEqual([counted.noSpace, counted.memoryFailures], [0, 0]);
assert.ok(sum(Object.values(counted)) >= seen, 'faults that were seen are not among those of their mappings');
assert.ok(faults >= sum(Object.values(counted)), 'faults of mappings are not among those of the process');
killer.removeAllListeners('exit');
killer.disconnect();
console.log('sound');
