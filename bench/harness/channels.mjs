// What the questions about messages between processes have in common.
import { execFileSync, fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Channel } from 'memmap/shm';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Microseconds for which a spinning end looks: more than any message takes. */
const SPIN = 1000;

/** Keeps a process, all its threads, to one core. */
function pin(pid, core) {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)], { stdio: 'ignore' });
}

/**
 * Two channels to a process of its own. `send` gets them, a message and how many of it; `answers`
 * messages come back after it. `apart`: each process on a core of its own.
 */
export function toPeer({ how, count, length, send, answers = 1, spins = false, apart = false }) {
  return () => {
    const spin = spins ? SPIN : 0;
    const [there, back] = [0, 1].map(() => Channel.create({ capacity: 2 ** 20 }));
    const peer = spawn(process.execPath, [path('channel-peer.mjs'), how, String(count), String(spin)], {
      stdio: ['ignore', 'ignore', 'inherit', there.fd, back.fd],
    });
    peer.unref();
    if (apart) [process.pid, peer.pid].forEach(pin);
    const [producer, consumer] = [there.producer({ spin }), back.consumer({ spin })];
    const message = Buffer.alloc(length, 7);
    return {
      operations: count,
      async round() {
        await send({ producer, consumer, message, count });
        for (let i = 0; i < answers; i++) await consumer.receive();
        return count;
      },
    };
  };
}

/** As toPeer() over Node's own ways: a forked process, or a worker thread, which is where it likes. */
export function toNode({ how, count, length, batch = 1, apart = false }) {
  return () => {
    const peer = how === 'process' ? fork(path('node-peer.mjs'), { serialization: 'advanced' }) : new Worker(path('node-peer.mjs'));
    peer.unref();
    if (apart && how === 'process') [process.pid, peer.pid].forEach(pin);
    const send = (message) => (how === 'process' ? peer.send(message) : peer.postMessage(message));
    const message = Buffer.alloc(length, 7);
    const answer = () => new Promise((resolve) => peer.once('message', resolve));
    return {
      operations: count,
      async round() {
        for (let left = count; left > 0; left -= batch) {
          for (let i = 1; i < Math.min(batch, left); i++) send({ message });
          const answered = answer();
          send({ message, answer: true });
          await answered;
        }
        return count;
      },
    };
  };
}
