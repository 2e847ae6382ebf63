// What does a lock cost that outlives its owner: alone, and between two processes?
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Barrier, Mutex, SharedMemory } from 'memmap/shm';
import { COUNTER, ROUND, countUp } from './harness/locks.mjs';

const TIMES = { alone: 5_000_000, contended: 400_000 };
const PEER = fileURLToPath(new URL('harness/lock-peer.mjs', import.meta.url));

function open() {
  const shared = SharedMemory.create({ length: 4096 });
  const memory = shared.map();
  return { fd: shared.fd, memory, counter: memory.view(Int32Array, COUNTER), mutex: new Mutex(memory, 0) };
}

function alone() {
  const { mutex, counter } = open();
  return {
    operations: TIMES.alone,
    round() {
      counter[0] = 0;
      countUp(mutex, counter, TIMES.alone);
      return counter[0];
    },
  };
}

function contended() {
  const { fd, memory, mutex, counter } = open();
  const round = new Barrier(memory, ROUND, 2);
  const half = TIMES.contended / 2;
  const peer = spawn(process.execPath, [PEER, String(half)], { stdio: ['ignore', 'ignore', 'inherit', fd, 'ipc'] });
  peer.unref();
  peer.channel.unref();
  return {
    operations: TIMES.contended,
    async round() {
      counter[0] = 0;
      await round.waitAsync();
      countUp(mutex, counter, half);
      await round.waitAsync();
      return counter[0];
    },
  };
}

export default {
  title: 'lock, count up, unlock',
  files: () => ({}),
  cases: [
    { name: 'C robust mutex, alone', group: 'alone', native: 'robust_mutex', args: () => [TIMES.alone, 1] },
    { name: 'Mutex, alone', group: 'alone', prepare: alone },
    { name: 'C robust mutex, two processes', group: 'contended', native: 'robust_mutex', args: () => [TIMES.contended, 2] },
    { name: 'Mutex, two processes', group: 'contended', prepare: contended },
  ],
  comparisons: [
    { of: 'Mutex, alone', against: 'C robust mutex, alone' },
    { of: 'Mutex, two processes', against: 'C robust mutex, two processes' },
  ],
};
