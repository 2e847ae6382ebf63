// A thread that does nothing but read through views that the workers have lent it, while they close
// what is behind them and place something else there.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { seeded } from '../support/random.mjs';
import { Control } from './control.mjs';

const MOST = 8;
const READS = 5000;
/** Views from one collection to the next: nothing else fills the heap of a thread that only reads. */
const COLLECT = 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const control = new Control(workerData.control);
const next = seeded(workerData.seed);
const views = [];
let dropped = 0;
while (!control.stopped) {
  for (const port of workerData.ports) {
    for (let got; (got = receiveMessageOnPort(port)) !== undefined; ) views.push(got.message);
  }
  dropped += views.splice(0, Math.max(0, views.length - MOST)).length;
  if (dropped >= COLLECT) {
    dropped = 0;
    collect();
  }
  for (const bytes of views) {
    for (let i = 0; i < READS && bytes.length > 0; i++) void bytes[next(bytes.length)];
  }
  await setImmediate();
}
for (const port of workerData.ports) port.close();
parentPort.postMessage('done');
