// The thread of another library (stranger.mjs): it churns, and is ordered to take what is scarce.
import { closeSync, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { seeded } from '../support/random.mjs';
import { Control } from './control.mjs';
import { counter } from './figures.mjs';
import { loadStranger } from './stranger.mjs';

const { path, seed, control: memory, figures, port } = workerData;
const control = new Control(memory);
const count = counter(figures);
const next = seeded(seed);
const stranger = loadStranger(path);
/** Milliseconds of a period. */
const MS = 300;

function churn(ms) {
  const looked = stranger.churn(ms);
  if (looked < 0) throw new Error(`${-looked} pages of another library are not what it put there`);
  count('foreign', looked);
}

const periods = {
  descriptors() {
    const fds = [];
    try {
      for (;;) fds.push(openSync('/dev/null'));
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
    // Some come and go.
    for (let i = next(4); i > 0 && fds.length > 0; i--) closeSync(fds.pop());
    churn(MS + next(2 * MS));
    for (const fd of fds) closeSync(fd);
    count('descriptorPeriods');
  },
  mappings() {
    // The runtime needs some for its heap: without them it ends the process itself.
    const taken = stranger.fill(250 + next(1200));
    if (taken > 0) count('mappingPeriods');
    churn(MS + next(2 * MS));
    stranger.unfill();
  },
};

while (!control.stopped) {
  const order = receiveMessageOnPort(port)?.message;
  if (order === undefined) churn(10);
  else {
    control.begin();
    try {
      periods[order]();
    } finally {
      control.end();
    }
    port.postMessage('over');
  }
  await setImmediate();
}
port.close();
parentPort.postMessage('done');
