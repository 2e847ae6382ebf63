// Parties that share memory with the test, at four distances. Each has the same things, a lock
// of each class or the ends of a channel, and does with them what it is asked.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Channel, SharedMemory } from 'memmap/shm';
import { ask, thingsOf } from '../things.mjs';

const PROGRAM = fileURLToPath(new URL('../../fixtures/shm/party.mjs', import.meta.url));

const THINGS = ['mutex', 'rwLock', 'semaphore', 'event', 'barrier', 'producer', 'consumer', 'acts'];

/** `party.mutex.lock()` and its like are promises of what it gives there. */
function asking(request) {
  const acts = (thing) => new Proxy({}, { get: (_, act) => (...args) => request(thing, act, args) });
  return Object.fromEntries(THINGS.map((thing) => [thing, acts(thing)]));
}

/** In this thread. */
function near(subject) {
  const things = thingsOf(subject);
  return {
    ...asking((thing, act, args) => ask(things, thing, act, args)),
    async [Symbol.asyncDispose]() {
      things.end();
      subject.close?.();
    },
  };
}

/** Somewhere else: `post` sends a request there, `end` ends it whatever it does. */
function far(from, post, end) {
  const requests = new Map();
  let number = 0;
  let halfWay;
  const reached = new Promise((resolve) => (halfWay = resolve));
  const settle = ({ id, result, error }) => {
    if (id === 'half-way') return halfWay();
    requests.get(id)[error === undefined ? 'resolve' : 'reject'](error ?? result);
    return requests.delete(id);
  };
  from.on('message', settle);
  from.once('exit', () => {
    for (const { reject } of requests.values()) reject(new Error('the party has ended'));
    requests.clear();
  });
  return {
    ...asking((thing, act, args) => {
      const id = ++number;
      const answer = new Promise((resolve, reject) => requests.set(id, { resolve, reject }));
      answer.catch(() => {}); // who is killed does not answer
      post({ id, thing, act, args });
      return answer;
    }),
    /** Resolves when an act that stops half-way has got there. */
    reached,
    kill: end,
    [Symbol.asyncDispose]: end,
  };
}

function worker({ memory, channel }) {
  const thread = new Worker(PROGRAM, { workerData: { buffer: memory?.buffer, channel: channel?.fd } });
  return far(thread, (message) => thread.postMessage(message), () => thread.terminate());
}

function child({ shared, channel }) {
  const kind = shared === undefined ? 'channel' : 'memory';
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc', (shared ?? channel).fd];
  const other = spawn(process.execPath, [PROGRAM, kind], { stdio, serialization: 'advanced' });
  const gone = once(other, 'exit');
  return far(other, (message) => other.send(message, () => {}), async () => {
    other.kill('SIGKILL');
    await gone;
  });
}

/** Another mapping, or another Channel, of the same memory. */
function second({ shared, channel }) {
  if (channel !== undefined) {
    const again = Channel.fromFd(channel.fd);
    return { channel: again, close: () => again.close() };
  }
  const again = SharedMemory.fromFd(shared.fd);
  const memory = again.map();
  return {
    memory,
    close() {
      memory.close();
      again.close();
    },
  };
}

/**
 * How to get a party at each distance from a subject: `{ shared, memory }` of locks, or
 * `{ channel }`. It ends when the test does.
 */
export const DISTANCES = {
  'by the same mapping': ({ memory, channel }) => near({ memory, channel }),
  'by a second mapping in the same thread': (subject) => near(second(subject)),
  'in a worker thread': worker,
  'in another process': child,
};

/** Those that can be killed without the test. */
export const MORTAL = { 'a worker thread that was terminated': worker, 'a process that was killed': child };
