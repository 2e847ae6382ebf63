// Faults that are none of memmap's, for the tests of the fuzz: it has to find them.
import { openSync } from 'node:fs';

const kept = [];

const FAULTS = {
  crash: (scene) => scene.next(50) === 0 && process.abort(),
  hang(scene) {
    while (scene.next(50) === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  leak: (scene) => scene.next(50) === 0 && openSync('/dev/null'),
  memory: () => void kept.push(Buffer.alloc(200_000, 1)),
};

/** @param fault one of them, or undefined for none */
export function plantedTargets(fault) {
  if (fault === undefined) return [];
  return [{ name: `planted.${fault}`, slow: false, listed: true, prepare: [], args: () => [], call: FAULTS[fault], mayThrow: () => false }];
}
