// A thread that does nothing but read through views that the workers have lent it, while they close
// what is behind them and place something else there.
import { setImmediate } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { seeded } from '../support/random.mjs';
import { Control } from './control.mjs';

const MOST = 8;
const READS = 5000;

const control = new Control(workerData.control);
const next = seeded(workerData.seed);
const views = [];
while (!control.stopped) {
  for (const port of workerData.ports) {
    for (let got; (got = receiveMessageOnPort(port)) !== undefined; ) views.push(got.message);
  }
  views.splice(0, views.length - MOST);
  for (const bytes of views) {
    for (let i = 0; i < READS && bytes.length > 0; i++) void bytes[next(bytes.length)];
  }
  await setImmediate();
}
for (const port of workerData.ports) port.close();
parentPort.postMessage('done');
