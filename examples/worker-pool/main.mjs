// A pool of worker threads over one parsed data set: parsed once, in memory once, whatever the
// number of workers. `node examples/worker-pool/main.mjs [FILE] [--rows N] [--workers N] [--copies]`
// FILE has lines "station;temperature"; without one it is made. --copies gives each worker a copy
// of its own instead, as postMessage() would: compare the memory.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Channel } from 'memmap/shm';
import { readMeasurements, writeMeasurements } from './measurements.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    workers: { type: 'string', default: String(availableParallelism()) },
    copies: { type: 'boolean', default: false },
  },
});

/** MiB of memory of this process, of all its threads: Pss counts a shared page once. */
const memoryUsed = () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) / 1024;

async function parsed(file) {
  if (file !== undefined) return readMeasurements(file);
  const directory = mkdtempSync(join(tmpdir(), 'worker-pool-'));
  try {
    const path = join(directory, 'measurements.csv');
    await writeMeasurements(path, Number(values.rows));
    return readMeasurements(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What the workers need to know. */
function dataFor(table, questions, answers) {
  const channels = { questions: questions.fd, answers: answers.fd };
  if (!values.copies) return { ...channels, table: table.memory.fd };
  return { ...channels, copy: { stations: table.stations.slice(), temperatures: table.temperatures.slice() } };
}

const { table, names } = await parsed(positionals[0]);
const before = memoryUsed();

// Each question goes to one worker, whoever is free; each answer comes here.
const questions = Channel.create({ capacity: 2 ** 16, kind: 'mpmc' });
const answers = Channel.create({ capacity: 2 ** 16, kind: 'mpmc' });
const producer = questions.producer();
const consumer = answers.consumer();
const workers = Array.from({ length: Number(values.workers) }, () =>
  new Worker(new URL('worker.mjs', import.meta.url), { workerData: dataFor(table, questions, answers) }));

async function ask() {
  for (const station of names.keys()) await producer.send(Buffer.from(Uint32Array.of(station).buffer));
}

const start = performance.now();
void ask();
const lines = [];
let used = 0;
while (lines.length < names.length) {
  const answer = await consumer.receive();
  const [station, least, mean, most] = new Float64Array(answer.buffer.slice(answer.byteOffset, answer.byteOffset + answer.length));
  lines.push(`${names[station]}: ${least.toFixed(1)} / ${mean.toFixed(1)} / ${most.toFixed(1)}`);
  if (lines.length === names.length) used = memoryUsed() - before;
}
const seconds = (performance.now() - start) / 1000;
producer.close(); // the workers' loops end
await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));

for (const line of lines.toSorted().slice(0, 3)) console.log(line);
const each = used / workers.length;
console.log(`${names.length} questions about ${table.stations.length} rows took ${workers.length} workers ${seconds.toFixed(2)} s`);
console.log(`the table has ${(table.mapping.length / 2 ** 20).toFixed(1)} MiB; each worker added ${each.toFixed(1)} MiB`);
for (const one of [consumer, questions, answers, table.mapping, table.memory]) one.close();
